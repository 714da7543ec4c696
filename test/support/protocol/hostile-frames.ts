// Generates the frames of a hostile peer (fast-check). Most frames are valid after the frames before them, according to the
// table of the twin session; some are not. Without that table, every run would end after two frames.

import fc from 'fast-check'
import { frameArbitrary, messageArbitrary } from './frame-arbitraries.ts'
import { type Frame, messageOf } from './twin-codec.ts'
import { TwinSession, type TwinSessionOptions } from './twin-session.ts'

const bodyOf = (bytes: number) => '61'.repeat(bytes)
const body = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 300 }).map(bodyOf) },
  { weight: 1, arbitrary: fc.integer({ min: 300, max: 5100 }).map(bodyOf) },
)
const end = fc.integer({ min: 0, max: 5 }).map(drawn => drawn === 0)
const ownStream = fc.constantFrom(2, 4)
const peerStream = fc.constantFrom(1, 3, 5, 7, 9)
const anyStream = fc.oneof(ownStream, peerStream)

/** `inOrder` sets the stream ids of OPEN frames. */
const open: fc.Arbitrary<Frame> = fc.record({
  type: fc.constant('OPEN' as const),
  stream: fc.constant(0),
  kind: fc.constantFrom(1, 1, 1, 2, 3, 5, 77),
  hops: fc.constant(0),
  strings: fc.constant<string[]>(['app', 'GET', '/']),
  body,
  end,
})
const head: fc.Arbitrary<Frame> = fc
  .record({
    stream: ownStream,
    status: fc.constantFrom(100, 103, 101, 200, 404),
    body,
    end,
    bare: fc.boolean(),
  })
  .map(({ bare, status, ...rest }) => {
    const plain = bare || (status < 200 && status !== 101)
    return { type: 'HEAD', status, strings: [''], ...rest, ...(plain ? { body: '', end: false } : {}) }
  })
const control: fc.Arbitrary<Frame> = fc
  .constantFrom(
    '{"type":"from the future"}',
    '{"type":"renew"}',
    '{"type":"announce","id":1,"services":[]}',
    '{"type":"drain","graceMs":100}',
    '{"type":"drained"}',
    '{"type":"hello"}',
    '{"graceMs":100}',
    'nonsense',
  )
  .map(text => ({ type: 'CONTROL', text }))

const plausibleFrame: fc.Arbitrary<Frame> = fc.oneof(
  { weight: 12, arbitrary: open },
  { weight: 12, arbitrary: fc.record({ type: fc.constant('DATA' as const), stream: peerStream, body, end }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('DATA' as const), stream: anyStream, body, end }) },
  { weight: 4, arbitrary: head },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('TRAILERS' as const),
      stream: anyStream,
      strings: fc.constant<string[]>(['a', 'b']),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('RESET' as const),
      stream: anyStream,
      reason: fc.integer({ min: 0, max: 25 }),
      detail: fc.constant(''),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('WINDOW' as const),
      stream: anyStream,
      credit: fc.constantFrom(1, 100, 5000, 5000, 2 ** 30, 2 ** 31 - 5001, 2 ** 32 - 1),
    }),
  },
  { weight: 3, arbitrary: fc.constant<Frame>({ type: 'PING', opaque: '0001020304050607' }) },
  { weight: 1, arbitrary: fc.constant<Frame>({ type: 'PONG', opaque: '0001020304050607' }) },
  { weight: 3, arbitrary: control },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('BYE' as const),
      reason: fc.integer({ min: 1, max: 25 }),
      detail: fc.constant(''),
    }),
  },
  { weight: 1, arbitrary: frameArbitrary(fc.integer({ min: 1, max: 12 })) },
)

/** The session under attack. */
export const ATTACKED: TwinSessionOptions = {
  windowBytes: 5000,
  maxStreams: 4,
  peerWindowBytes: 5000,
  opened: [
    { id: 2, ended: true },
    { id: 4, ended: false },
  ],
}

/** One of this many frames is sent without a correction. */
const MISFITS = 40

/** Sequences of well-formed frames. */
export const hostileFrames: fc.Arbitrary<Frame[]> = fc
  .array(fc.tuple(plausibleFrame, fc.nat(10_000)), { minLength: 1, maxLength: 60, size: 'max' })
  .map(drawn => {
    const twin = new TwinSession(ATTACKED)
    let nextId = 1
    return drawn.map(([frame, luck]) => {
      let fitting = luck % MISFITS === 0 ? frame : madeToFit(frame, luck, twin)
      if (fitting.type === 'OPEN' && fitting.stream === 0) {
        fitting = { ...fitting, stream: nextId }
        nextId += 2
      }
      twin.receive(fitting)
      return fitting
    })
  })

/** Sequences of messages, some of them damaged. */
export const hostileMessages: fc.Arbitrary<Buffer[]> = fc
  .tuple(hostileFrames, fc.array(fc.tuple(fc.nat(200), messageArbitrary()), { maxLength: 1 }))
  .map(([frames, damaged]) => {
    const messages = frames.map(frame => messageOf(frame))
    for (const [at, message] of damaged) messages.splice(at, 0, message)
    return messages
  })

const PING: Frame = { type: 'PING', opaque: '0001020304050607' }

/** Returns the frame, changed only as much as needed to be valid. */
function madeToFit(frame: Frame, luck: number, twin: TwinSession): Frame {
  const pick = (half: string) => {
    const ids = [...twin.streams].filter(([, row]) => row.half === half).map(([id]) => id)
    return ids[luck % ids.length]
  }
  const cut = (text: string, id: number | undefined) => {
    const received = id === undefined ? 0 : (twin.streams.get(id)?.received ?? 0)
    return text.slice(0, 2 * (ATTACKED.windowBytes - received))
  }
  switch (frame.type) {
    case 'OPEN':
      return frame.stream === 0 ? { ...frame, body: cut(frame.body, undefined) } : PING
    case 'DATA':
    case 'TRAILERS': {
      const stream = pick('body')
      if (stream === undefined) return PING
      return frame.type === 'DATA'
        ? { ...frame, stream, body: cut(frame.body, stream) }
        : { ...frame, stream }
    }
    case 'HEAD': {
      const stream = pick('await head')
      return stream === undefined ? PING : { ...frame, stream, body: cut(frame.body, stream) }
    }
    case 'WINDOW': {
      const stream = pick(luck % 2 === 0 ? 'body' : 'closed')
      return stream === undefined ? PING : { ...frame, stream, credit: (frame.credit % 5000) + 1 }
    }
    case 'RESET': {
      const stream = luck % 3 === 0 ? pick('body') : pick('closed')
      return stream === undefined ? PING : { ...frame, stream }
    }
    case 'CONTROL':
      return /future|renew|announce/.test(frame.text) ? frame : PING
    case 'BYE':
      return PING
    default:
      return frame
  }
}
