import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { nodeVersionProblem } from './node-version.ts'

it.each(['22.21.0', '22.23.1', '24.9.0', '24.11.1', '25.0.0', '26.10.0'])('accepts Node %s', version => {
  expect(nodeVersionProblem(version)).toBeUndefined()
})

it.each(['20.19.0', '22.20.9', '23.11.0', '24.8.0'])('refuses Node %s as too old', version => {
  expect(nodeVersionProblem(version)).toContain(`Node ${version} `)
})

it('accepts the range that the manifest of the repository states', () => {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
    devEngines: { runtime: { version: string } }
  }
  expect(manifest.devEngines.runtime.version).toBe('^22.21 || >=24.9')
})
