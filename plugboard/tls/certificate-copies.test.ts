import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { CertificateCopies } from './certificate-copies.ts'

let folder = ''
let copies: CertificateCopies
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vera-test-'))
  copies = new CertificateCopies(join(folder, 'certificates'))
})
afterEach(() => rm(folder, { recursive: true }))

const certificate = (host: string, notAfter = '2040-01-01') => ({
  host,
  chain: 'chain',
  sealedKey: 'key',
  notAfter: new Date(notAfter),
  renewAt: new Date('2030-01-01'),
  issuedAt: new Date('2029-01-01'),
})

it('reads a written copy, which only its owner can access', async () => {
  expect(await copies.read('a.test')).toBeUndefined()
  await copies.write(certificate('a.test', '2035-01-01'))
  await copies.write(certificate('a.test'))
  expect(await copies.read('a.test')).toEqual(certificate('a.test'))
  const names = await readdir(join(folder, 'certificates'))
  expect(names).toEqual(['a.test.json'])
  expect((await stat(join(folder, 'certificates/a.test.json'))).mode & 0o777).toBe(0o600)
})

it('removes expired and damaged copies', async () => {
  await copies.prune(0)
  await mkdir(join(folder, 'certificates'))
  await writeFile(join(folder, 'certificates/bad.test.json'), 'nonsense')
  await copies.write(certificate('old.test', '2020-01-01'))
  await copies.write(certificate('good.test'))
  await expect(copies.read('bad.test')).rejects.toThrow()
  await copies.prune(Date.parse('2030-01-01'))
  expect(await readdir(join(folder, 'certificates'))).toEqual(['good.test.json'])
})
