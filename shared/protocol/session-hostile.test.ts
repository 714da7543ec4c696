// Peers that send any bytes: the process survives, memory stays within its bounds, the session ends only for a
// proper reason, and every owner is notified of the end once. A failure prints its seed; SEED repeats the run.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ATTACKED, hostileFrames, hostileMessages } from '../../test/support/protocol/hostile-frames.ts'
import { messageOf } from '../../test/support/protocol/twin-codec.ts'
import { TwinSession } from '../../test/support/protocol/twin-session.ts'
import { type Random, randomInteger, runSeed, seededRandom } from '../../test/support/seeded-random.ts'
import type { RecordedStream } from '../../test/support/session/recorded-stream.ts'
import { loopTurn, WirePeer, type WirePeerOptions } from '../../test/support/session/wire-peer.ts'
import { REASONS, reasonOfCode, type TunnelError } from './wire/reason.ts'

const HARD_LIMIT_BYTES = 100_000
const LIMITS = {
  initialWindowBytes: ATTACKED.windowBytes,
  maxWindowBytes: 20_000,
  windowGrowthBytes: 10_000,
  maxStreams: ATTACKED.maxStreams,
  sendHighWaterBytes: 20_000,
  sendHardLimitBytes: HARD_LIMIT_BYTES,
  maxFrameBytes: 70_000,
}
/** The reasons that this end may detect by itself. */
const PROPER_REASONS = ['protocol_error', 'flow_control_error', 'overloaded']

/** Returns a session that has opened two streams, 2 (complete) and 4. */
async function attackedPeer(options: WirePeerOptions = {}) {
  const peer = new WirePeer({ limits: LIMITS, ...options })
  await peer.greet({ initialWindowBytes: ATTACKED.peerWindowBytes })
  const own = [peer.open({}, true), peer.open({}, false)]
  await peer.turn()
  return { peer, own }
}

describe('a hostile peer', () => {
  it('finds a session that follows the specification exactly', async () => {
    await fc.assert(
      fc.asyncProperty(hostileFrames, async frames => {
        const { peer, own } = await attackedPeer()
        const twin = new TwinSession(ATTACKED)
        for (const [index, frame] of frames.entries()) {
          twin.receive(frame)
          peer.transport.receive(messageOf(frame))
          const where = `frame ${index}: ${JSON.stringify(frame).slice(0, 100)}`
          expect(peer.session.state === 'closed', where).toBe(twin.ended !== undefined)
          if (twin.ended !== undefined) break
          const open = [...peer.accepted.values()].filter(({ stream }) => stream.open)
          expect(
            open.map(({ stream }) => stream.id),
            where,
          ).toEqual(twin.openPeerStreams)
          for (const recorded of [...peer.accepted.values(), ...own]) {
            const row = twin.streams.get(recorded.stream.id)!
            expect(recorded.receivedBytes, where).toBe(row.received)
            expect(recorded.violations).toEqual([])
          }
        }
        await loopTurn()
        if (twin.ended === undefined) return
        const expected = reasonOfCode(Math.abs(twin.ended))
        expect(peer.closes.map(({ reason, remote }) => [reason, remote])).toEqual([
          [expected, twin.ended < 0],
        ])
        const byes = await peer.turnOf('BYE')
        expect(byes.map(({ reason }) => reason)).toEqual(twin.ended < 0 ? [] : [REASONS[expected].code])
        expect([peer.session.streamCount, peer.clock.pendingTimers]).toEqual([0, 0])
      }),
      { seed: runSeed(), numRuns: 150 },
    )
  })

  it('cannot crash the process, exceed its memory, or end a stream twice, with any actions of the owners', async () => {
    await fc.assert(
      fc.asyncProperty(hostileMessages, fc.nat(), async (messages, ownerSeed) => {
        const random = seededRandom(ownerSeed)
        const deeds = new Deeds(random)
        const { peer, own } = await attackedPeer({
          events: { onStream: (_, __, recorded) => deeds.attend(recorded) },
        })
        for (const recorded of own) deeds.attend(recorded)
        if (random() < 0.3) peer.transport.hold()
        for (const message of messages) {
          peer.transport.receive(message)
          for (const recorded of deeds.streams) deeds.act(recorded)
          if (random() < 0.3) await loopTurn()
          if (random() < 0.2) peer.transport.release(1)
          expect(deeds.peakUnread).toBeLessThanOrEqual(20_000)
          expect(peer.session.streamCount).toBeLessThanOrEqual(ATTACKED.maxStreams + 2)
          // The responses to one message may exceed the limit once. The response to a frame is at most a head or a PONG.
          expect(peer.transport.bufferedBytes).toBeLessThanOrEqual(HARD_LIMIT_BYTES + 140_000)
        }
        await loopTurn()
        if (peer.session.state !== 'closed') peer.transport.lose()
        peer.transport.release()
        await loopTurn()
        await loopTurn()
        expect(peer.closes).toHaveLength(1)
        const [{ reason, remote }] = peer.closes as [TunnelError]
        if (!remote && reason !== 'session_lost') expect(PROPER_REASONS).toContain(reason)
        for (const recorded of deeds.streams) {
          expect([recorded.violations, recorded.stream.open]).toEqual([[], false])
          const early = [recorded.aborted !== undefined, deeds.reset.has(recorded)].filter(Boolean).length
          const complete = recorded.ended && deeds.ended.has(recorded)
          expect(early === 1 || (early === 0 && complete), `stream ${recorded.stream.id}`).toBe(true)
        }
        expect([peer.session.streamCount, peer.clock.pendingTimers]).toEqual([0, 0])
      }),
      { seed: runSeed(), numRuns: 150 },
    )
  })
})

/** Owners that perform random allowed actions. */
class Deeds {
  readonly streams: RecordedStream[] = []
  readonly ended = new Set<RecordedStream>()
  readonly reset = new Set<RecordedStream>()
  peakUnread = 0
  readonly #random: Random
  readonly #responded = new Set<RecordedStream>()
  readonly #consumed = new Map<RecordedStream, number>()

  constructor(random: Random) {
    this.#random = random
  }

  attend(recorded: RecordedStream): undefined {
    this.streams.push(recorded)
    const onData = recorded.onData.bind(recorded)
    recorded.onData = chunk => {
      onData(chunk)
      this.act(recorded)
    }
    // Stream 2 was complete when it was opened.
    if (recorded.stream.id === 2) this.ended.add(recorded)
    if (recorded.stream.id % 2 === 0) this.#responded.add(recorded)
    else if (this.#random() < 0.1) this.#reset(recorded)
  }

  act(recorded: RecordedStream): void {
    const { stream } = recorded
    const unread = recorded.receivedBytes - (this.#consumed.get(recorded) ?? 0)
    this.peakUnread = Math.max(this.peakUnread, unread)
    if (!stream.open) return
    const drawn = this.#random()
    if (drawn < 0.02) this.#reset(recorded)
    else if (drawn < 0.2 && unread > 0) {
      this.#consumed.set(recorded, recorded.receivedBytes)
      stream.consume(unread)
    } else if (drawn < 0.4 && !this.#responded.has(recorded)) {
      const status = this.#random() < 0.3 ? 103 : 200
      if (status === 200) this.#responded.add(recorded)
      stream.respond({ status, statusText: '', fields: [] })
    } else if (drawn < 0.7 && this.#responded.has(recorded) && !this.ended.has(recorded)) {
      if (drawn > 0.65) {
        this.ended.add(recorded)
        stream.end(this.#random() < 0.5 ? ['a', 'b'] : undefined)
      } else stream.write(Buffer.alloc(randomInteger(this.#random, 0, 3000)))
    }
  }

  #reset(recorded: RecordedStream): void {
    this.reset.add(recorded)
    recorded.stream.reset('cancelled')
  }
}
