import { afterEach, beforeEach, expect, test } from 'vitest'
import { Issuer } from '../../test/support/credentials/issuer.ts'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { OutboundNetworks } from '../routes/options/outbound-networks.ts'
import { guardedFetch } from './guarded-fetch.ts'
import { Jwks, JwksUnavailable } from './jwks.ts'

let issuer: Issuer
beforeEach(() => {
  issuer = new Issuer()
})
afterEach(() => issuer.close())

test('it is fetched over HTTP, and follows no redirect', async () => {
  const { kid } = issuer.addKey('ES256')
  const url = await issuer.listen()
  const networks = new OutboundNetworks(['127.0.0.1'])
  const load = (address: string) =>
    guardedFetch(address, { networks, timeoutMs: 5000, maxBytes: 10_000, accept: '*/*' })
  const ask = () =>
    new Jwks({ url, clock: new ManualClock(), load, failed: () => undefined }).key(
      { alg: 'ES256', kid },
      { payload: '', signature: '' },
    )
  await expect(ask()).resolves.toBeDefined()
  issuer.response = { status: 302, location: url }
  await expect(ask()).rejects.toBeInstanceOf(JwksUnavailable)
  expect(issuer.requests).toBe(2)
})
