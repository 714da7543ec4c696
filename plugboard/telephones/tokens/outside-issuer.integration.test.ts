// A token of an outside issuer has the id, the subject and the name of one of our own tokens. Plugboard must keep the two
// tokens separate in revocation, renewal, claims, "last seen", and the list of telephones.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { AUDIENCE, ISSUER, Issuer } from '../../../test/support/credentials/issuer.ts'
import { eventually } from '../../../test/support/deadline.ts'
import { TunnelHarness } from '../../../test/support/harness/tunnel-harness.ts'
import { asTokenId } from '../../common/ids/row-ids.ts'

const issuer = new Issuer()
issuer.addKey('EdDSA')
let harness: TunnelHarness

beforeEach(async () => {
  const outside = { issuer: ISSUER, jwksUrl: await issuer.listen(), audience: AUDIENCE }
  harness = await TunnelHarness.start({ authenticator: { outside } })
})

afterEach(async () => {
  await harness.close()
  await issuer.close()
})

const outsideToken = (jti: string): string =>
  issuer.token({ sub: 'laptop', jti, services: ['*'], mounts: ['*'] })

it('stays connected, and can dial, when our own token is revoked', async () => {
  const { id, token } = await harness.token()
  const [ours, outside] = [await harness.dial(token), await harness.dial(outsideToken(id))]
  await harness.issuer.revoke(asTokenId(id), { actor: 'test' })
  expect((await ours.closed).reason).toBe('unauthorized')
  await harness.caughtUp()
  expect(outside.session.state).toBe('open')
  await harness.dial(outsideToken(id))
})

it('gets no renewed token from Plugboard', async () => {
  const { id } = await harness.token()
  const before = await harness.database.store.tokens.get(asTokenId(id))
  const telephone = await harness.dial(outsideToken(id))
  telephone.session.sendControl({ type: 'renew' })
  const { token, detail } = await telephone.control('renewed')
  expect([token, detail]).toEqual([undefined, expect.stringContaining('did not issue this token')])
  expect(await harness.database.store.tokens.get(asTokenId(id))).toEqual(before)
})

it('claims mounts for its own subject', async () => {
  const { id } = await harness.token()
  const telephone = await harness.dial(outsideToken(id))
  await telephone.announce({ service: 'shop', mount: 'app.test' })
  const holder = `${ISSUER}#sub:laptop`
  expect((await harness.database.store.routes.get('app.test')).claimedBy).toBe(holder)
  const { items } = await harness.database.store.changes.list({ entities: ['route'] })
  expect(items.map(({ actor }) => actor)).toEqual([`token:${holder}`])
})

it('does not update the "last seen" time of our own token', async () => {
  const { store } = harness.database
  const [{ id }, other] = [await harness.token(), await harness.token({ name: 'other' })]
  // After the response to an announcement, Plugboard has handled the hello that came before it.
  await (await harness.dial(outsideToken(id))).announce()
  await (await harness.dial(other.token)).announce()
  await eventually('the other one is seen', async () =>
    (await store.tokens.get(asTokenId(other.id))).lastSeenAt === null ? undefined : true,
  )
  expect((await store.tokens.get(asTokenId(id))).lastSeenAt).toBeNull()
})

it('has the limits of its claims, which count for its subject with any id', async () => {
  const limited = (jti: string): string =>
    issuer.token({ sub: 'device', jti, services: ['*'], mounts: ['*'], limits: { tunnels: 2, claims: 1 } })
  const telephone = await harness.dial(limited('1'))
  const results = await telephone.announce(
    { service: 'shop', mount: 'a.test' },
    { service: 'shop', mount: 'b.test' },
  )
  expect(results.map(({ code }) => code)).toEqual([undefined, 'token_claim_limit'])
  const again = await (await harness.dial(limited('2'))).announce({ service: 'shop', mount: 'c.test' })
  expect(again.map(({ code }) => code)).toEqual(['token_claim_limit'])
  await expect(harness.dial(limited('3'))).rejects.toThrow('429')
})

it('is listed with an id that contains its issuer', async () => {
  const { id } = await harness.token()
  await (await harness.dial(outsideToken(id))).announce()
  expect(harness.switchboard.list().map(({ tokenId }) => tokenId)).toEqual([`${ISSUER}#jti:${id}`])
})
