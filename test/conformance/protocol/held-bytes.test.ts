// PROTOCOL.md, "Bytes held": P30 to P32, and the bytes that count.

import { describe, expect, it } from 'vitest'
import { HeldBytes, type Overrun } from '../../../shared/protocol/streams/held-bytes.ts'
import {
  dataFrame,
  greetedPeer,
  headFrame,
  loopTurn,
  openFrame,
  WirePeer,
} from '../../support/session/wire-peer.ts'

const KIB = 1024
const OVER_BUDGET = { type: 'RESET', reason: 23 }
const OK = { status: 200, statusText: 'OK', fields: [] }

/** Returns a session whose bytes are counted, the counts of it and its principal, and the peer that the test controls. */
async function counted(budgetBytes: number, role: 'dialer' | 'acceptor' = 'acceptor') {
  const overruns: Overrun[] = []
  const principal = new HeldBytes({ budgetBytes: 4 * budgetBytes })
  const held = new HeldBytes({ budgetBytes, parent: principal, onOverrun: overrun => overruns.push(overrun) })
  const peer = await greetedPeer({ role, held })
  return { peer, held, principal, overruns }
}

describe('P30 above the budget', () => {
  it('P30 a stream of the peer is refused with overloaded, no stream is opened, and the session continues', async () => {
    const { peer, held } = await counted(10 * KIB)
    // These bytes belong to no stream, so no stream is reset for them.
    held.add(10 * KIB + 1)
    peer.send(openFrame(1, { body: '61' }))
    expect(await peer.turn()).toEqual([{ type: 'RESET', stream: 1, reason: 4, detail: '' }])
    expect(peer.session.canOpen).toBe(false)
    expect(() => peer.open()).toThrow('overloaded')
    held.add(-1)
    peer.send(openFrame(3))
    expect([peer.accepted.size, peer.session.canOpen, peer.session.state]).toEqual([1, true, 'open'])
  })

  it('P30 the budget of the principal has the same effect as that of the session', async () => {
    const { peer, principal } = await counted(10 * KIB)
    principal.add(40 * KIB + 1)
    peer.send(openFrame(1))
    expect(await peer.turn()).toEqual([{ type: 'RESET', stream: 1, reason: 4, detail: '' }])
    expect(() => peer.open()).toThrow('overloaded')
  })
})

describe('P31 the streams that hold most', () => {
  it('P31 are reset with over_budget until the session is within its budget', async () => {
    const { peer, held, overruns } = await counted(100 * KIB)
    peer.send(openFrame(1), dataFrame(1, 20 * KIB))
    peer.send(openFrame(3), dataFrame(3, 50 * KIB))
    peer.send(openFrame(5), dataFrame(5, 30 * KIB))
    expect([held.heldBytes, overruns]).toEqual([100 * KIB, []])
    peer.send(dataFrame(1, 1))
    expect(await peer.turn()).toMatchObject([{ ...OVER_BUDGET, stream: 3 }])
    expect(peer.accepted.get(3)!.aborted).toMatchObject({ reason: 'over_budget', delivered: 'maybe' })
    expect(held.heldBytes).toBe(50 * KIB + 1)
    expect(overruns).toMatchObject([{ heldBytes: 100 * KIB + 1, evictedStreams: 1, endedSessions: 0 }])
    // There is room for other streams again.
    peer.send(openFrame(7))
    expect([...peer.accepted.values()].map(({ stream }) => stream.open)).toEqual([true, false, true, true])
  })

  it('P31 may free a sixteenth more, so that the next byte does not cause the next reset', async () => {
    const { peer, held } = await counted(64 * KIB)
    for (let id = 1; id <= 127; id += 2) peer.send(openFrame(id), dataFrame(id, KIB))
    expect(held.heldBytes).toBe(64 * KIB)
    peer.send(openFrame(129), dataFrame(129, KIB))
    const resets = await peer.turnOf('RESET')
    expect(resets.map(({ reason }) => reason)).toEqual([23, 23, 23, 23, 23])
    expect(held.heldBytes).toBe(60 * KIB)
  })

  it('P31 are found among all sessions of the principal', async () => {
    const principal = new HeldBytes({ budgetBytes: 100 * KIB })
    const ofSession = () => new HeldBytes({ budgetBytes: 100 * KIB, parent: principal })
    const [one, other] = [await greetedPeer({ held: ofSession() }), await greetedPeer({ held: ofSession() })]
    one.send(openFrame(1), dataFrame(1, 70 * KIB))
    other.send(openFrame(1), dataFrame(1, 31 * KIB))
    expect(await one.turn()).toMatchObject([{ ...OVER_BUDGET, stream: 1 }])
    expect([await other.turn(), principal.heldBytes]).toEqual([[], 31 * KIB])
  })

  it('P31 a peer within its credit keeps its session for any length of time', async () => {
    const { peer, held } = await counted(KIB * KIB)
    for (let id = 1; id < 400; id += 2) {
      peer.send(openFrame(id), dataFrame(id, 200 * KIB))
      expect(held.heldBytes).toBeLessThanOrEqual(KIB * KIB)
      if (id % 20 === 1) await peer.turn()
    }
    expect(await peer.end()).toEqual({ reason: undefined, bye: undefined })
  })
})

describe('P31 the streams to end', () => {
  const open = (id: number, client: string) => openFrame(id, { strings: ['app', 'GET', '/', '', client] })

  it('P31 belong to the client that holds the most bytes, even when one stream of another client holds more than each of them', async () => {
    const { peer, held } = await counted(100 * KIB)
    peer.send(open(1, '192.0.2.1'), dataFrame(1, 40 * KIB))
    for (let id = 3; id <= 11; id += 2) peer.send(open(id, '192.0.2.2'), dataFrame(id, 12 * KIB))
    expect(held.heldBytes).toBe(100 * KIB)
    peer.send(dataFrame(11, 1))
    expect(await peer.turnOf('RESET')).toMatchObject([{ ...OVER_BUDGET, stream: 11 }])
    expect(peer.accepted.get(1)!.aborted).toBeUndefined()
  })

  it('P31 belong to each client that holds too much, until all these clients hold the same amount', async () => {
    const { peer, held } = await counted(160 * KIB)
    peer.send(open(1, 'small'), dataFrame(1, 30 * KIB))
    for (let id = 3; id <= 15; id += 2) peer.send(open(id, 'large'), dataFrame(id, 10 * KIB))
    for (let id = 17; id <= 27; id += 2) peer.send(open(id, 'larger'), dataFrame(id, 11 * KIB))
    expect(held.heldBytes).toBe(145 * KIB)
    const left = (...ids: number[]) => ids.filter(id => peer.accepted.get(id)!.stream.open).length
    expect([left(1), left(3, 5, 7, 9, 11, 13, 15), left(17, 19, 21, 23, 25, 27)]).toEqual([1, 6, 5])
  })

  it('P31 belong to the principal that holds the most bytes, even when one stream of another principal holds more than each of them', async () => {
    const process = new HeldBytes({ budgetBytes: 100 * KIB, ofPrincipals: true })
    const sessionOf = async (principal: HeldBytes) =>
      greetedPeer({ held: new HeldBytes({ budgetBytes: 1000 * KIB, parent: principal }) })
    const principal = () => new HeldBytes({ budgetBytes: 1000 * KIB, parent: process })
    const [theirs, ours] = [principal(), principal()]
    const victim = await sessionOf(theirs)
    const attackers = [await sessionOf(ours), await sessionOf(ours)]
    victim.send(open(1, 'one'), dataFrame(1, 45 * KIB))
    for (const [index, attacker] of attackers.entries()) {
      for (let id = 1; id <= 5; id += 2) {
        attacker.send(open(id, `client ${index} ${id}`), dataFrame(id, 10 * KIB))
      }
    }
    expect([theirs.heldBytes, process.heldBytes <= 100 * KIB]).toEqual([45 * KIB, true])
    expect(victim.accepted.get(1)!.aborted).toBeUndefined()
    expect(await victim.turn()).toEqual([])
  })
})

describe('P32 bytes that belong to no stream', () => {
  it('P32 end the session that holds most of them, of the principal that holds most', async () => {
    const process = new HeldBytes({ budgetBytes: 300 * KIB, ofPrincipals: true })
    const principal = async () => {
      const parent = new HeldBytes({ budgetBytes: 1000 * KIB, parent: process })
      const session = () => greetedPeer({ held: new HeldBytes({ budgetBytes: 1000 * KIB, parent }) })
      return [await session(), await session()] as const
    }
    const [one, other] = [await principal(), await principal()]
    const unread = async (peer: WirePeer, bytes: number) => {
      peer.transport.hold()
      const ping = { type: 'PING', opaque: '00'.repeat(8) } as const
      peer.send(...Array.from({ length: bytes / 17 }, () => ping))
      await loopTurn()
      peer.send(ping)
    }
    other[0].send(openFrame(1), dataFrame(1, 80 * KIB))
    await unread(one[0], 130 * KIB)
    expect(process.heldBytes).toBeGreaterThan(200 * KIB)
    await unread(one[1], 120 * KIB)
    await loopTurn()
    const states = [...one, ...other].map(({ session }) => session.state)
    expect(states).toEqual(['closed', 'open', 'open', 'open'])
    expect(other[0].accepted.get(1)!.aborted).toBeUndefined()
  })
})

describe('P32 above twice the budget', () => {
  it('P32 the session ends with overloaded', async () => {
    const { peer, held, principal } = await counted(100 * KIB)
    peer.send(openFrame(1), dataFrame(1, 100 * KIB), openFrame(3), dataFrame(3, 100 * KIB + 1))
    expect(await peer.end()).toEqual({ reason: 'overloaded', bye: 4 })
    expect([held.heldBytes, principal.heldBytes]).toEqual([0, 0])
  })

  it('P32 of several sessions of a principal, the one that holds most ends', async () => {
    const principal = new HeldBytes({ budgetBytes: 100 * KIB })
    const ofSession = () => new HeldBytes({ budgetBytes: 1000 * KIB, parent: principal })
    const [one, other] = [await greetedPeer({ held: ofSession() }), await greetedPeer({ held: ofSession() })]
    one.send(openFrame(1), dataFrame(1, 90 * KIB))
    other.send(openFrame(1), dataFrame(1, 120 * KIB))
    expect([one.session.state, other.session.state]).toEqual(['open', 'closed'])
    expect(principal.heldBytes).toBe(90 * KIB)
  })
})

describe('what counts', () => {
  it('body from its arrival until it is consumed', async () => {
    const { peer, held } = await counted(KIB * KIB)
    peer.send(openFrame(1, { body: '61'.repeat(1000) }), dataFrame(1, 5000))
    expect(held.heldBytes).toBe(6000)
    const { stream } = peer.accepted.get(1)!
    stream.consume(1500)
    expect(held.heldBytes).toBe(4500)
    peer.send(dataFrame(1, 0, true))
    stream.consume(4000)
    expect(held.heldBytes).toBe(500)
    stream.consume(500)
    expect(held.heldBytes).toBe(0)
  })

  it('body that waits for credit', async () => {
    const { peer, held } = await counted(KIB * KIB, 'dialer')
    const { stream } = peer.open({}, false)
    stream.write(Buffer.alloc(300 * KIB))
    // The transport holds the bytes that were sent.
    expect(held.heldBytes).toBe(300 * KIB - 256 * KIB)
    peer.send({ type: 'WINDOW', stream: 1, credit: 40 * KIB })
    expect(held.heldBytes).toBe(4 * KIB)
    stream.reset('cancelled')
    expect(held.heldBytes).toBe(0)
  })

  it('large heads and trailers, with the cost of each string', async () => {
    const { peer, held } = await counted(KIB * KIB, 'dialer')
    peer.open()
    peer.send(headFrame(1, { strings: ['OK', 'a', 'b'.repeat(3000)] }))
    expect(held.heldBytes).toBe(0)
    peer.open()
    peer.send(headFrame(3, { strings: ['OK', 'a', 'b'.repeat(5000)] }))
    expect(held.heldBytes).toBe('OK\0a\0'.length + 5000 + 2 * 40)
    peer.send(dataFrame(3, 0, true))
    expect(held.heldBytes).toBe(0)
    // An informational head is passed to the owner, and not kept.
    peer.open()
    peer.send(headFrame(5, { status: 103, strings: ['', 'a', 'b'.repeat(5000)] }))
    expect(held.heldBytes).toBe(0)
    peer.open()
    // Ten thousand strings of a few bytes use more memory than their bytes.
    peer.send(headFrame(7, { strings: ['', ...Array.from({ length: 10_000 }, () => 'x')] }))
    expect(held.heldBytes).toBe(20_000 + 10_000 * 40)
  })

  it('the bytes that the owner keeps, until it releases them or the stream ends', async () => {
    const { peer, held } = await counted(KIB * KIB, 'dialer')
    const { stream } = peer.open({}, false)
    stream.keep(7000)
    stream.keep(5000)
    expect(held.heldBytes).toBe(5000)
    stream.keep(0)
    expect(held.heldBytes).toBe(0)
    stream.keep(3000)
    peer.send({ type: 'RESET', stream: 1, reason: 1, detail: '' })
    expect(held.heldBytes).toBe(0)
    stream.keep(3000)
    expect(held.heldBytes).toBe(0)
  })

  it('a response that its owner still holds after the end of the stream, until it is consumed or dropped', async () => {
    const { peer, held } = await counted(KIB * KIB, 'dialer')
    const ended = () => {
      const recorded = peer.open()
      const { id } = recorded.stream
      recorded.onEnd = () => recorded.stream.holdAfterEnd()
      peer.send(headFrame(id), dataFrame(id, 9000, true))
      expect([recorded.stream.open, held.heldBytes]).toEqual([false, 9000])
      return recorded
    }
    const consumed = ended()
    consumed.stream.consume(4000)
    expect(held.heldBytes).toBe(5000)
    consumed.stream.consume(5000)
    expect(held.heldBytes).toBe(0)
    const released = ended()
    released.stream.release()
    expect(held.heldBytes).toBe(0)
    // Without `holdAfterEnd`, a stream counts no bytes after its end.
    const plain = peer.open()
    peer.send(headFrame(plain.stream.id), dataFrame(plain.stream.id, 9000, true))
    expect(held.heldBytes).toBe(0)
  })

  it('a response that is held after its end can be dropped for the budget', async () => {
    const { peer, held } = await counted(10 * KIB, 'dialer')
    const recorded = peer.open()
    recorded.onEnd = () => recorded.stream.holdAfterEnd()
    peer.send(headFrame(1), dataFrame(1, 9 * KIB, true))
    const other = peer.open()
    peer.send(headFrame(3), dataFrame(3, 2 * KIB))
    expect(recorded.aborted?.reason).toBe('over_budget')
    expect([other.aborted, held.heldBytes]).toEqual([undefined, 2 * KIB])
    // Its stream is closed at both ends, so no RESET is sent.
    expect(await peer.turnOf('RESET')).toEqual([])
  })

  it('a response that is held after its end, also when its owner has reset the upload since', async () => {
    const { peer, held } = await counted(10 * KIB, 'dialer')
    const recorded = peer.open({}, false)
    recorded.onEnd = () => {
      recorded.stream.holdAfterEnd()
      recorded.stream.reset('cancelled')
    }
    peer.send(headFrame(1), dataFrame(1, 9 * KIB, true))
    expect([recorded.stream.open, held.heldBytes]).toEqual([false, 9 * KIB])
    peer.open()
    peer.send(headFrame(3), dataFrame(3, 2 * KIB))
    expect(recorded.aborted?.reason).toBe('over_budget')
    expect(held.heldBytes).toBe(2 * KIB)
  })

  it('an unread byte as one byte, although its buffer is a part of the pool of Node', async () => {
    const { peer, held } = await counted(KIB * KIB)
    peer.send(openFrame(1, { body: '61' }))
    expect(held.heldBytes).toBe(1)
  })

  it('unsent bytes of the session, when there are more than a batch', async () => {
    const { peer, held } = await counted(KIB * KIB)
    peer.transport.hold()
    const ping = { type: 'PING', opaque: '00'.repeat(8) } as const
    peer.send(...Array.from({ length: 3000 }, () => ping))
    await loopTurn()
    expect(held.heldBytes).toBe(0)
    peer.send(...Array.from({ length: 3000 }, () => ping))
    await loopTurn()
    peer.send(ping)
    expect(held.heldBytes).toBe(6001 * 17)
    peer.transport.release()
    await loopTurn()
    expect(held.heldBytes).toBe(0)
  })

  it('the bytes of an incomplete message, which are counted at each ping', async () => {
    const { peer, held } = await counted(KIB * KIB)
    const more = (bytes: number) => {
      peer.transport.receivedBytes += bytes
      peer.clock.advance(2000)
    }
    more(1)
    expect(held.heldBytes).toBe(0)
    more(70_000)
    more(1000)
    expect(held.heldBytes).toBe(71_000)
    peer.send({ type: 'PING', opaque: '00'.repeat(8) })
    more(0)
    expect(held.heldBytes).toBe(0)
    more(5000)
    expect(held.heldBytes).toBe(5000)
    peer.transport.lose()
    expect(held.heldBytes).toBe(0)
    expect(peer.clock.pendingTimers).toBe(0)
  })

  it('the bytes of an incomplete hello', async () => {
    const held = new HeldBytes({ budgetBytes: KIB * KIB })
    const peer = new WirePeer({ held })
    peer.transport.receivedBytes = 50_000
    peer.clock.advance(2000)
    expect(held.heldBytes).toBe(50_000)
    peer.clock.advance(8000)
    expect(peer.closes).toEqual([])
    await loopTurn()
    expect([peer.closes[0]?.detail, held.heldBytes, peer.clock.pendingTimers]).toEqual([
      'no hello in time',
      0,
      0,
    ])
  })

  it('no more than the longest message, also with other bytes between messages', async () => {
    const { peer, held } = await counted(100 * KIB * KIB)
    // A peer can send any number of WebSocket pings and no message.
    for (let tick = 0; tick < 10; tick += 1) {
      peer.transport.receivedBytes += 500_000
      peer.clock.advance(2000)
    }
    expect(held.heldBytes).toBe(KIB * KIB)
  })

  it('the head of a request, at its opener, until the stream ends', async () => {
    const { peer, held } = await counted(KIB * KIB, 'dialer')
    const small = peer.open({ fields: ['a', 'b'.repeat(3000)] })
    expect(held.heldBytes).toBe(0)
    const large = peer.open({ fields: ['a', 'b'.repeat(50_000)] })
    expect(held.heldBytes).toBeGreaterThan(50_000)
    expect(held.heldBytes).toBeLessThan(51_000)
    peer.send(headFrame(large.stream.id), dataFrame(large.stream.id, 0, true))
    expect([small.stream.open, large.stream.open, held.heldBytes]).toEqual([true, false, 0])
  })

  it('no bytes of a session that has ended', async () => {
    const { peer, held } = await counted(KIB * KIB)
    peer.send(openFrame(1), dataFrame(1, 9000), openFrame(3), dataFrame(3, 9000))
    peer.accepted.get(3)!.stream.respond(OK)
    peer.accepted.get(3)!.stream.keep(1000)
    peer.accepted.get(3)!.stream.write(Buffer.alloc(300 * KIB))
    expect(held.heldBytes).toBe(19_000 + 44 * KIB)
    peer.transport.lose()
    expect(held.heldBytes).toBe(0)
  })
})
