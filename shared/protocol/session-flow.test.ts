// Flow control between two real sessions: the effect of a stalled reader on its own stream and on others.

import { describe, expect, it } from 'vitest'
import { alive, collectGarbage } from '../../test/support/garbage.ts'
import { isPattern, patternBytes } from '../../test/support/pattern.ts'
import type { RecordedStream } from '../../test/support/session/recorded-stream.ts'
import { openSessionPair } from '../../test/support/session/session-pair.ts'
import { dataFrame, greetedPeer, loopTurn, openFrame } from '../../test/support/session/wire-peer.ts'

const KIB = 1024
const OK = { status: 200, statusText: 'OK', fields: [] }

/** Writes the pattern up to `bytes`, 64 KiB at a time, and waits for `onWritable` when a write returns false. */
function upload(recorded: RecordedStream, bytes: number): { done: () => boolean } {
  let written = 0
  const more = () => {
    while (written < bytes) {
      const chunk = patternBytes(written, Math.min(64 * KIB, bytes - written))
      written += chunk.length
      if (!recorded.stream.write(chunk) && written < bytes) return
    }
    recorded.stream.end()
  }
  recorded.onWritable = () => {
    if (written < bytes) more()
  }
  more()
  return { done: () => written >= bytes }
}

describe('a reader that has stalled', () => {
  it('costs one window, and does not slow other streams', async () => {
    const readers = new Map<string, { bytes: number; peakUnread: number }>()
    const pair = await openSessionPair({
      onStream: recorded => {
        const name = recorded.opening!.target
        const reader = { bytes: 0, peakUnread: 0 }
        readers.set(name, reader)
        recorded.stream.respond(OK)
        recorded.onData = chunk => {
          reader.bytes += chunk.length
          if (name === '/stalled') reader.peakUnread = reader.bytes
          else recorded.stream.consume(chunk.length)
        }
      },
    })
    const size = 4 * KIB * KIB
    const stalled = Array.from({ length: 20 }, () => pair.dialer.open({ target: '/stalled' }))
    for (const recorded of stalled) upload(recorded, size)
    const readersOfNone = pair.acceptor.session
    const quick = pair.dialer.open({ target: '/quick' })
    upload(quick, size)
    await pair.until('the quick upload', () => readers.get('/quick')?.bytes === size)
    await pair.settle()
    expect(readers.get('/stalled')!.peakUnread).toBe(256 * KIB)
    expect(readersOfNone.streamCount).toBe(21)
    // The transport holds no bytes of the stalled streams.
    expect(pair.link.a.bufferedBytes).toBe(0)
  })

  it('continues at the same byte when it reads again', async () => {
    const pair = await openSessionPair({ onStream: ({ stream }) => stream.respond(OK) })
    const size = KIB * KIB + 17
    const recorded = pair.dialer.open()
    upload(recorded, size)
    await pair.settle(50)
    const accepted = pair.acceptor.accepted[0]!
    expect(accepted.receivedBytes).toBe(256 * KIB)
    let consumed = 0
    while (!accepted.ended) {
      accepted.stream.consume(accepted.receivedBytes - consumed)
      consumed = accepted.receivedBytes
      await pair.settle()
    }
    expect([accepted.receivedBytes, isPattern(accepted.body, 0)]).toEqual([size, true])
  })
})

describe('a stream that is not accepted yet', () => {
  it('carries 64 KiB and stops its owner, until a HEAD of any status or a WINDOW arrives', async () => {
    for (const show of ['head', 'window'] as const) {
      const pair = await openSessionPair()
      const recorded = pair.dialer.open()
      const sent = upload(recorded, 300 * KIB)
      await pair.settle(50)
      const accepted = pair.acceptor.accepted[0]!
      expect([sent.done(), accepted.receivedBytes, recorded.stream.accepted]).toEqual([
        false,
        64 * KIB,
        false,
      ])
      if (show === 'head') accepted.stream.respond({ ...OK, status: 103 })
      else accepted.stream.consume(64 * KIB)
      await pair.settle(50)
      expect([sent.done(), accepted.receivedBytes, recorded.stream.accepted]).toEqual([
        true,
        show === 'head' ? 256 * KIB : 300 * KIB,
        true,
      ])
      expect(recorded.violations).toEqual([])
    }
  })

  it('is refused while its owner still has the whole body', async () => {
    const pair = await openSessionPair()
    const recorded = pair.dialer.open()
    const chunk = patternBytes(0, 40 * KIB)
    expect([recorded.stream.write(chunk), recorded.stream.write(chunk)]).toEqual([true, false])
    await pair.settle()
    const [accepted] = pair.acceptor.accepted
    expect(accepted!.receivedBytes).toBe(64 * KIB)
    accepted!.stream.reset('refused')
    await pair.settle()
    expect([recorded.aborted?.delivered, recorded.writableCalls]).toEqual(['no', 0])
  })

  it('whose body ends within these 64 KiB does not wait', async () => {
    const pair = await openSessionPair()
    const recorded = pair.dialer.open()
    upload(recorded, 64 * KIB)
    await pair.settle()
    expect(pair.acceptor.accepted[0]!.ended).toBe(true)
    // The bytes are consumed after the end, when the sender needs no credit, so no WINDOW is sent.
    pair.acceptor.accepted[0]!.stream.consume(64 * KIB)
    expect(recorded.stream.accepted).toBe(false)
  })
})

describe('growth', () => {
  it('of one session is bounded, and returned when streams end', async () => {
    const limits = { initialWindowBytes: 64 * KIB, windowGrowthBytes: 128 * KIB }
    const pair = await openSessionPair({ limits, link: { faults: { delayMs: [20, 20] } } })
    await pair.advance(5000, 20)
    /** Reads as fast as it comes; returns how much the sender could have under way at most. */
    const transfer = async () => {
      const recorded = pair.dialer.open()
      const before = pair.acceptor.accepted.length
      upload(recorded, 3 * KIB * KIB)
      await pair.advance(40, 20)
      const accepted = pair.acceptor.accepted[before]!
      let consumed = 0
      let peakUnread = 0
      for (let step = 0; step < 400 && !accepted.ended; step += 1) {
        const unread = accepted.receivedBytes - consumed
        peakUnread = Math.max(peakUnread, unread)
        if (unread > 0) accepted.stream.consume(unread)
        consumed = accepted.receivedBytes
        await pair.advance(20, 20)
      }
      expect([accepted.ended, isPattern(accepted.body, 0)]).toEqual([true, true])
      accepted.stream.respond(OK)
      accepted.stream.end()
      await pair.advance(60, 20)
      return peakUnread
    }
    const first = await transfer()
    expect(first).toBeGreaterThan(64 * KIB)
    expect(first).toBeLessThanOrEqual(192 * KIB)
    // The growth of the first stream is available again.
    expect(await transfer()).toBe(first)
    expect(pair.ends.map(({ session }) => session.streamCount)).toEqual([0, 0])
  })
})

describe('a sender without room', () => {
  it('is notified when there is room, in the order in which streams stopped', async () => {
    const limits = { sendHighWaterBytes: 1000 }
    const peer = await greetedPeer({ role: 'dialer', limits })
    peer.transport.hold()
    const order: number[] = []
    const streams = [0, 1, 2].map(index => {
      const recorded = peer.open({}, false)
      recorded.onWritable = () => order.push(index)
      return recorded
    })
    for (const { stream } of streams) expect(stream.write(Buffer.alloc(1000))).toBe(false)
    await loopTurn()
    expect(order).toEqual([])
    peer.transport.release()
    for (let turn = 0; turn < 5; turn += 1) await loopTurn()
    expect(order).toEqual([0, 1, 2])
  })

  it('gets its turn while other streams always have more bytes', async () => {
    const limits = { sendHighWaterBytes: 100_000 }
    const peer = await greetedPeer({ role: 'dialer', limits }, { initialWindowBytes: 1 << 30 })
    peer.transport.hold()
    const small = peer.open({}, false)
    expect(small.stream.write(Buffer.alloc(100_000))).toBe(false)
    const greedy = [0, 1].map(() => {
      const recorded = peer.open({}, false)
      recorded.onWritable = () => {
        while (recorded.stream.write(Buffer.alloc(64 * KIB)));
      }
      recorded.onWritable()
      return recorded
    })
    await loopTurn()
    for (let message = 0; message < 8 && small.writableCalls === 0; message += 1) {
      peer.transport.release(1)
      await loopTurn()
    }
    expect(small.writableCalls).toBe(1)
    expect(greedy.every(({ stream }) => stream.open)).toBe(true)
  })

  it('keeps no reference to a stream that was closed before its turn', async () => {
    const peer = await greetedPeer({ role: 'dialer', limits: { sendHighWaterBytes: 1000 } })
    peer.transport.hold()
    const closed = Array.from({ length: 100 }, () => {
      const { stream } = peer.open({}, false)
      expect(stream.write(Buffer.alloc(1000))).toBe(false)
      stream.reset('cancelled')
      return new WeakRef(stream)
    })
    await loopTurn()
    await collectGarbage()
    expect(alive(closed)).toBe(0)
    expect(peer.session.state).toBe('open')
  })

  it('END and trailers wait behind the written bytes', async () => {
    const peer = await greetedPeer({ role: 'dialer', limits: { sendHighWaterBytes: 1000 } })
    peer.transport.hold()
    const { stream } = peer.open({}, false)
    stream.write(Buffer.alloc(5000))
    stream.write(Buffer.alloc(5000))
    stream.end(['a', 'b'])
    await peer.turn()
    peer.transport.release()
    const frames = []
    for (let turn = 0; turn < 10; turn += 1) frames.push(...(await peer.turn()))
    const bytes = frames.map(frame => ('body' in frame ? frame.body.length / 2 : 0))
    expect(bytes.reduce((sum, length) => sum + length)).toBe(10_000)
    expect(frames.at(-1)).toEqual({ type: 'TRAILERS', stream: 1, strings: ['a', 'b'] })
  })
})

describe('small pieces of a body', () => {
  /** Returns an owner that does not read, with the test as its peer. */
  async function behind() {
    const peer = await greetedPeer()
    peer.send(openFrame(1))
    const recorded = peer.accepted.get(1)!
    const pieces: Buffer[] = []
    const onData = recorded.onData.bind(recorded)
    recorded.onData = chunk => {
      pieces.push(chunk)
      onData(chunk)
    }
    return { peer, recorded, pieces }
  }
  const one = (at: number) =>
    ({ type: 'DATA', stream: 1, body: patternBytes(at, 1).toString('hex'), end: false }) as const

  it('are joined when many of them wait for the owner, and keep their bytes and their order', async () => {
    const { peer, recorded, pieces } = await behind()
    for (let at = 0; at < 100_000; at += 1000) {
      peer.send(...Array.from({ length: 1000 }, (_, index) => one(at + index)))
    }
    // Some arrive one by one; the others in pieces of 16 KiB.
    expect(pieces.length).toBeLessThan(64 + 2 + 100_000 / 16_384)
    peer.send({ type: 'DATA', stream: 1, body: '', end: true })
    expect([recorded.ended, recorded.receivedBytes, isPattern(recorded.body, 0)]).toEqual([
      true,
      100_000,
      true,
    ])
  })

  it('wait only until the owner has consumed the pieces before them', async () => {
    const { peer, recorded } = await behind()
    peer.send(...Array.from({ length: 200 }, (_, index) => one(index)))
    const seen = recorded.receivedBytes
    expect(seen).toBeLessThan(200)
    recorded.stream.consume(seen - 1)
    await loopTurn()
    expect(recorded.receivedBytes).toBe(seen)
    recorded.stream.consume(1)
    await loopTurn()
    expect([recorded.receivedBytes, isPattern(recorded.body, 0)]).toEqual([200, true])
    // The owner has consumed all bytes, so further pieces arrive at once.
    recorded.stream.consume(200 - seen)
    peer.send(one(200))
    expect(recorded.receivedBytes).toBe(201)
  })

  it('do not keep the large message alive in which they arrived', async () => {
    const { peer, pieces } = await behind()
    peer.send(dataFrame(1, 10))
    const ping = { type: 'PING', opaque: '00'.repeat(8) } as const
    peer.send(dataFrame(1, 10), ...Array.from({ length: 10_000 }, () => ping))
    expect(pieces.map(({ buffer }) => buffer.byteLength)).toEqual([expect.any(Number), 10])
  })

  it('do not keep the large buffer alive in which they were read, while they wait for credit', async () => {
    const peer = await greetedPeer({ role: 'dialer' })
    const { stream } = peer.open({}, false)
    for (let count = 0; count < 4; count += 1) stream.write(Buffer.alloc(64 * KIB))
    await peer.turn()
    const read = Buffer.alloc(64 * KIB, 1)
    expect(stream.write(read.subarray(0, 10))).toBe(false)
    // A copy does not change with the buffer.
    read.fill(2)
    peer.send({ type: 'WINDOW', stream: 1, credit: 10 })
    expect(await peer.turnOf('DATA')).toMatchObject([{ body: '01'.repeat(10) }])
  })
})

describe('heads while the transport is full', () => {
  it('wait for their turn before the body; at most one informational head and one 100 wait', async () => {
    const peer = await greetedPeer({ limits: { sendHighWaterBytes: 1000 } })
    peer.send(openFrame(1), openFrame(3))
    peer.transport.hold()
    const [first, second] = [peer.accepted.get(1)!.stream, peer.accepted.get(3)!.stream]
    first.respond(OK)
    first.write(Buffer.alloc(2000))
    for (const status of [103, 103, 102, 100, 100, 103])
      second.respond({ status, statusText: '', fields: [] })
    second.respond(OK)
    expect(second.write(Buffer.from('body'))).toBe(false)
    second.end(['a', 'b'])
    expect((await peer.turn()).filter(frame => 'stream' in frame && frame.stream === 3)).toEqual([])
    peer.transport.release()
    const sent: string[] = []
    for (let turn = 0; turn < 5; turn += 1) {
      for (const frame of await peer.turn()) {
        if (!('stream' in frame) || frame.stream !== 3) continue
        sent.push(frame.type === 'HEAD' ? `HEAD ${frame.status}` : frame.type)
      }
    }
    expect(sent).toEqual(['HEAD 103', 'HEAD 100', 'HEAD 200', 'TRAILERS'])
  })

  it('do not fill the transport, for any number and size', async () => {
    const peer = await greetedPeer({ limits: { sendHighWaterBytes: 100_000 } })
    peer.transport.hold()
    const fields = ['x', 'y'.repeat(100_000)]
    for (let id = 1; id < 60; id += 2) {
      peer.send(openFrame(id))
      const { stream } = peer.accepted.get(id)!
      stream.respond({ status: 103, statusText: '', fields })
      stream.respond({ ...OK, fields })
      stream.end(fields)
    }
    await peer.turn()
    expect(peer.transport.bufferedBytes).toBeLessThan(400_000)
    peer.transport.release()
    let trailers = 0
    for (let turn = 0; turn < 400 && trailers < 30; turn += 1)
      trailers += (await peer.turnOf('TRAILERS')).length
    expect([trailers, peer.session.streamCount]).toEqual([30, 30])
  })

  it('of a stream that is reset before its turn are not sent', async () => {
    const peer = await greetedPeer({ limits: { sendHighWaterBytes: 1000 } })
    peer.send(openFrame(1), openFrame(3))
    peer.transport.hold()
    peer.accepted.get(1)!.stream.respond({ ...OK, fields: ['x', 'y'.repeat(2000)] })
    peer.accepted.get(3)!.stream.respond(OK)
    peer.accepted.get(3)!.stream.reset('backend_closed')
    await peer.turn()
    peer.transport.release()
    const sent = [...(await peer.turn()), ...(await peer.turn())]
    expect(sent.filter(frame => 'stream' in frame && frame.stream === 3)).toMatchObject([{ type: 'RESET' }])
  })
})
