import { expect, it } from 'vitest'
import { metEngines } from './engines.ts'
import { missingEntries, readLockfile } from './lockfile.ts'

it('the lock file holds the packages of every platform (else: node test/support/lockfile.ts)', () => {
  expect(missingEntries(readLockfile())).toEqual({})
})

it('the lock file names no registry', () => {
  expect(JSON.stringify(readLockfile())).not.toMatch(/"resolved":"https?:/)
})

it('a package that is missing gets what its name says', () => {
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
      ...{ version: '1.0.0', dev: true, optional: true },
      ...{ os: ['linux'], cpu: ['arm64'], libc: ['musl'] },
    },
  })
})

it('npm ci on an older Node warns of no engines that the pinned Node meets (else: node test/support/lockfile.ts)', () => {
  expect(metEngines(readLockfile())).toEqual([])
})
