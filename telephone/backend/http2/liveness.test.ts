import { describe, expect, it } from 'vitest'
import { Liveness, PONG_TIMEOUT_MS, SILENCE_MS } from './liveness.ts'

const MINUTE = 60_000

describe('a connection with open streams', () => {
  it('is asked after a silence, and is dead when the PING does not come back', () => {
    const liveness = new Liveness(0)
    expect(liveness.look(SILENCE_MS - 1, 0)).toBe('fine')
    expect(liveness.look(SILENCE_MS, 0)).toBe('ping')
    liveness.pinged(SILENCE_MS)
    expect(liveness.look(SILENCE_MS + PONG_TIMEOUT_MS - 1, 0)).toBe('fine')
    expect(liveness.look(SILENCE_MS + PONG_TIMEOUT_MS, 0)).toBe('dead')
  })

  it('lives as long as any byte comes, also before its PONG: a slow link is not a dead one', () => {
    const liveness = new Liveness(0)
    liveness.pinged(SILENCE_MS)
    let now = SILENCE_MS
    for (let bytes = 1; bytes < 20; bytes += 1) {
      now += PONG_TIMEOUT_MS - 1
      expect(liveness.look(now, bytes)).toBe('fine')
    }
    expect(liveness.look(now + PONG_TIMEOUT_MS, 19)).toBe('dead')
  })

  it('has no silence while it had no streams', () => {
    const liveness = new Liveness(0)
    liveness.wake(MINUTE)
    expect(liveness.look(MINUTE + SILENCE_MS - 1, 0)).toBe('fine')
  })

  /** Looks every second; the PONG comes at once, and is bytes. Returns when it was pinged. */
  function run(
    liveness: Liveness,
    fromMs: number,
    toMs: number,
    each: (now: number) => void = () => undefined,
  ) {
    const pings: number[] = []
    for (let now = fromMs; now < toMs; now += 1000) {
      each(now)
      if (liveness.look(now, pings.length) !== 'ping') continue
      liveness.pinged(now)
      liveness.ponged()
      pings.push(now)
    }
    return pings
  }

  it('gRPC: a long silence is asked about once, then less than every five minutes', () => {
    const pings = run(new Liveness(0), 0, 20 * MINUTE)
    expect(pings.length).toBe(4)
    for (const [index, at] of pings.slice(1).entries()) expect(at - pings[index]!).toBeGreaterThan(5 * MINUTE)
  })

  it('gRPC: however many requests go out, there are two PINGs without data, not three', () => {
    const liveness = new Liveness(0)
    expect(run(liveness, 0, 5 * MINUTE, () => liveness.sent()).length).toBe(2)
  })

  it('gRPC: an answer allows the next one', () => {
    const liveness = new Liveness(0)
    expect(run(liveness, 0, MINUTE).length).toBe(1)
    liveness.responded()
    expect(run(liveness, MINUTE, 2 * MINUTE).length).toBe(1)
  })
})
