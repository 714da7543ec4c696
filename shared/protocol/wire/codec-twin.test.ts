// Compares the codec with its twin (test/support/protocol/twin-codec.ts) on random frames and bytes. A failure prints its
// seed; SEED repeats the run.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameArbitrary, messageArbitrary } from '../../../test/support/protocol/frame-arbitraries.ts'
import { decodeRecorded, encodeThroughOutbox } from '../../../test/support/protocol/real-codec.ts'
import { type Frame, messageOf, readMessage } from '../../../test/support/protocol/twin-codec.ts'
import { runSeed } from '../../../test/support/seeded-random.ts'

const LIMIT = 262_144
const framesArbitrary = fc.array(frameArbitrary(), { minLength: 1, maxLength: 12 })

describe('codec and twin', () => {
  it('read the same frames from messages of the twin, grouped at random', () => {
    fc.assert(
      fc.property(fc.array(framesArbitrary, { minLength: 1, maxLength: 3 }), messages => {
        for (const frames of messages) {
          expect(decodeRecorded(messageOf(...frames), LIMIT)).toEqual({ frames, broken: undefined })
        }
      }),
      { seed: runSeed() },
    )
  })

  it('agree on the frames of any message, and on its validity', () => {
    fc.assert(
      fc.property(messageArbitrary(), fc.constantFrom(LIMIT, 16_384, 12), (message, limit) => {
        const real = decodeRecorded(message, limit)
        const twin = readMessage(message, limit)
        expect(real.frames).toEqual(twin.frames)
        expect(real.broken === undefined, `twin: ${twin.broken}, real: ${real.broken}`).toBe(
          twin.broken === undefined,
        )
      }),
      { seed: runSeed(), numRuns: 2000 },
    )
  })

  it('an outbox sends the frames that were put into it, for every combination of joined frames', () => {
    fc.assert(
      fc.property(framesArbitrary, fc.constantFrom(LIMIT, 70_000), (frames, limit) => {
        const messages = encodeThroughOutbox(frames, limit)
        const read = messages.map(message => readMessage(message, limit))
        expect(read.filter(({ broken }) => broken !== undefined)).toEqual([])
        expect(joinBodies(read.flatMap(message => message.frames))).toEqual(joinBodies(frames))
      }),
      { seed: runSeed(), numRuns: 500 },
    )
  })
})

/** Frames with each body in one piece: the sender chooses where it is cut, and which frame END rides on. */
function joinBodies(frames: Frame[]): Frame[] {
  const joined: Frame[] = []
  for (const frame of frames) {
    const before = joined.at(-1)
    const follows = frame.type === 'DATA' && before !== undefined && canCarry(before, frame.stream)
    if (follows) {
      before.body += frame.body
      before.end = frame.end
    } else {
      joined.push({ ...frame })
    }
  }
  return joined
}

function canCarry(frame: Frame, stream: number): frame is Extract<Frame, { type: 'DATA' | 'OPEN' | 'HEAD' }> {
  if (frame.type !== 'DATA' && frame.type !== 'OPEN' && frame.type !== 'HEAD') return false
  const informational = frame.type === 'HEAD' && frame.status < 200 && frame.status !== 101
  return frame.stream === stream && !frame.end && !informational
}
