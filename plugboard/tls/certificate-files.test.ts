import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { type Logger, silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  APP_CERTIFICATE,
  OTHER_CERTIFICATE,
  RENEWED_CERTIFICATE,
  type TestCertificate,
  WILDCARD_CERTIFICATE,
} from '../../test/support/credentials/certificates.ts'
import { useLeakCheck } from '../../test/support/leak-check.ts'
import { CertificateFiles, type CertificateFilesOptions } from './certificate-files.ts'
import { findPairs, parsePair } from './certificate-pairs.ts'
import type { CertificateSet } from './certificate-set.ts'
import { DEFAULT_TLS_POLICY } from './tls-policy.ts'

useLeakCheck()

let folder = ''
let errors: string[] = []
let files: CertificateFiles | undefined
const log: Logger = { ...silentLogger, error: (message, fields) => errors.push(`${message} ${fields?.err}`) }

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vera-test-'))
  errors = []
})
afterEach(async () => {
  await files?.stop()
  files = undefined
  await rm(folder, { recursive: true })
})

async function put(chain: string, key: string, { cert, key: text }: TestCertificate): Promise<void> {
  await writeFile(join(folder, chain), cert)
  await writeFile(join(folder, key), text)
}

async function start(options: Partial<CertificateFilesOptions> = {}): Promise<CertificateFiles> {
  files = new CertificateFiles({ folder, policy: DEFAULT_TLS_POLICY, clock: systemClock, log, ...options })
  await files.start()
  return files
}

const chainOf = (set: CertificateSet, host: string) => set.find(host)?.options.cert

describe('pairs', () => {
  it('are found by the names that common tools use', async () => {
    await put('a.crt', 'a.key', APP_CERTIFICATE)
    await put('b.pem', 'b-key.pem', OTHER_CERTIFICATE)
    await put('ca.pem', '.hidden.key', OTHER_CERTIFICATE)
    await mkdir(join(folder, 'live.test'))
    await put('live.test/fullchain.pem', 'live.test/privkey.pem', WILDCARD_CERTIFICATE)
    await mkdir(join(folder, 'secret'))
    await put('secret/tls.crt', 'secret/tls.key', WILDCARD_CERTIFICATE)
    const found = (await findPairs(folder)).map(pair => pair.chainFile.slice(folder.length + 1))
    expect(found).toEqual(['a.crt', 'b.pem', 'live.test/fullchain.pem', 'secret/tls.crt'])
  })

  it('in the settings are two files', () => {
    expect(parsePair('/a/b.pem:/a/b.key')).toEqual({ chainFile: '/a/b.pem', keyFile: '/a/b.key' })
    expect(parsePair('/a/b.pem')).toBeUndefined()
    expect(parsePair('a:b:c')).toBeUndefined()
  })
})

describe('at the start', () => {
  it('the error names all invalid pairs', async () => {
    await writeFile(join(folder, 'a.crt'), APP_CERTIFICATE.cert)
    await writeFile(join(folder, 'a.key'), OTHER_CERTIFICATE.key)
    await put('b.crt', 'b.key', { cert: 'nonsense', key: APP_CERTIFICATE.key })
    await expect(start()).rejects.toThrow(
      /a\.crt: the key does not belong to the certificate\n.*b\.crt: the certificate cannot be read/,
    )
  })

  it('a default host needs a certificate', async () => {
    await put('a.crt', 'a.key', OTHER_CERTIFICATE)
    await expect(start({ defaultHost: 'app.localhost' })).rejects.toThrow(
      'no certificate covers the default host app.localhost',
    )
  })

  it('the default host decides the fallback', async () => {
    await put('a.crt', 'a.key', APP_CERTIFICATE)
    await put('b.crt', 'b.key', OTHER_CERTIFICATE)
    const { set } = await start({ defaultHost: 'other.localhost' })
    expect(set.fallback?.options.cert).toBe(OTHER_CERTIFICATE.cert)
  })
})

describe('later', () => {
  it('a replaced pair is read, a new one is added, a removed one is dropped', async () => {
    await put('a.crt', 'a.key', APP_CERTIFICATE)
    const read = await start()
    await put('a.crt', 'a.key', RENEWED_CERTIFICATE)
    await expect.poll(() => chainOf(read.set, 'app.localhost')).toBe(RENEWED_CERTIFICATE.cert)
    await put('b.crt', 'b.key', OTHER_CERTIFICATE)
    await expect.poll(() => chainOf(read.set, 'other.localhost')).toBe(OTHER_CERTIFICATE.cert)
    await rm(join(folder, 'b.crt'))
    await expect.poll(() => chainOf(read.set, 'other.localhost')).toBeUndefined()
    expect(errors).toEqual([])
  })

  it('links that are moved to another folder are followed, as in Kubernetes', async () => {
    await mkdir(join(folder, '..1'))
    await mkdir(join(folder, '..2'))
    await put('..1/tls.crt', '..1/tls.key', APP_CERTIFICATE)
    await put('..2/tls.crt', '..2/tls.key', RENEWED_CERTIFICATE)
    await symlink('..1', join(folder, '..data'))
    await symlink('..data/tls.crt', join(folder, 'tls.crt'))
    await symlink('..data/tls.key', join(folder, 'tls.key'))
    const read = await start()
    expect(chainOf(read.set, 'app.localhost')).toBe(APP_CERTIFICATE.cert)
    await symlink('..2', join(folder, '..fresh'))
    await rename(join(folder, '..fresh'), join(folder, '..data'))
    await expect.poll(() => chainOf(read.set, 'app.localhost')).toBe(RENEWED_CERTIFICATE.cert)
  })

  it('an invalid pair is logged once, and the previous one stays in use until it is valid', async () => {
    await put('a.crt', 'a.key', APP_CERTIFICATE)
    const read = await start({ lookIntervalMs: 20 })
    await writeFile(join(folder, 'a.crt'), 'nonsense')
    await expect.poll(() => errors.length).toBe(1)
    expect(errors[0]).toMatch(/the previous one stays in use Error: the certificate cannot be read/)
    expect(chainOf(read.set, 'app.localhost')).toBe(APP_CERTIFICATE.cert)
    await put('a.crt', 'a.key', RENEWED_CERTIFICATE)
    await expect.poll(() => chainOf(read.set, 'app.localhost')).toBe(RENEWED_CERTIFICATE.cert)
    expect(errors).toHaveLength(1)
  })

  it('an unreadable folder is logged, and changes no certificate', async () => {
    await put('a.crt', 'a.key', APP_CERTIFICATE)
    const read = await start({ lookIntervalMs: 20 })
    await rename(folder, `${folder}-away`)
    await expect.poll(() => errors.length).toBe(1)
    expect(chainOf(read.set, 'app.localhost')).toBe(APP_CERTIFICATE.cert)
    await rename(`${folder}-away`, folder)
  })
})
