// PROTOCOL.md, "Sessions": P23 and P24. Races between two real sessions: shared/protocol/session-drain.test.ts.

import { describe, expect, it } from 'vitest'
import type { Frame } from '../../support/protocol/twin-codec.ts'
import { greetedPeer, headFrame, openFrame } from '../../support/session/wire-peer.ts'

const PROTOCOL_ERROR = { reason: 'protocol_error', bye: 14 }
const OK = { status: 200, statusText: 'OK', fields: [] }
const DRAINED: Frame = { type: 'CONTROL', text: '{"type":"drained"}' }

describe('drain', () => {
  it('P23 after drain was sent no stream is opened, and streams that the peer opened before drained are served', async () => {
    const peer = await greetedPeer()
    void peer.session.drain(1000)
    expect(await peer.turn()).toEqual([{ type: 'CONTROL', text: '{"type":"drain","graceMs":1000}' }])
    expect(peer.session.canOpen).toBe(false)
    expect(() => peer.open()).toThrow('draining')
    peer.send(openFrame(1))
    expect(peer.accepted.has(1)).toBe(true)
    peer.send(DRAINED, openFrame(3))
    expect(await peer.turn()).toEqual([{ type: 'RESET', stream: 3, reason: 3, detail: '' }])
    expect([peer.accepted.size, peer.session.state]).toEqual([1, 'open'])
  })

  it('P23 after drain was received no stream is opened, and drained confirms it', async () => {
    const peer = await greetedPeer()
    const own = peer.open({}, false)
    await peer.turn()
    peer.control({ type: 'drain', graceMs: 5000 })
    expect(await peer.turn()).toEqual([DRAINED])
    expect([peer.peerDrains, peer.session.canOpen]).toEqual([[5000], false])
    expect(() => peer.open()).toThrow('draining')
    // Open streams continue.
    own.stream.write(Buffer.from('x'))
    peer.send(headFrame(own.stream.id))
    expect([(await peer.turn()).length, own.heads.length]).toEqual([1, 1])
  })

  it('P23 a stream after drain from the same peer is refused', async () => {
    const peer = await greetedPeer()
    peer.control({ type: 'drain', graceMs: 5000 })
    await peer.turn()
    peer.send(openFrame(1))
    expect(await peer.turn()).toEqual([{ type: 'RESET', stream: 1, reason: 3, detail: '' }])
  })

  it('P23 drained without drain is a protocol error', async () => {
    const peer = await greetedPeer()
    peer.send(DRAINED)
    expect(await peer.end()).toEqual(PROTOCOL_ERROR)
  })

  it('P23 BYE follows when drained has arrived and all streams are closed', async () => {
    const peer = await greetedPeer()
    peer.send(openFrame(1, { end: true }))
    const closed = peer.session.drain(60_000)
    peer.send(DRAINED)
    await peer.turn()
    const { stream } = peer.accepted.get(1)!
    stream.respond(OK)
    stream.end()
    expect(await peer.turn()).toEqual([
      headFrame(1, { end: true }),
      { type: 'BYE', reason: 17, detail: 'drained' },
    ])
    await closed
    expect(peer.closes.map(({ reason }) => reason)).toEqual(['going_away'])
    expect(peer.clock.pendingTimers).toBe(0)
  })

  it('P24 streams that are open at the end of the grace period are reset, then BYE follows', async () => {
    const peer = await greetedPeer()
    peer.send(openFrame(1))
    const own = peer.open({}, false)
    const closed = peer.session.drain(3000)
    peer.send(DRAINED)
    await peer.turn()
    peer.transport.receivedBytes += 1
    peer.clock.advance(2999)
    expect(peer.session.state).toBe('open')
    peer.clock.advance(1)
    const frames = await peer.turn()
    expect(frames.filter(({ type }) => type !== 'PING')).toEqual([
      { type: 'RESET', stream: 1, reason: 17, detail: 'grace is over' },
      { type: 'RESET', stream: 2, reason: 17, detail: 'grace is over' },
      { type: 'BYE', reason: 17, detail: 'drained' },
    ])
    expect([own, peer.accepted.get(1)!].map(({ aborted }) => aborted?.reason)).toEqual([
      'going_away',
      'going_away',
    ])
    await closed
    expect(peer.clock.pendingTimers).toBe(0)
  })

  it('P24 the grace period also ends when the peer never confirms', async () => {
    const peer = await greetedPeer({ limits: { pingTimeoutMs: 100_000 } })
    const closed = peer.session.drain(3000)
    peer.clock.advance(3000)
    await closed
    expect(await peer.end()).toEqual({ reason: 'going_away', bye: 17 })
  })
})
