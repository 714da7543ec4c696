// Dead links and slow links, on a clock that the test moves.

import { describe, expect, it } from 'vitest'
import { openSessionPair, SessionPair } from '../../test/support/session/session-pair.ts'
import { greetedPeer, headFrame } from '../../test/support/session/wire-peer.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { PingClock } from './ping-clock.ts'

const { pingTimeoutMs, pingIntervalMs } = DEFAULT_LIMITS
const OK = { status: 200, statusText: 'OK', fields: [] }

describe('a link that drops all bytes', () => {
  it('is detected by both ends within the limit and one interval; no body looks complete', async () => {
    const pair = await openSessionPair({ onStream: ({ stream }) => stream.respond(OK) })
    const up = pair.dialer.open()
    await pair.settle()
    await pair.advance(10_000)
    expect(pair.ends.map(({ session }) => session.state)).toEqual(['open', 'open'])
    pair.link.blackhole(true)
    pair.acceptor.accepted[0]!.stream.end()
    up.stream.end()
    await pair.advance(pingTimeoutMs - pingIntervalMs - 100)
    expect(pair.ends.map(({ session }) => session.state)).toEqual(['open', 'open'])
    await pair.advance(2 * pingIntervalMs + 100)
    await pair.settle()
    expect(pair.ends.map(({ closes }) => closes.map(({ reason }) => reason))).toEqual([
      ['ping_timeout'],
      ['ping_timeout'],
    ])
    for (const recorded of [up, pair.acceptor.accepted[0]!]) {
      expect([recorded.ended, recorded.aborted?.reason]).toEqual([false, 'ping_timeout'])
    }
    expect(pair.clock.pendingTimers).toBe(0)
  })

  it('in one direction is detected by the end that receives no bytes, and the other end receives its close', async () => {
    const pair = await openSessionPair()
    pair.link.blackhole(true, 'a-to-b')
    await pair.advance(pingTimeoutMs + pingIntervalMs)
    await pair.settle()
    expect(pair.acceptor.closes.map(({ reason }) => reason)).toEqual(['ping_timeout'])
    expect(pair.dialer.closes.map(({ reason }) => reason)).toEqual(['session_lost'])
    expect(pair.clock.pendingTimers).toBe(0)
  })

  it('before the hello is detected by the time limit of the hello', async () => {
    const pair = new SessionPair()
    pair.link.blackhole(true)
    await pair.advance(DEFAULT_LIMITS.helloTimeoutMs)
    expect(pair.ends.map(({ session }) => session.state)).toEqual(['closed', 'closed'])
    expect(pair.clock.pendingTimers).toBe(0)
  })
})

describe('a probe after a suspension', () => {
  it('reports the session as unreachable until the peer responds to this ping, while streams continue', async () => {
    const pair = await openSessionPair({ onStream: ({ stream }) => stream.respond(OK) })
    const { session } = pair.dialer
    const before = pair.dialer.open()
    await pair.settle()
    // A response to an earlier ping does not count.
    await pair.advance(pingIntervalMs)
    let confirmed = 0
    session.probe(() => {
      confirmed += 1
    })
    expect([session.state, session.reachable, session.canOpen]).toEqual(['open', false, true])
    before.stream.write(Buffer.from('still'))
    await pair.settle()
    expect([confirmed, session.reachable]).toEqual([1, true])
    expect(pair.acceptor.accepted[0]!.body.toString()).toBe('still')
  })

  it('is not confirmed when the peer does not respond, and the silence ends the session', async () => {
    const pair = await openSessionPair()
    pair.link.blackhole(true)
    pair.dialer.session.probe(() => expect.fail('the peer has not responded'))
    await pair.advance(pingTimeoutMs + pingIntervalMs)
    expect(pair.dialer.closes.map(({ reason }) => reason)).toEqual(['ping_timeout'])
    pair.dialer.session.probe(() => expect.fail('the session has ended'))
    expect([pair.dialer.session.reachable, pair.clock.pendingTimers]).toEqual([false, 0])
  })
})

describe('a link that is slow', () => {
  it('is kept while bytes of one long message trickle in, and its round trip is measured after that', async () => {
    const peer = await greetedPeer({ role: 'dialer' })
    const recorded = peer.open()
    for (let passedMs = 0; passedMs < 60_000; passedMs += pingTimeoutMs - pingIntervalMs) {
      peer.clock.advance(pingTimeoutMs - pingIntervalMs)
      peer.transport.receivedBytes += 1
    }
    expect(peer.session.state).toBe('open')
    peer.send(headFrame(1, { body: '61'.repeat(100), end: true }))
    expect([recorded.ended, recorded.receivedBytes]).toEqual([true, 100])
  })

  it('with seconds of latency is kept, and measured', async () => {
    const pair = new SessionPair({ link: { faults: { delayMs: [1000, 1500] } } })
    await pair.advance(60_000)
    expect(pair.ends.map(({ session }) => session.state)).toEqual(['open', 'open'])
    expect(pair.dialer.session.rttMs).toBeGreaterThanOrEqual(2000)
    expect(pair.dialer.session.rttMs).toBeLessThanOrEqual(3200)
  })
})

describe('PingClock', () => {
  function pingClockOver(peer: Awaited<ReturnType<typeof greetedPeer>>) {
    const pings: Buffer[] = []
    let receivedBytes = 0
    const clock = new PingClock({
      clock: peer.clock,
      intervalMs: 1000,
      timeoutMs: 5000,
      receivedBytes: () => receivedBytes,
      ping: opaque => pings.push(opaque),
      onDead: () => pings.push(Buffer.from('dead')),
    })
    return { clock, pings, receive: () => receivedBytes++ }
  }

  it('smooths the round trip, and stores the smallest one', async () => {
    const peer = await greetedPeer()
    const { clock, pings, receive } = pingClockOver(peer)
    expect([clock.rttMs, clock.pathRttMs]).toEqual([undefined, 0])
    clock.start()
    for (const [rttMs, smoothedMs, smallestMs] of [
      [80, 80, 80],
      [160, 90, 80],
      [10, 80, 10],
    ] as const) {
      receive()
      peer.clock.advance(rttMs)
      clock.pong(pings.at(-1)!)
      expect([clock.rttMs, clock.pathRttMs]).toEqual([smoothedMs, smallestMs])
      peer.clock.advance(1000 - rttMs)
    }
    clock.stop()
  })

  it('drops a smallest round trip after five to ten minutes', async () => {
    const peer = await greetedPeer()
    const { clock, pings, receive } = pingClockOver(peer)
    clock.start()
    const respondAfter = (rttMs: number) => {
      receive()
      peer.clock.advance(rttMs)
      clock.pong(pings.at(-1)!)
      peer.clock.advance(1000 - rttMs)
    }
    respondAfter(5)
    for (let second = 0; second < 290; second += 1) respondAfter(50)
    expect(clock.pathRttMs).toBe(5)
    for (let second = 0; second < 320; second += 1) respondAfter(50)
    expect(clock.pathRttMs).toBe(50)
    clock.stop()
  })

  it('ignores a pong without a ping, and a second pong for a ping', async () => {
    const peer = await greetedPeer()
    const { clock, pings } = pingClockOver(peer)
    clock.start()
    clock.pong(Buffer.alloc(8))
    expect(clock.rttMs).toBeUndefined()
    peer.clock.advance(10)
    clock.pong(pings[0]!)
    peer.clock.advance(500)
    clock.pong(pings[0]!)
    expect(clock.rttMs).toBe(10)
    clock.stop()
    clock.pong(pings[0]!)
    expect(clock.rttMs).toBe(10)
  })
})
