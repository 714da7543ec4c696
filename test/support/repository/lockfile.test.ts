import { expect, it } from 'vitest'
import { metEngines } from './engines.ts'
import { ABSENT_FROM_REGISTRY, fillIntegrity, type RegistryResponse, withoutIntegrity } from './integrity.ts'
import { missingEntries, readLockfile } from './lockfile.ts'

it('the lock file holds the packages of every platform (else: node test/support/repository/lockfile.ts)', () => {
  expect(missingEntries(readLockfile())).toEqual({})
})

it('the lock file names no registry', () => {
  expect(JSON.stringify(readLockfile())).not.toMatch(/"resolved":"https?:/)
})

it('a missing package gets the platform that its name contains', () => {
  const packages = {
    'node_modules/tool': {
      version: '1.0.0',
      dev: true,
      optionalDependencies: { '@x/tool-linux-arm64-musl': '1.0.0', here: '2.0.0' },
    },
    'node_modules/tool/node_modules/here': { version: '2.0.0' },
  }
  expect(missingEntries({ packages })).toEqual({
    'node_modules/@x/tool-linux-arm64-musl': {
      version: '1.0.0',
      dev: true,
      optional: true,
      os: ['linux'],
      cpu: ['arm64'],
      libc: ['musl'],
    },
  })
})

it('has no engines that the pinned Node meets, so npm ci gives no warning (else: node test/support/repository/lockfile.ts)', () => {
  expect(metEngines(readLockfile())).toEqual([])
})

it('each package from a registry has an integrity (else: node test/support/repository/lockfile.ts)', () => {
  const specs = withoutIntegrity(readLockfile().packages).map(({ spec }) => spec)
  expect(specs).toEqual(ABSENT_FROM_REGISTRY)
})

const INCOMPLETE = {
  '': { name: 'root', version: '1.0.0' },
  'node_modules/complete': { version: '1.0.0', integrity: 'sha512-complete' },
  'node_modules/workspace': { link: true },
  'node_modules/@x/tool': { version: '1.0.0', optional: true },
  'node_modules/alias': { name: 'other', version: '2.0.0' },
  'node_modules/@x/tool/node_modules/nested': { version: '3.0.0' },
  workspace: { version: '1.0.0' },
}

it('takes each integrity from the registry, also for aliases and nested packages', async () => {
  const asked: string[] = []
  const { packages, filled, problems } = await fillIntegrity(INCOMPLETE, spec => {
    asked.push(spec)
    const response: RegistryResponse =
      spec === 'other@2.0.0' ? { kind: 'absent' } : { kind: 'found', integrity: `sha512-${spec}` }
    return Promise.resolve(response)
  })
  expect(asked).toEqual(['@x/tool@1.0.0', 'other@2.0.0', 'nested@3.0.0'])
  expect(filled).toBe(2)
  expect(problems).toEqual(['other@2.0.0: the registry does not carry this version'])
  expect(packages).toEqual({
    ...INCOMPLETE,
    'node_modules/@x/tool': { version: '1.0.0', integrity: 'sha512-@x/tool@1.0.0', optional: true },
    'node_modules/@x/tool/node_modules/nested': { version: '3.0.0', integrity: 'sha512-nested@3.0.0' },
  })
})

it('asks an unreachable registry once, and reports each entry without integrity', async () => {
  let asked = 0
  const { packages, filled, problems } = await fillIntegrity(INCOMPLETE, () => {
    asked += 1
    return Promise.resolve({ kind: 'unreachable', detail: 'connection refused' })
  })
  expect(asked).toBe(1)
  expect(filled).toBe(0)
  expect(packages).toEqual(INCOMPLETE)
  expect(problems).toEqual([
    '@x/tool@1.0.0: the registry could not be asked: connection refused',
    'other@2.0.0: the registry could not be asked: connection refused',
    'nested@3.0.0: the registry could not be asked: connection refused',
  ])
})
