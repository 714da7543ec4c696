import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { putFrame } from '../../test/support/protocol/real-codec.ts'
import { type Frame, readMessage } from '../../test/support/protocol/twin-codec.ts'
import { runSeed } from '../../test/support/seeded-random.ts'
import { ScriptedTransport } from '../../test/support/session/scripted-transport.ts'
import { dataFrame, headFrame, loopTurn, openFrame } from '../../test/support/session/wire-peer.ts'
import { MESSAGE_MAX_BYTES } from './limits.ts'
import { HeadTooLargeError, Outbox } from './outbox.ts'
import type { Opening } from './streams/stream.ts'
import { HeadTextError } from './wire/encode.ts'
import { DATA_SLICE_BYTES, DETAIL_MAX_BYTES } from './wire/frame.ts'
import { giveSlab, SLAB_BYTES, takeSlab } from './wire/slab-pool.ts'

const OPENING: Opening = { kind: 'http', hops: 0, service: 'app', method: 'GET', target: '/', fields: [] }
const OK = { status: 200, statusText: 'OK', fields: [] }

function outboxOver(transport = new ScriptedTransport()) {
  let sentCalls = 0
  const outbox = new Outbox(transport, () => {
    sentCalls += 1
  })
  outbox.maxFrameBytes = 262_144
  return { outbox, transport, sentCalls: () => sentCalls }
}

function framesOf(message: Buffer): Frame[] {
  const { frames, broken } = readMessage(message, 0xff_ffff)
  expect(broken).toBeUndefined()
  return frames
}

describe('batching', () => {
  it('puts all frames of one turn of the event loop into one message', async () => {
    const { outbox, transport } = outboxOver()
    outbox.open(1, OPENING, true)
    outbox.window(3, 100)
    await Promise.resolve()
    outbox.reset(5, 1, '')
    expect(transport.sent).toEqual([])
    expect(outbox.unsentBytes).toBeGreaterThan(0)
    await loopTurn()
    expect(transport.sent).toHaveLength(1)
    expect(framesOf(transport.sent[0]!).map(frame => frame.type)).toEqual(['OPEN', 'WINDOW', 'RESET'])
    expect(outbox.unsentBytes).toBe(0)
  })

  it('sends no empty message, and starts a new message in the next turn', async () => {
    const { outbox, transport } = outboxOver()
    outbox.flush()
    await loopTurn()
    expect(transport.sent).toEqual([])
    outbox.window(1, 1)
    await loopTurn()
    outbox.window(1, 2)
    await loopTurn()
    await loopTurn()
    expect(transport.sent.map(message => framesOf(message))).toEqual([
      [{ type: 'WINDOW', stream: 1, credit: 1 }],
      [{ type: 'WINDOW', stream: 1, credit: 2 }],
    ])
  })

  it('sends a batch at once when bodies have filled it to 64 KiB', () => {
    const { outbox, transport } = outboxOver()
    outbox.data(1, Buffer.alloc(30_000), false)
    outbox.data(3, Buffer.alloc(30_000), false)
    expect(transport.sent).toHaveLength(0)
    outbox.data(5, Buffer.alloc(30_000), false)
    expect(transport.sent).toHaveLength(1)
    expect(framesOf(transport.sent[0]!)).toHaveLength(3)
  })

  it('fills one batch over many turns while the transport has a full one to send', async () => {
    const { outbox, transport } = outboxOver()
    transport.hold()
    outbox.data(1, Buffer.alloc(DATA_SLICE_BYTES), false)
    outbox.flush()
    for (let count = 0; count < 100; count += 1) {
      outbox.pong(Buffer.alloc(8))
      await loopTurn()
    }
    expect(outbox.unsentBytes).toBe(transport.bufferedBytes + 100 * 17)
    transport.release(1)
    transport.release()
    expect(transport.sent.map(message => framesOf(message).length)).toEqual([1, 100])
    expect(outbox.unsentBytes).toBe(0)
  })

  it('does not wait for a batch that is not full', async () => {
    const { outbox, transport } = outboxOver()
    transport.hold()
    for (let count = 0; count < 3; count += 1) {
      outbox.pong(Buffer.alloc(8))
      await loopTurn()
    }
    transport.release()
    expect(transport.sent).toHaveLength(3)
  })

  it('notifies of room when a batch has left, but not after close', async () => {
    const { outbox, transport, sentCalls } = outboxOver()
    transport.hold()
    outbox.window(1, 1)
    outbox.flush()
    expect([sentCalls(), outbox.unsentBytes]).toEqual([0, 13])
    transport.release(1)
    expect([sentCalls(), outbox.unsentBytes]).toEqual([1, 0])
    outbox.bye(1, '')
    outbox.close()
    transport.release()
    expect(transport.sent).toHaveLength(2)
    expect(sentCalls()).toBe(1)
    await loopTurn()
    expect(transport.sent).toHaveLength(2)
  })
})

describe('riding', () => {
  const put = (...frames: Frame[]) => {
    const { outbox, transport } = outboxOver()
    for (const frame of frames) putFrame(outbox, frame)
    outbox.flush()
    return transport.sent.flatMap(framesOf)
  }

  it('a body and END extend the frame of the head or the body before them', () => {
    expect(put(headFrame(1), dataFrame(1, 2), dataFrame(1, 3, true))).toEqual([
      headFrame(1, { body: 'ab'.repeat(5), end: true }),
    ])
    expect(put(openFrame(1), dataFrame(1, 1), { type: 'DATA', stream: 1, body: '', end: true })).toEqual([
      openFrame(1, { body: 'ab', end: true }),
    ])
  })

  it('a body and END do not extend a frame of another stream', () => {
    const crossed = [headFrame(1), dataFrame(3, 1), dataFrame(1, 1, true), dataFrame(3, 1, true)]
    expect(put(...crossed)).toEqual(crossed)
    const end: Frame = { type: 'DATA', stream: 3, body: '', end: true }
    expect(put(openFrame(1), end)).toEqual([openFrame(1), end])
  })

  it('a body and END do not extend a frame that another frame follows', () => {
    for (const between of [
      { type: 'WINDOW', stream: 1, credit: 1 },
      { type: 'PING', opaque: '0102030405060708' },
      { type: 'CONTROL', text: '{}' },
      { type: 'RESET', stream: 9, reason: 1, detail: '' },
    ] satisfies Frame[]) {
      const frames = [headFrame(1), between, dataFrame(1, 1, true)]
      expect(put(...frames)).toEqual(frames)
    }
  })

  it('a body and END do not extend an informational head', () => {
    const frames = [headFrame(1, { status: 103 }), headFrame(1), headFrame(3, { status: 100 })]
    expect(put(...frames)).toEqual(frames)
  })

  it('a body and END do not extend a frame that has END or was sent', () => {
    const ended = [openFrame(1, { end: true }), dataFrame(1, 1)]
    expect(put(...ended)).toEqual(ended)
    const { outbox, transport } = outboxOver()
    outbox.head(1, OK, true)
    outbox.flush()
    outbox.end(1)
    outbox.flush()
    expect(transport.sent.map(framesOf)).toEqual([
      [headFrame(1)],
      [{ type: 'DATA', stream: 1, body: '', end: true }],
    ])
  })
})

describe('sizes', () => {
  it('cuts bodies in one frame at 64 KiB, or at the limit of the peer', () => {
    for (const [limit, largest] of [
      [262_144, DATA_SLICE_BYTES],
      [16_384, 16_384],
    ] as const) {
      const { outbox, transport } = outboxOver()
      outbox.maxFrameBytes = limit
      for (let count = 0; count < 20; count += 1) outbox.data(1, Buffer.alloc(10_000), false)
      outbox.flush()
      const bodies = transport.sent
        .flatMap(framesOf)
        .map(frame => (frame as { body: string }).body.length / 2)
      expect(bodies.reduce((sum, bytes) => sum + bytes)).toBe(200_000)
      expect(Math.max(...bodies)).toBeLessThanOrEqual(largest)
      expect(Math.max(...bodies)).toBeGreaterThan(largest - 10_000)
    }
  })

  it('a frame that just fits the slab is in its batch; one byte more makes a second message', () => {
    for (const [surplus, messages] of [
      [0, 1],
      [1, 2],
    ] as const) {
      const { outbox, transport } = outboxOver()
      outbox.window(1, 1)
      // Header 9, WINDOW 13: the text takes the rest of the slab.
      const text = 'x'.repeat(SLAB_BYTES - 13 - 9 + surplus)
      outbox.control(text)
      outbox.flush()
      expect(transport.sent).toHaveLength(messages)
      expect(transport.sent.flatMap(framesOf)).toEqual([
        { type: 'WINDOW', stream: 1, credit: 1 },
        { type: 'CONTROL', text },
      ])
    }
  })

  it('a head larger than a slab gets its own message, and the next frame gets another one', () => {
    const { outbox, transport } = outboxOver()
    outbox.window(1, 1)
    outbox.head(3, { status: 200, statusText: 'OK', fields: ['x', 'y'.repeat(200_000)] }, true)
    outbox.data(3, Buffer.from('body'), true)
    outbox.flush()
    expect(transport.sent.map(message => framesOf(message).map(frame => frame.type))).toEqual([
      ['WINDOW'],
      ['HEAD'],
      ['DATA'],
    ])
  })

  it('a head over the limit of the peer is refused and leaves the batch as it was', () => {
    const { outbox, transport } = outboxOver()
    const large = ['x', 'y'.repeat(262_144)]
    outbox.head(1, OK, true)
    expect(() => outbox.open(3, { ...OPENING, fields: large }, true)).toThrow(HeadTooLargeError)
    expect(() => outbox.head(3, { ...OK, fields: large }, true)).toThrow(HeadTooLargeError)
    expect(() => outbox.trailers(3, large)).toThrow(HeadTooLargeError)
    expect(() => outbox.checkTrailers(large)).toThrow(HeadTooLargeError)
    expect(outbox.control('x'.repeat(262_145))).toBe(false)
    outbox.data(1, Buffer.from([1]), true)
    outbox.flush()
    expect(transport.sent.map(framesOf)).toEqual([[headFrame(1, { body: '01', end: true })]])
  })

  it.each(['\0', '\r', '\n', '\u0100', '\u010d', '\u010a', '\ud83d\ude00'])(
    'a head with %j in any of its strings is refused and leaves the batch as it was',
    character => {
      const { outbox, transport } = outboxOver()
      const bad = `a${character}b`
      outbox.head(1, OK, true)
      outbox.checkTrailers([])
      for (const fields of [
        [bad, 'x'],
        ['x', bad],
        ['x', 'y', 'z', `${character}`],
      ]) {
        expect(() => outbox.open(3, { ...OPENING, fields }, true)).toThrow(HeadTextError)
        expect(() => outbox.head(3, { ...OK, fields }, true)).toThrow(HeadTextError)
        expect(() => outbox.trailers(3, fields)).toThrow(HeadTextError)
        expect(() => outbox.checkTrailers(fields)).toThrow(HeadTextError)
      }
      for (const part of ['service', 'method', 'target']) {
        expect(() => outbox.open(3, { ...OPENING, [part]: bad }, true)).toThrow(HeadTextError)
      }
      expect(() => outbox.head(3, { ...OK, statusText: bad }, true)).toThrow('cannot be sent')
      outbox.data(1, Buffer.from([1]), true)
      outbox.flush()
      expect(transport.sent.map(framesOf)).toEqual([[headFrame(1, { body: '01', end: true })]])
    },
  )

  it('a head of exactly the limit goes through', () => {
    const { outbox, transport } = outboxOver()
    outbox.maxFrameBytes = 16_384
    // Prefix 5, "app NUL GET NUL / NUL x NUL" 12.
    outbox.open(1, { ...OPENING, fields: ['x', 'y'.repeat(16_384 - 17)] }, true)
    expect(() => outbox.open(3, { ...OPENING, fields: ['x', 'y'.repeat(16_384 - 16)] }, true)).toThrow()
    outbox.flush()
    expect(readMessage(transport.sent[0]!, 16_384).broken).toBeUndefined()
  })

  it('no batch is larger than a message may be', () => {
    const { outbox, transport } = outboxOver()
    for (let count = 0; count < 200; count += 1) {
      outbox.head(2 * count + 1, { ...OK, fields: ['x', 'y'.repeat(9000)] }, true)
      outbox.data(2 * count + 1, Buffer.alloc(DATA_SLICE_BYTES), true)
    }
    outbox.flush()
    expect(Math.max(...transport.sent.map(message => message.length))).toBeLessThanOrEqual(MESSAGE_MAX_BYTES)
  })

  it('cuts a long detail between two characters', () => {
    const { outbox, transport } = outboxOver()
    outbox.reset(1, 1, `${'x'.repeat(DETAIL_MAX_BYTES - 1)}é`)
    outbox.reset(1, 1, `${'x'.repeat(DETAIL_MAX_BYTES - 3)}✓`)
    outbox.flush()
    const details = transport.sent.flatMap(framesOf).map(frame => (frame as { detail: string }).detail)
    expect(details).toEqual(['x'.repeat(DETAIL_MAX_BYTES - 1), `${'x'.repeat(DETAIL_MAX_BYTES - 3)}✓`])
  })
})

describe('slabs', () => {
  it('are reused once sent, and only then', () => {
    // Empties the pool, so that the next slab taken is the slab that was returned.
    const taken = Array.from({ length: 65 }, takeSlab)
    const slab = taken[0]!
    giveSlab(slab)
    expect(takeSlab()).toBe(slab)
    giveSlab(Buffer.alloc(SLAB_BYTES + 1))
    expect(takeSlab()).not.toHaveLength(SLAB_BYTES + 1)
  })

  it('never change under a message that was not sent yet, while further frames are added', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 1, max: 40_000 }) },
      { weight: 2, arbitrary: fc.constantFrom('flush', 'hold', 'release one', 'release all') },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const { outbox, transport } = outboxOver()
        let fill = 0
        const expected: string[] = []
        for (const what of steps) {
          if (what === 'flush') outbox.flush()
          else if (what === 'hold') transport.hold()
          else if (what === 'release one') transport.release(1)
          else if (what === 'release all') transport.release()
          else {
            fill = (fill + 1) % 256
            outbox.window(1, fill + 1)
            outbox.data(3, Buffer.alloc(Number(what), fill), true)
            expected.push(`${fill + 1}`, Buffer.alloc(Number(what), fill).toString('hex'))
          }
        }
        outbox.flush()
        transport.release()
        const seen = transport.sent
          .flatMap(framesOf)
          .map(frame => (frame.type === 'WINDOW' ? `${frame.credit}` : (frame as { body: string }).body))
        expect(seen).toEqual(expected)
      }),
      { seed: runSeed(), numRuns: 60 },
    )
  })
})
