// Tests that the keys of an outside issuer are fetched by the same rules as the keys of routes (jwks/).

import type { Logger } from '@vera-stack/shared/log.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AUDIENCE, ISSUER, Issuer } from '../../../test/support/credentials/issuer.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { Authenticator } from './authenticate.ts'

const directory = { verificationKey: () => undefined, isRevoked: () => false }
let issuer: Issuer
let clock: ManualClock
let jwksUrl: string
let authenticator: Authenticator
let causes: unknown[]

beforeEach(async () => {
  issuer = new Issuer()
  clock = new ManualClock()
  jwksUrl = await issuer.listen()
  authenticator = start(jwksUrl)
})
afterEach(() => issuer.close())

function start(url: string): Authenticator {
  causes = []
  const log: Logger = { ...silentLogger, warn: (_message, fields) => void causes.push(fields?.err) }
  return new Authenticator({
    directory,
    outside: { issuer: ISSUER, jwksUrl: url, audience: AUDIENCE },
    clock,
    log,
  })
}

function token(lifetimeSeconds = 600): string {
  const exp = Math.floor(clock.wallTime() / 1000) + lifetimeSeconds
  const claims = { sub: 'laptop', jti: '1', services: ['*'], mounts: ['*'], exp }
  return issuer.token(claims, { nowMs: clock.wallTime() })
}

test.each(['PS384', 'PS512', 'Ed25519'])('accepts %s, as the rules of routes do', async alg => {
  issuer.addKey(alg)
  await expect(authenticator.authenticate(token())).resolves.toMatchObject({ subject: 'laptop' })
})

test('keeps the keys in use while the issuer is unreachable', async () => {
  issuer.addKey()
  const long = token(7 * 86_400)
  await authenticator.authenticate(long)
  issuer.response = { status: 500 }
  clock.advance(3_600_000)
  await expect(authenticator.authenticate(long)).resolves.toBeDefined()
  clock.advance(24 * 3_600_000)
  await expect(authenticator.authenticate(long)).rejects.toMatchObject({ code: 'overloaded' })
})

test('fetches once for several tokens with unknown keys', async () => {
  issuer.addKey()
  await authenticator.authenticate(token())
  const forger = new Issuer()
  for (const kid of ['a', 'b', 'c']) {
    const key = forger.addKey('ES256', kid)
    const forged = forger.token({ sub: 'x', jti: '1' }, { key, nowMs: clock.wallTime() })
    clock.advance(11_000)
    await expect(authenticator.authenticate(forged)).rejects.toMatchObject({ code: 'unauthorized' })
  }
  expect(issuer.requests).toBe(2)
})

test('rejects a list of keys that is too long, and logs the cause', async () => {
  issuer.addKey()
  issuer.response = { status: 200, body: `${issuer.jwks}${' '.repeat(1024 * 1024)}` }
  await expect(authenticator.authenticate(token())).rejects.toMatchObject({ code: 'overloaded' })
  expect(String(causes[0])).toContain('longer than 1048576 bytes')
})

test('fetches keys from another machine over https only', async () => {
  issuer.addKey()
  authenticator = start('http://10.0.0.1/jwks.json')
  await expect(authenticator.authenticate(token())).rejects.toMatchObject({ code: 'overloaded' })
  expect(String(causes[0])).toContain('10.0.0.1 is not on this machine, and needs https')
})
