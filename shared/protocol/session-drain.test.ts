// How two real sessions part: drains that cross streams and each other, grace, and the end of the stream ids.

import { describe, expect, it } from 'vitest'
import { openSessionPair, SessionPair } from '../../test/support/session/session-pair.ts'

const OK = { status: 200, statusText: 'OK', fields: [] }

describe('drain', () => {
  it('waits for the streams of both directions, then both ends close in order', async () => {
    const pair = await openSessionPair()
    const up = pair.dialer.open()
    const down = pair.acceptor.open()
    await pair.settle()
    const closed = pair.acceptor.session.drain(60_000)
    await pair.settle()
    expect(pair.dialer.peerDrains).toEqual([60_000])
    expect(pair.ends.map(({ session }) => [session.state, session.canOpen])).toEqual([
      ['open', false],
      ['open', false],
    ])
    for (const recorded of [pair.acceptor.accepted[0]!, pair.dialer.accepted[0]!]) {
      recorded.stream.respond(OK)
      recorded.stream.end()
    }
    up.stream.write(Buffer.from('late but welcome'))
    up.stream.end()
    await pair.settle()
    expect(pair.ends.map(({ session }) => session.state)).toEqual(['open', 'open'])
    down.stream.end()
    await closed
    await pair.settle()
    expect(pair.ends.map(({ closes }) => closes.map(({ reason }) => reason))).toEqual([
      ['going_away'],
      ['going_away'],
    ])
    expect(pair.acceptor.accepted[0]!.body.toString()).toBe('late but welcome')
    expect([up.ended, down.ended]).toEqual([true, true])
    expect(pair.clock.pendingTimers).toBe(0)
  })

  it('rounds the remaining grace up to whole milliseconds, because a fraction is not valid', async () => {
    const pair = await openSessionPair()
    const up = pair.dialer.open()
    await pair.settle()
    const closed = pair.acceptor.session.drain(28_390.25)
    await pair.settle()
    expect(pair.dialer.peerDrains).toEqual([28_391])
    pair.acceptor.accepted[0]!.stream.respond(OK)
    pair.acceptor.accepted[0]!.stream.end()
    up.stream.end()
    await closed
    expect(pair.dialer.closes[0]?.reason).toBe('going_away')
  })

  it('serves a stream whose OPEN crosses it', async () => {
    const pair = await openSessionPair({ onStream: ({ stream }) => stream.respond(OK) })
    void pair.acceptor.session.drain(60_000)
    const crossing = pair.dialer.open({}, true)
    await pair.settle()
    expect(crossing.heads).toHaveLength(1)
    pair.acceptor.accepted[0]!.stream.end()
    await pair.settle()
    expect([crossing.ended, crossing.aborted]).toEqual([true, undefined])
    expect(pair.acceptor.closes[0]?.reason).toBe('going_away')
  })

  it('that both ends start at the same time ends once for each end', async () => {
    const pair = await openSessionPair()
    const crossing = pair.ends.map(end => end.open({}, true))
    const closed = Promise.all(pair.ends.map(({ session }) => session.drain(60_000)))
    await pair.settle()
    for (const { accepted } of pair.ends) {
      accepted[0]!.stream.respond(OK)
      accepted[0]!.stream.end()
    }
    await closed
    expect(crossing.map(({ ended }) => ended)).toEqual([true, true])
    expect(pair.ends.flatMap(({ closes }) => closes.map(({ reason }) => reason))).toEqual([
      'going_away',
      'going_away',
    ])
    expect(pair.clock.pendingTimers).toBe(0)
  })

  it('on an idle session ends as soon as the peer confirms it', async () => {
    const pair = await openSessionPair()
    await pair.dialer.session.drain(60_000)
    await pair.settle()
    expect(pair.ends.map(({ closes }) => closes.length)).toEqual([1, 1])
  })

  it('while opening closes at once', async () => {
    const pair = new SessionPair()
    await pair.dialer.session.drain(60_000)
    await pair.settle()
    expect(pair.ends.map(({ closes }) => closes[0]?.reason)).toEqual(['going_away', 'going_away'])
    expect(pair.clock.pendingTimers).toBe(0)
  })

  it('of a closed session resolves at once', async () => {
    const pair = await openSessionPair()
    pair.dialer.session.close('replaced')
    await pair.settle()
    await pair.dialer.session.drain(60_000)
    expect(pair.clock.pendingTimers).toBe(0)
  })

  it('resets a stream that is open at the end of the grace period, at both ends', async () => {
    const pair = await openSessionPair()
    const up = pair.dialer.open()
    await pair.settle()
    const closed = pair.acceptor.session.drain(3000)
    await pair.advance(2900)
    expect(up.aborted).toBeUndefined()
    await pair.advance(100)
    await closed
    await pair.settle()
    expect(up.aborted).toMatchObject({ reason: 'going_away', delivered: 'maybe', remote: true })
    expect(pair.acceptor.accepted[0]!.aborted).toMatchObject({ reason: 'going_away', remote: false })
    expect(pair.clock.pendingTimers).toBe(0)
  })

  it('a second drain makes the grace period shorter, never longer', async () => {
    for (const [second, endsAfterMs] of [
      [1000, 2000],
      [60_000, 5000],
    ] as const) {
      const pair = await openSessionPair()
      pair.dialer.open()
      const closed = pair.dialer.session.drain(5000)
      await pair.advance(1000)
      void pair.dialer.session.drain(second)
      await pair.advance(endsAfterMs - 1100)
      expect(pair.dialer.session.state, `${second}`).toBe('open')
      await pair.advance(100)
      await closed
      await pair.settle()
      // The peer got one request to drain.
      expect(pair.acceptor.peerDrains).toEqual([5000])
    }
  })
})

describe('stream ids', () => {
  it('when they are used up, the session drains and open streams finish', async () => {
    const pair = await openSessionPair({ limits: { lastStreamId: 5, exhaustedDrainMs: 10_000 } })
    const streams = [pair.dialer.open({}, true), pair.dialer.open({}, true)]
    expect(pair.dialer.session.canOpen).toBe(true)
    streams.push(pair.dialer.open({}, true))
    expect(streams.map(({ stream }) => stream.id)).toEqual([1, 3, 5])
    expect(pair.dialer.session.canOpen).toBe(false)
    expect(() => pair.dialer.open()).toThrow('draining')
    await pair.settle()
    expect(pair.acceptor.peerDrains).toEqual([10_000])
    for (const { stream } of pair.acceptor.accepted) {
      stream.respond(OK)
      stream.end()
    }
    await pair.settle()
    expect(streams.map(({ ended, aborted }) => [ended, aborted])).toEqual(
      streams.map(() => [true, undefined]),
    )
    expect(pair.ends.map(({ closes }) => closes[0]?.reason)).toEqual(['going_away', 'going_away'])
  })

  it('a second drain with a shorter grace period shortens that drain', async () => {
    const pair = await openSessionPair({ limits: { lastStreamId: 1, exhaustedDrainMs: 600_000 } })
    pair.dialer.open()
    const closed = pair.dialer.session.drain(1000)
    await pair.advance(1000)
    await closed
    expect(pair.clock.pendingTimers).toBe(0)
  })
})
