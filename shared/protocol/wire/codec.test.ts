// Every vector of vectors.json, both ways, cut everywhere and grouped at random. The file is the specification's
// (PROTOCOL.md); the twin, written from the same page, agrees with it, and so must the code.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeRecorded, encodeThroughOutbox } from '../../../test/support/protocol/real-codec.ts'
import { type Frame, frameHex, readMessage } from '../../../test/support/protocol/twin-codec.ts'
import { runSeed } from '../../../test/support/seeded-random.ts'
import { parseControl } from '../control/control.ts'
import vectors from '../vectors.json' with { type: 'json' }

interface Valid {
  name: string
  hex: string
  frames: Frame[]
  decodeOnly?: string
}
interface Malformed {
  name: string
  rule: string
  hex: string
  why: string
  frames?: Frame[]
  maxFrameBytes?: number
}

const LIMIT = 262_144
const valid = vectors.valid as Valid[]
const malformed = vectors.malformed as Malformed[]
const bytesOf = (vector: { hex: string }) => Buffer.from(vector.hex.replaceAll(' ', ''), 'hex')

describe.each(valid)('$name', vector => {
  const message = bytesOf(vector)

  it('decodes to exactly its frames', () => {
    expect(decodeRecorded(message, LIMIT)).toEqual({ frames: vector.frames, broken: undefined })
    expect(readMessage(message, LIMIT)).toEqual({ frames: vector.frames, broken: undefined })
  })

  if (vector.decodeOnly === undefined) {
    it('is encoded to exactly its bytes', () => {
      const hex = message.toString('hex')
      expect(encodeThroughOutbox(vector.frames).map(sent => sent.toString('hex'))).toEqual([hex])
      expect(vector.frames.map(frameHex).join('')).toBe(hex)
    })
  }

  it('cut after any byte is refused, and never read as something else', () => {
    const ends = frameEnds(message)
    for (let length = 0; length < message.length; length += 1) {
      const { frames, broken } = decodeRecorded(message.subarray(0, length), LIMIT)
      expect(frames).toEqual(vector.frames.slice(0, frames.length))
      expect(broken === undefined, `cut after ${length} bytes`).toBe(ends.includes(length))
    }
  })
})

describe.each(malformed)('malformed: $name', vector => {
  it(`breaks ${vector.rule}: ${vector.why}`, () => {
    const limit = vector.maxFrameBytes ?? LIMIT
    const { frames, broken } = decodeRecorded(bytesOf(vector), limit)
    expect(broken).toBeTypeOf('string')
    expect(frames).toEqual(vector.frames ?? [])
    expect(readMessage(bytesOf(vector), limit)).toEqual({ frames, broken: vector.rule })
  })
})

describe.each(vectors.malformedControl)('malformed: $name', vector => {
  it(`is a well-formed frame whose text breaks ${vector.rule}: ${vector.why}`, () => {
    const frames = [{ type: 'CONTROL', text: vector.text }]
    expect(decodeRecorded(bytesOf(vector), LIMIT)).toEqual({ frames, broken: undefined })
    expect(() => parseControl(Buffer.from(vector.text))).toThrow(Error)
  })
})

describe('vectors in one session', () => {
  it('have the same meaning in every grouping into messages', () => {
    const pieces = valid.flatMap(vector => splitFrames(bytesOf(vector)))
    const expected = valid.flatMap(vector => vector.frames)
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: pieces.length, maxLength: pieces.length }), breaks => {
        const messages: Buffer[][] = [[]]
        pieces.forEach((piece, index) => {
          messages.at(-1)!.push(piece)
          if (breaks[index] && index < pieces.length - 1) messages.push([])
        })
        const read = messages.map(group => decodeRecorded(Buffer.concat(group), LIMIT))
        expect(read.map(({ broken }) => broken)).toEqual(messages.map(() => undefined))
        expect(read.flatMap(({ frames }) => frames)).toEqual(expected)
      }),
      { seed: runSeed() },
    )
  })

  it('has a vector for every type, and a malformed one for every requirement of the codec', () => {
    const types = new Set(valid.flatMap(vector => vector.frames.map(frame => frame.type)))
    expect([...types].sort()).toEqual([
      'BYE',
      'CONTROL',
      'DATA',
      'HEAD',
      'OPEN',
      'PING',
      'PONG',
      'RESET',
      'TRAILERS',
      'WINDOW',
    ])
    const rules = new Set(malformed.map(vector => vector.rule))
    expect([...rules].sort()).toEqual(['P10', 'P2', 'P4', 'P5', 'P6', 'P8', 'P9'])
    const names = [...valid, ...malformed].map(vector => vector.name)
    expect(new Set(names).size).toBe(names.length)
  })
})

/** Where the frames of a well-formed message end. */
function frameEnds(message: Buffer): number[] {
  const ends: number[] = []
  for (let offset = 0; offset < message.length; ) {
    offset += 9 + message.readUIntBE(offset + 2, 3)
    ends.push(offset)
  }
  return ends
}

function splitFrames(message: Buffer): Buffer[] {
  const ends = frameEnds(message)
  return ends.map((end, index) => message.subarray(ends[index - 1] ?? 0, end))
}
