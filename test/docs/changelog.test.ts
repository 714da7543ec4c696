// CHANGELOG.md has an empty or growing part for the next version, then one part for each released version. The
// newest one has the version of the packages, which the programs print.

import { describe, expect, it } from 'vitest'
import { read } from './generated-tables.ts'

const PACKAGES = ['plugboard', 'telephone', 'shared']

describe('CHANGELOG.md', () => {
  const [next, ...released] = [...read('CHANGELOG.md').matchAll(/^## (.+)$/gm)].map(
    ([, heading = '']) => heading,
  )

  it('begins with the changes of the next version', () => {
    expect(next).toBe('Unreleased')
  })

  it('has released versions with their dates, the newest one first', () => {
    for (const heading of released) expect(heading).toMatch(/^\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}$/)
    const dates = released.map(heading => heading.split(' - ')[1])
    expect(dates).toEqual(dates.toSorted().reverse())
  })

  it.each(PACKAGES)('has the version of %s/package.json as its newest one', folder => {
    const { version } = JSON.parse(read(`${folder}/package.json`)) as { version: string }
    expect(released[0]?.split(' - ')[0]).toBe(version)
  })
})
