// PROTOCOL.md, "Sessions": P18 to P22.

import { describe, expect, it } from 'vitest'
import type { Frame } from '../../support/protocol/twin-codec.ts'
import {
  dataFrame,
  greetedPeer,
  headFrame,
  loopTurn,
  openFrame,
  PEER_HELLO,
  WirePeer,
} from '../../support/session/wire-peer.ts'

const PROTOCOL_ERROR = { reason: 'protocol_error', bye: 14 }
const OK = { status: 200, statusText: 'OK', fields: [] }
const HELLO: Frame = { type: 'CONTROL', text: JSON.stringify(PEER_HELLO) }

describe('hello', () => {
  it('P18 is the first frame of each end, and is sent before any frame is received', async () => {
    for (const role of ['dialer', 'acceptor'] as const) {
      const peer = new WirePeer({ role })
      const frames = await peer.turn()
      expect(frames).toHaveLength(1)
      expect(JSON.parse((frames[0] as { text: string }).text)).toMatchObject({
        type: 'hello',
        versions: [1, 1],
        instance: 'test-instance',
        maxStreams: 4096,
        maxFrameBytes: 262_144,
        initialWindowBytes: 262_144,
      })
      expect(peer.session.state).toBe('opening')
    }
  })

  it('P18 any other first frame is a protocol error', async () => {
    const others: Frame[] = [
      dataFrame(1, 1),
      openFrame(1),
      headFrame(1),
      { type: 'TRAILERS', stream: 1, strings: ['a', 'b'] },
      { type: 'RESET', stream: 1, reason: 1, detail: '' },
      { type: 'WINDOW', stream: 1, credit: 1 },
      { type: 'PING', opaque: '0000000000000000' },
      { type: 'PONG', opaque: '0000000000000000' },
      { type: 'CONTROL', text: '{"type":"renew"}' },
      { type: 'CONTROL', text: '{"type":"from the future"}' },
      { type: 'BYE', reason: 17, detail: '' },
    ]
    for (const frame of others) {
      const peer = new WirePeer()
      peer.send(frame, HELLO)
      expect(await peer.end(), frame.type).toEqual(PROTOCOL_ERROR)
      expect(peer.readyVersion).toBeUndefined()
    }
  })

  it('P18 a frame that is skipped may come before it', async () => {
    const peer = new WirePeer()
    peer.transport.receive(Buffer.from('800000000000000000', 'hex'))
    peer.send(HELLO)
    expect([peer.session.state, peer.readyVersion]).toEqual(['open', 1])
  })

  it('P18 a second hello is a protocol error', async () => {
    const peer = await greetedPeer()
    peer.send(HELLO)
    expect(await peer.end()).toEqual(PROTOCOL_ERROR)
  })

  it('P18 no hello within 10 s is a protocol error', async () => {
    const peer = new WirePeer()
    peer.clock.advance(9999)
    expect(peer.session.state).toBe('opening')
    peer.clock.advance(1)
    expect(await peer.end()).toEqual(PROTOCOL_ERROR)
    expect(peer.clock.pendingTimers).toBe(0)
  })
})

describe('liveness', () => {
  it('P19 a PING gets a response with its bytes, in order with all other frames', async () => {
    const peer = await greetedPeer()
    peer.send(
      openFrame(1, { kind: 99 }),
      { type: 'PING', opaque: '00000000000000ff' },
      openFrame(3, { kind: 99 }),
      { type: 'PING', opaque: 'ffffffffffffffff' },
    )
    expect(await peer.turn()).toEqual([
      { type: 'RESET', stream: 1, reason: 5, detail: '' },
      { type: 'PONG', opaque: '00000000000000ff' },
      { type: 'RESET', stream: 3, reason: 5, detail: '' },
      { type: 'PONG', opaque: 'ffffffffffffffff' },
    ])
  })

  it('P20 silence ends the session without BYE, within a ping interval after the limit', async () => {
    for (const silentFromMs of [0, 1, 1999, 2000, 3500]) {
      const peer = await greetedPeer()
      peer.send(openFrame(1))
      peer.clock.advance(silentFromMs)
      if (silentFromMs > 0) peer.transport.receivedBytes += 1
      peer.clock.advance(5999)
      expect(peer.session.state, `silent from ${silentFromMs}`).toBe('open')
      peer.clock.advance(2001)
      expect(peer.session.state, `silent from ${silentFromMs}`).toBe('closed')
      expect(peer.accepted.get(1)!.aborted?.reason).toBe('ping_timeout')
      expect(peer.transport.ending?.by).toBe('terminate')
      expect(await peer.end()).toEqual({ reason: 'ping_timeout', bye: undefined })
      expect(peer.clock.pendingTimers).toBe(0)
    }
  })

  it('P20 the bound holds when the interval does not divide the limit', async () => {
    for (const [pingIntervalMs, pingTimeoutMs] of [
      [2000, 5000],
      [3000, 1000],
      [700, 6000],
    ] as const) {
      const peer = await greetedPeer({ limits: { pingIntervalMs, pingTimeoutMs } })
      peer.clock.advance(1)
      peer.transport.receivedBytes += 1
      peer.clock.advance(pingTimeoutMs - 1)
      expect(peer.session.state).toBe('open')
      peer.clock.advance(pingIntervalMs + 1)
      expect(peer.session.state, `${pingIntervalMs}, ${pingTimeoutMs}`).toBe('closed')
    }
  })

  it('P20 any received byte counts, also a byte of an incomplete message', async () => {
    const peer = await greetedPeer()
    for (let second = 0; second < 600; second += 5) {
      peer.clock.advance(5000)
      peer.transport.receivedBytes += 1
    }
    expect(peer.session.state).toBe('open')
    // No pong arrived in ten minutes, so only one ping was sent.
    expect(await peer.turnOf('PING')).toEqual([])
  })
})

describe('BYE', () => {
  it('P21 its receiver ends all streams and closes', async () => {
    const peer = await greetedPeer()
    peer.send(openFrame(1), openFrame(3))
    const own = peer.open()
    peer.send({ type: 'BYE', reason: 19, detail: 'newer one' }, dataFrame(1, 5), openFrame(5))
    expect(peer.session.state).toBe('closed')
    const streams = [...peer.accepted.values(), own]
    expect(streams.map(({ aborted }) => aborted?.reason)).toEqual(['replaced', 'replaced', 'replaced'])
    expect([peer.accepted.size, peer.session.streamCount]).toEqual([2, 0])
    expect(peer.transport.ending?.by).toBe('close')
    expect(await peer.end()).toEqual({ reason: 'replaced', bye: undefined })
    expect(peer.closes[0]).toMatchObject({ remote: true, detail: 'newer one' })
    expect(() => peer.open()).toThrow('replaced')
  })

  it('P21 has the reason, and its sender sends no frame after it', async () => {
    const peer = await greetedPeer()
    peer.send(openFrame(1))
    const recorded = peer.accepted.get(1)!
    recorded.stream.respond(OK)
    peer.session.close('replaced', 'a newer one is here')
    recorded.stream.write(Buffer.alloc(10))
    peer.session.sendControl({ type: 'renew' })
    peer.send({ type: 'PING', opaque: '0000000000000000' })
    const frames = await peer.turn()
    expect(frames.at(-1)).toEqual({ type: 'BYE', reason: 19, detail: 'a newer one is here' })
    await loopTurn()
    expect(await peer.turn()).toEqual([])
    expect(recorded.aborted).toMatchObject({ reason: 'replaced', remote: false })
    expect(peer.closes).toHaveLength(1)
  })

  it('P21 an unknown code means internal_error', async () => {
    const peer = await greetedPeer()
    peer.send({ type: 'BYE', reason: 999, detail: '' })
    expect(await peer.end()).toEqual({ reason: 'internal_error', bye: undefined })
  })
})

describe('a peer that does not read', () => {
  const limits = { sendHardLimitBytes: 1_000_000 }

  it('P22 ends the session with overloaded when its frames require responses', async () => {
    const peer = await greetedPeer({ limits })
    peer.transport.hold()
    const pings: Frame[] = Array.from({ length: 10_000 }, () => ({ type: 'PING', opaque: '00'.repeat(8) }))
    for (let count = 0; count < 10 && peer.session.state === 'open'; count += 1) {
      peer.send(...pings)
      expect(peer.transport.bufferedBytes).toBeLessThan(1_400_000)
    }
    expect(peer.session.state).toBe('closed')
    peer.transport.release()
    expect((await peer.end()).reason).toBe('overloaded')
  })

  it('P22 prevents new streams while more than half of the limit is unsent, and allows them afterwards', async () => {
    const peer = await greetedPeer({ limits })
    peer.transport.hold()
    const open = () => peer.open({ fields: ['x', 'y'.repeat(20_000)] })
    expect(() => {
      for (let count = 0; count < 100; count += 1) open()
    }).toThrow('overloaded')
    expect(peer.session.state).toBe('open')
    expect(peer.transport.bufferedBytes).toBeLessThan(700_000)
    peer.transport.release()
    await peer.turn()
    expect(open().stream.open).toBe(true)
  })
})
