import fc from 'fast-check'
import { expect, it } from 'vitest'
import { matchesGlob } from './matches-glob.ts'

it.each([
  ['2.1.0', '2.*', true],
  ['2', '2.*', false],
  ['12.1', '2.*', false],
  ['2.1.0-rc1', '*-rc?', true],
  ['2.1.0-rc12', '*-rc?', false],
  ['', '*', true],
  ['', '?', false],
  ['aXbXc', 'a*X*c', true],
  ['a.b', 'a+b', false],
  ['abab', '*ab', true],
])('%j and %j: %j', (text, pattern, expected) => expect(matchesGlob(text, pattern)).toBe(expected))

it('agrees with a regular expression', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 })
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?'), maxLength: 8 })
  fc.assert(
    fc.property(text, pattern, (value, glob) => {
      const regex = glob.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.')
      expect(matchesGlob(value, glob)).toBe(new RegExp(`^${regex}$`).test(value))
    }),
    { seed: 1 },
  )
})
