// PROTOCOL.md, "Flow control": P16 and P17, and the worked example number by number; "Acceptance": P28.

import { describe, expect, it } from 'vitest'
import type { SessionLimits } from '../../../shared/protocol/session.ts'
import type { Frame } from '../../support/protocol/twin-codec.ts'
import {
  dataFrame,
  greetedPeer,
  headFrame,
  openFrame,
  PEER_HELLO,
  WirePeer,
} from '../../support/session/wire-peer.ts'

const FLOW_CONTROL_ERROR = { reason: 'flow_control_error', bye: 13 }
const GOES_ON = { reason: undefined, bye: undefined }
const OK = { status: 200, statusText: 'OK', fields: [] }

/** Returns the number of body bytes that the session has sent on a stream. */
function bodyBytes(frames: Frame[], stream: number): number {
  let bytes = 0
  for (const frame of frames) {
    if ('body' in frame && frame.stream === stream) bytes += frame.body.length / 2
  }
  return bytes
}

/** Resolves with a peer that responds to the first ping after `rttMs`. */
async function peerAt(rttMs: number, limits: Partial<SessionLimits>): Promise<WirePeer> {
  const peer = new WirePeer({ limits })
  peer.control(PEER_HELLO)
  const [ping] = await peer.turnOf('PING')
  peer.clock.advance(rttMs)
  peer.send({ type: 'PONG', opaque: ping!.opaque })
  expect(peer.session.rttMs).toBe(rttMs)
  return peer
}

describe('P16 credit', () => {
  it('P16 a stream may send exactly the credit that its receiver announced', async () => {
    for (const [bytes, end] of [
      [5000, GOES_ON],
      [5001, FLOW_CONTROL_ERROR],
    ] as const) {
      const peer = await greetedPeer({ limits: { initialWindowBytes: 5000 } })
      peer.send(openFrame(1, { body: '61'.repeat(2000) }), dataFrame(1, bytes - 2000))
      expect(await peer.end()).toEqual(end)
    }
  })

  it('P16 the body in a HEAD frame counts', async () => {
    for (const [bytes, end] of [
      [5000, GOES_ON],
      [5001, FLOW_CONTROL_ERROR],
    ] as const) {
      const peer = await greetedPeer({ role: 'dialer', limits: { initialWindowBytes: 5000 } })
      peer.open({}, false)
      peer.send(headFrame(1, { body: '61'.repeat(bytes) }))
      expect(await peer.end()).toEqual(end)
    }
  })

  it('P16 this end uses the credit that the peer announced, then waits for WINDOW', async () => {
    const peer = await greetedPeer({}, { initialWindowBytes: 5000 })
    peer.send(openFrame(1))
    const { stream, ...recorded } = peer.accepted.get(1)!
    stream.respond(OK)
    expect(stream.write(Buffer.alloc(4999))).toBe(true)
    expect(stream.write(Buffer.alloc(2001))).toBe(false)
    stream.end(['a', 'b'])
    expect(bodyBytes(await peer.turn(), 1)).toBe(5000)
    peer.send({ type: 'WINDOW', stream: 1, credit: 500 })
    expect(bodyBytes(await peer.turn(), 1)).toBe(500)
    peer.send({ type: 'WINDOW', stream: 1, credit: 10_000 })
    const last = await peer.turn()
    expect(last.map(frame => frame.type)).toEqual(['DATA', 'TRAILERS'])
    expect(bodyBytes(last, 1)).toBe(1500)
    expect(recorded.aborted).toBeUndefined()
  })

  it('P16 heads and trailers use no credit', async () => {
    const peer = await greetedPeer({}, { initialWindowBytes: 1024 })
    peer.send(openFrame(1))
    const { stream } = peer.accepted.get(1)!
    stream.respond({ ...OK, fields: ['x', 'y'.repeat(10_000)] })
    stream.write(Buffer.alloc(1024))
    stream.end(['x', 'y'.repeat(10_000)])
    expect((await peer.turn()).map(frame => frame.type)).toEqual(['HEAD', 'TRAILERS'])
  })

  it('P16 credit above 2^31 - 1 ends the session', async () => {
    const most = 0x7fff_ffff
    for (const [credit, end] of [
      [most - 5000, GOES_ON],
      [most - 4999, FLOW_CONTROL_ERROR],
      [0xffff_ffff, FLOW_CONTROL_ERROR],
    ] as const) {
      const peer = await greetedPeer({}, { initialWindowBytes: 5000 })
      peer.send(openFrame(1), { type: 'WINDOW', stream: 1, credit })
      expect(await peer.end()).toEqual(end)
    }
  })

  it('P16 used credit can be given again', async () => {
    const peer = await greetedPeer({}, { initialWindowBytes: 0x7fff_ffff })
    peer.send(openFrame(1))
    const { stream } = peer.accepted.get(1)!
    stream.respond(OK)
    stream.write(Buffer.alloc(1000))
    peer.send({ type: 'WINDOW', stream: 1, credit: 1000 })
    expect(await peer.end()).toEqual(GOES_ON)
    peer.send({ type: 'WINDOW', stream: 1, credit: 1 })
    expect(await peer.end()).toEqual(FLOW_CONTROL_ERROR)
  })
})

describe('the worked example', () => {
  it('holds for the receiver', async () => {
    const peer = await peerAt(100, { initialWindowBytes: 10_000 })
    const windows = async () => (await peer.turnOf('WINDOW')).map(({ credit }) => credit)

    peer.send(openFrame(1, { body: '61'.repeat(2000) }))
    const recorded = peer.accepted.get(1)!
    const unread = () => recorded.receivedBytes - consumed
    let consumed = 0
    const read = (bytes: number) => {
      recorded.stream.consume(bytes)
      consumed += bytes
    }
    expect(unread()).toBe(2000)
    peer.send(dataFrame(1, 8000))
    expect(unread()).toBe(10_000)
    read(4000)
    expect(await windows()).toEqual([])
    read(3000)
    expect([await windows(), unread()]).toEqual([[7000], 3000])
    peer.send(dataFrame(1, 7000))
    expect(unread()).toBe(10_000)
    peer.clock.advance(150)
    read(6000)
    expect([await windows(), unread()]).toEqual([[6000], 4000])
    peer.send(dataFrame(1, 6000))
    expect(unread()).toBe(10_000)
    // Within two round trips of the last WINDOW, and two round trips after the first.
    peer.clock.advance(150)
    read(6000)
    expect([await windows(), unread()]).toEqual([[16_000], 4000])
    // The window is 20,000 now: 16,000 of credit beside 4,000 unread.
    peer.send(dataFrame(1, 16_000))
    expect(unread()).toBe(20_000)
    expect(peer.session.state).toBe('open')
    peer.send(dataFrame(1, 1))
    expect(await peer.end()).toEqual(FLOW_CONTROL_ERROR)
  })

  it('holds for the sender', async () => {
    const peer = await greetedPeer({ role: 'dialer' }, { initialWindowBytes: 10_000 })
    const recorded = peer.open({}, false)
    recorded.stream.write(Buffer.alloc(2000))
    const [open] = await peer.turnOf('OPEN')
    expect(open!.body.length / 2).toBe(2000)
    recorded.stream.write(Buffer.alloc(40_000))
    const sent = async () => bodyBytes(await peer.turn(), 1)
    expect(await sent()).toBe(8000)
    for (const credit of [7000, 6000, 16_000]) {
      peer.send({ type: 'WINDOW', stream: 1, credit })
      expect(await sent()).toBe(credit)
    }
    // 40,000 bytes were written after the head, and 37,000 were sent.
    peer.send({ type: 'WINDOW', stream: 1, credit: 10_000 })
    expect([await sent(), recorded.writableCalls]).toEqual([3000, 1])
  })
})

describe('P17 turns', () => {
  it('P17 streams with data and credit send equal amounts, at most 64 KiB at a time', async () => {
    const peer = await greetedPeer({ role: 'dialer' }, { initialWindowBytes: 8_000_000 })
    peer.transport.hold()
    // Fills the transport, so that all four streams wait for their turn from the start.
    peer.open({}, false).stream.write(Buffer.alloc(262_144))
    const streams = [700_000, 40_000, 700_000, 700_000].map(bytes => {
      const recorded = peer.open({}, false)
      recorded.stream.write(Buffer.alloc(bytes))
      return recorded.stream
    })
    const sent = new Map(streams.map(({ id }) => [id, 0]))
    for (let message = 0; message < 400; message += 1) {
      peer.transport.release(1)
      for (const frame of await peer.turnOf('DATA')) {
        if (!sent.has(frame.stream)) continue
        const bytes = frame.body.length / 2
        expect(bytes).toBeLessThanOrEqual(65_536)
        sent.set(frame.stream, sent.get(frame.stream)! + bytes)
      }
      const large = [3, 7, 9].map(id => sent.get(id)!)
      if (Math.max(...large) < 700_000) {
        expect(Math.max(...large) - Math.min(...large)).toBeLessThanOrEqual(65_536)
      }
    }
    expect([...sent.values()]).toEqual([700_000, 40_000, 700_000, 700_000])
  })

  it('P17 a large chunk is sent in slices within the limit of the peer, also when no other stream waits', async () => {
    for (const [maxFrameBytes, largest] of [
      [262_144, 65_536],
      [16_384, 16_384],
    ] as const) {
      const peer = await greetedPeer({ role: 'dialer' }, { maxFrameBytes })
      const { stream } = peer.open({}, false)
      await peer.turn()
      stream.write(Buffer.alloc(100_000))
      const slices = (await peer.turnOf('DATA')).map(({ body }) => body.length / 2)
      expect(Math.max(...slices)).toBe(largest)
      expect(slices.reduce((sum, bytes) => sum + bytes)).toBe(100_000)
    }
  })

  it('P17 a stream without credit is skipped', async () => {
    const peer = await greetedPeer({ role: 'dialer' }, { initialWindowBytes: 100_000 })
    const [stalled, other] = [peer.open({}, false), peer.open({}, false)]
    stalled.stream.write(Buffer.alloc(500_000))
    other.stream.write(Buffer.alloc(500_000))
    await peer.turn()
    for (let count = 0; count < 4; count += 1) {
      peer.send({ type: 'WINDOW', stream: other.stream.id, credit: 100_000 })
      const frames = await peer.turn()
      expect(bodyBytes(frames, other.stream.id)).toBe(100_000)
      expect(bodyBytes(frames, stalled.stream.id)).toBe(0)
    }
  })

  it('P17 the transport stays within its bound for any number of written bytes', async () => {
    const limits = { sendHighWaterBytes: 100_000 }
    const peer = await greetedPeer({ role: 'dialer', limits }, { initialWindowBytes: 100_000_000 })
    peer.transport.hold()
    for (let count = 0; count < 50; count += 1) {
      const { stream } = peer.open({}, false)
      while (stream.write(Buffer.alloc(10_000))) expect(peer.transport.bufferedBytes).toBeLessThan(170_000)
      stream.write(Buffer.alloc(1_000_000))
    }
    await peer.turn()
    expect(peer.transport.bufferedBytes).toBeLessThan(100_000 + 65_536 + 50 * 100)
  })
})

describe('P28 acceptance', () => {
  const KIB64 = 65_536
  const write = (stream: { write(chunk: Buffer): boolean }, bytes: number) =>
    stream.write(Buffer.alloc(bytes))

  it('P28 an acceptor with the feature gets 64 KiB before its first HEAD or WINDOW', async () => {
    for (const shown of [headFrame(1, { status: 100 }), { type: 'WINDOW', stream: 1, credit: 1 } as const]) {
      const peer = await greetedPeer({ role: 'dialer' }, { features: ['acceptance'] })
      const { stream } = peer.open({}, false)
      expect([write(stream, KIB64 - 1), write(stream, 100_000)]).toEqual([true, false])
      expect(bodyBytes(await peer.turn(), 1)).toBe(KIB64)
      peer.send(shown)
      expect(bodyBytes(await peer.turn(), 1)).toBe(100_000 - 1)
    }
  })

  it('P28 an acceptor without the feature gets the whole window', async () => {
    const peer = await greetedPeer({ role: 'dialer' })
    const { stream } = peer.open({}, false)
    write(stream, 300_000)
    expect([bodyBytes(await peer.turn(), 1), stream.accepted]).toEqual([262_144, true])
  })

  it('P28 the first WINDOW is sent when 64 KiB are consumed, the next one at half the window', async () => {
    const peer = await greetedPeer()
    peer.send(openFrame(1), ...[1, 2, 3].map(() => dataFrame(1, KIB64)))
    const { stream } = peer.accepted.get(1)!
    const windows = async () =>
      (await peer.turn()).flatMap(frame => (frame.type === 'WINDOW' ? [frame.credit] : []))
    stream.consume(KIB64 - 1)
    expect(await windows()).toEqual([])
    stream.consume(1)
    expect(await windows()).toEqual([KIB64])
    stream.consume(KIB64)
    expect(await windows()).toEqual([])
    stream.consume(KIB64)
    expect(await windows()).toEqual([2 * KIB64])
  })
})
