// Frames for property tests (fast-check): well-formed frames of every type, and messages with small errors. Sizes are mostly
// small; some are at the limits of the code.

import fc from 'fast-check'
import { type Frame, messageOf, rawFrameHex } from './twin-codec.ts'

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const opaque = fc.uint8Array({ minLength: 8, maxLength: 8 }).map(hexOf)
/** A string of a head block: any bytes except NUL, CR and LF. */
const fieldString = fc
  .uint8Array({ maxLength: 12 })
  .map(bytes => Buffer.from(bytes.filter(byte => ![0, 10, 13].includes(byte))).toString('latin1'))
const fields = fc.array(fc.tuple(fieldString, fieldString), { maxLength: 4 }).map(pairs => pairs.flat())
const detail = fc.string({ unit: 'grapheme', maxLength: 40 })
const end = fc.boolean()

export const streamIdArbitrary = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 6 }) },
  fc.integer({ min: 1, max: 0xffff_ffff }),
)

export const bodyArbitrary = fc.oneof(
  { weight: 10, arbitrary: fc.uint8Array({ maxLength: 40 }).map(hexOf) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 3000 }).map(bytes => '5a'.repeat(bytes)) },
  { weight: 1, arbitrary: fc.constantFrom(65_535, 65_536).map(bytes => 'a5'.repeat(bytes)) },
)

export function frameArbitrary(stream: fc.Arbitrary<number> = streamIdArbitrary): fc.Arbitrary<Frame> {
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ type: fc.constant('DATA' as const), stream, body: bodyArbitrary, end }),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(
          stream,
          fc.constantFrom(1, 2, 5, 6, 9),
          fc.integer({ min: 0, max: 255 }),
          fieldString,
          fieldString,
          fieldString,
          fields,
          bodyArbitrary,
          end,
        )
        .map(([id, kind, hops, service, method, target, rest, body, ended]) => ({
          type: 'OPEN' as const,
          stream: id,
          kind,
          hops,
          strings: [service, method, target, ...rest],
          body,
          end: ended,
        })),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(
          stream,
          fc.integer({ min: 200, max: 999 }),
          fc.option(fc.integer({ min: 0, max: 0xffff_ffff })),
          fieldString,
          fields,
          bodyArbitrary,
          end,
        )
        .map(([id, status, backendUs, reason, rest, body, ended]) => ({
          type: 'HEAD' as const,
          stream: id,
          status,
          ...(backendUs !== null && { backendUs }),
          strings: [reason, ...rest],
          body,
          end: ended,
        })),
    },
    fc.tuple(stream, fc.constantFrom(100, 102, 103), fields).map(([id, status, rest]) => ({
      type: 'HEAD' as const,
      stream: id,
      status,
      strings: ['', ...rest],
      body: '',
      end: false,
    })),
    fc.tuple(stream, fieldString, fieldString, fields).map(([id, name, value, rest]) => ({
      type: 'TRAILERS' as const,
      stream: id,
      strings: [name, value, ...rest],
    })),
    fc.record({
      type: fc.constant('RESET' as const),
      stream,
      reason: fc.integer({ min: 0, max: 0xffff }),
      detail,
    }),
    fc.record({
      type: fc.constant('WINDOW' as const),
      stream,
      credit: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 0xffff_ffff })),
    }),
    fc.record({ type: fc.constantFrom('PING' as const, 'PONG' as const), opaque }),
    fc.record({ type: fc.constant('CONTROL' as const), text: detail }),
    fc.record({ type: fc.constant('BYE' as const), reason: fc.integer({ min: 0, max: 0xffff }), detail }),
  )
}

/** A frame of any type, flags, stream and payload. It is rarely valid. */
const anyFrameHex = fc
  .tuple(
    fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 255 })),
    fc.integer({ min: 0, max: 255 }),
    fc.integer({ min: 0, max: 6 }),
    fc.uint8Array({ maxLength: 20 }).map(hexOf),
  )
  .map(([type, flags, stream, payload]) => rawFrameHex(type, flags, stream, payload))

/** Messages from valid to garbage: frames, frames with a few bytes changed, removed or added, and random bytes. */
export function messageArbitrary(frames: fc.Arbitrary<Frame> = frameArbitrary()): fc.Arbitrary<Buffer> {
  const good = fc.array(frames, { minLength: 1, maxLength: 5 }).map(list => messageOf(...list))
  const bent = fc
    .tuple(good, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }), fc.nat())
    .map(([message, changes, cut]) => {
      const bytes = Buffer.from(message)
      for (const [at, value] of changes) bytes[at % Math.min(bytes.length, 64)] = value
      return cut % 3 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes
    })
  return fc.oneof(
    { weight: 3, arbitrary: good },
    { weight: 3, arbitrary: bent },
    {
      weight: 2,
      arbitrary: fc
        .array(anyFrameHex, { minLength: 1, maxLength: 4 })
        .map(list => Buffer.from(list.join(''), 'hex')),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map(bytes => Buffer.from(bytes)) },
  )
}
