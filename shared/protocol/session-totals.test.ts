import { expect, it } from 'vitest'
import { openSessionPair } from '../../test/support/session/session-pair.ts'
import type { SessionTotals } from './session.ts'

const OK = { status: 200, statusText: '', fields: [] }
const KIB = 1024

const stallsOf = ({ ownStalls, peerStalls }: SessionTotals) => [ownStalls, peerStalls]

it('counts a stall of a stream once until credit arrives, at both ends', async () => {
  const pair = await openSessionPair({ onStream: ({ stream }) => stream.respond(OK) })
  const recorded = pair.dialer.open()
  await pair.settle()
  expect([...stallsOf(pair.dialer.session), ...stallsOf(pair.acceptor.session)]).toEqual([0, 0, 0, 0])
  recorded.stream.write(Buffer.alloc(300 * KIB))
  await pair.settle()
  recorded.stream.write(Buffer.alloc(KIB))
  await pair.settle()
  expect([stallsOf(pair.dialer.session), stallsOf(pair.acceptor.session)]).toEqual([
    [1, 0],
    [0, 1],
  ])
  pair.acceptor.accepted[0]?.stream.consume(256 * KIB)
  await pair.settle()
  expect(pair.acceptor.accepted[0]?.receivedBytes).toBe(301 * KIB)
  expect(stallsOf(pair.dialer.session)).toEqual([1, 0])
})

it('counts no stall for a body that waits until its stream is accepted', async () => {
  const pair = await openSessionPair()
  pair.dialer.open().stream.write(Buffer.alloc(100 * KIB))
  await pair.settle()
  expect(stallsOf(pair.dialer.session)).toEqual([0, 0])
})

it('counts the bytes of both directions, and the open streams by kind', async () => {
  const pair = await openSessionPair({ onStream: ({ stream }) => stream.respond(OK) })
  pair.dialer.open({ kind: 'http' }).stream.write(Buffer.alloc(10 * KIB))
  pair.dialer.open({ kind: 'upgrade' })
  await pair.settle()
  const [a, b] = [pair.dialer.session, pair.acceptor.session]
  expect(a.sentBytes).toBeGreaterThan(10 * KIB)
  expect([b.receivedBytes, a.receivedBytes]).toEqual([a.sentBytes, b.sentBytes])
  const kinds = new Map()
  a.countStreams(kinds)
  expect([...kinds]).toEqual([
    ['http', 1],
    ['upgrade', 1],
  ])
})
