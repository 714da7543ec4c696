import { expect, test } from 'vitest'
import { hashPassword, passwordHashProblem, verifyPassword } from './password-hash.ts'

/** The lowest cost that is verified: one hash takes 2 ms instead of 150. */
const CHEAP = { ln: 10, r: 8, p: 1 }

test('verifies only the password that was hashed, and makes a different hash each time', async () => {
  const hash = await hashPassword('correct horse')
  expect(hash).toMatch(/^\$scrypt\$ln=14,r=8,p=5\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  expect(passwordHashProblem(hash)).toBeUndefined()
  expect(await verifyPassword('correct horse', hash)).toBe(true)
  const cheap = await hashPassword('correct horse', CHEAP)
  expect(await verifyPassword('correct horse', cheap)).toBe(true)
  expect(await verifyPassword('correct horsf', cheap)).toBe(false)
  expect(await verifyPassword('', cheap)).toBe(false)
  expect(await hashPassword('correct horse', CHEAP)).not.toBe(cheap)
})

test('verifies the test vector of RFC 7914, in the form that other programs write', async () => {
  const salt = Buffer.from('SodiumChloride').toString('base64').replace(/=+$/, '')
  const hash = Buffer.from(
    '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887',
    'hex',
  )
  const written = `$scrypt$ln=14,r=8,p=1$${salt}$${hash.toString('base64').replace(/=+$/, '')}`
  expect(await verifyPassword('pleaseletmein', written)).toBe(true)
  expect(await verifyPassword('pleaseletmeim', written)).toBe(false)
})

test('verifies a password in another Unicode normalization form (NFC)', async () => {
  expect(await verifyPassword('Zoe\u0308', await hashPassword('Zo\u00eb', CHEAP))).toBe(true)
})

const salt = 'c2FsdHNhbHQ1MTI'
const hash = 'A'.repeat(43)
test.each([
  ['$2y$10$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', /bcrypt.*"password"/],
  ['$apr1$x$y', /htpasswd.*"password"/],
  ['$argon2id$v=19$m=65536,t=3,p=4$x$y', /another kind/],
  ['plain', /"password"/],
  [`$scrypt$ln=21,r=8,p=1$${salt}$${hash}`, /128 MiB/],
  [`$scrypt$ln=17,r=8,p=16$${salt}$${hash}`, /128 MiB/],
  [`$scrypt$ln=2,r=8,p=1$${salt}$${hash}`, /128 MiB/],
  [`$scrypt$ln=14,r=8,p=1$${salt}$AAAA`, /128 MiB/],
])('%s is refused with a way out', async (text, problem) => {
  expect(passwordHashProblem(text)).toMatch(problem)
  expect(await verifyPassword('x', text)).toBe(false)
})
