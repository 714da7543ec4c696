import { expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { newIncarnation } from '../../registry/incarnation.ts'
import { PeerTokens } from './peer-tokens.ts'

const clock = new ManualClock()
const self = { id: asReplicaId('one'), incarnation: newIncarnation(1000, () => 0.5) }
const ours = new PeerTokens(['secret'], self, clock)

it('authenticates the dialer by id and incarnation, and the acceptor for this dial only', async () => {
  const { token, nonce } = await ours.forDial()
  expect(await ours.verifyDial(token)).toEqual({ ...self, nonce })
  const response = await ours.forResponse(nonce)
  expect(await ours.verifyResponse(response, nonce)).toEqual(self)
  const other = await ours.forDial()
  await expect(ours.verifyResponse(response, other.nonce)).rejects.toMatchObject({ code: 'unauthorized' })
})

it('rejects a dial token as a response token, and the reverse', async () => {
  const { token, nonce } = await ours.forDial()
  await expect(ours.verifyResponse(token, nonce)).rejects.toMatchObject({ code: 'unauthorized' })
  await expect(ours.verifyDial(await ours.forResponse(nonce))).rejects.toMatchObject({ code: 'unauthorized' })
})

it('rejects tokens of another secret, expired tokens and garbage', async () => {
  const { token } = await new PeerTokens(['another secret'], self, clock).forDial()
  await expect(ours.verifyDial(token)).rejects.toMatchObject({ code: 'unauthorized' })
  const { token: own } = await ours.forDial()
  clock.advance(95_000)
  await expect(ours.verifyDial(own)).rejects.toMatchObject({ code: 'token_expired' })
  for (const garbage of ['', 'a.b.c', 'x'.repeat(5000)]) {
    await expect(ours.verifyDial(garbage)).rejects.toMatchObject({ code: 'unauthorized' })
  }
})

it('signs with the first of several secrets, and accepts tokens of all of them', async () => {
  const rotating = new PeerTokens(['another secret', 'secret'], self, clock)
  const later = new PeerTokens(['another secret'], self, clock)
  await rotating.verifyDial((await ours.forDial()).token)
  await rotating.verifyDial((await later.forDial()).token)
  await later.verifyDial((await rotating.forDial()).token)
  await expect(ours.verifyDial((await rotating.forDial()).token)).rejects.toMatchObject({
    code: 'unauthorized',
  })
  const { token } = await ours.forDial()
  clock.advance(95_000)
  await expect(rotating.verifyDial(token)).rejects.toMatchObject({ code: 'token_expired' })
})

it('accepts a token once, and only on the replica that it names', async () => {
  const there = new PeerTokens(['secret'], { ...self, id: asReplicaId('two') }, clock)
  const { token } = await there.forDial(asReplicaId('one'))
  await ours.verifyDial(token)
  await expect(ours.verifyDial(token)).rejects.toMatchObject({ code: 'unauthorized' })
  const elsewhere = await there.forDial(asReplicaId('three'))
  await expect(ours.verifyDial(elsewhere.token)).rejects.toMatchObject({ code: 'unauthorized' })
  clock.advance(85_000)
  await expect(ours.verifyDial(token)).rejects.toMatchObject({ code: 'unauthorized' })
})

it('rejects a token from the future, which would stay valid for longer than its use is recorded', async () => {
  const ahead = new ManualClock(1000, clock.wallTime() + 61_000)
  const { token } = await new PeerTokens(['secret'], self, ahead).forDial()
  await expect(ours.verifyDial(token)).rejects.toMatchObject({ code: 'unauthorized' })
  clock.advance(2000)
  await ours.verifyDial(token)
})
