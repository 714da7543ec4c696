import { describe, expect, it } from 'vitest'
import { Liveness, PONG_TIMEOUT_MS, SILENCE_MS } from './liveness.ts'

const MINUTE = 60_000

describe('a connection with open streams', () => {
  it('gets a PING after a silence, and is dead without a response to it', () => {
    const liveness = new Liveness(0)
    expect(liveness.look(SILENCE_MS - 1, 0)).toBe('fine')
    expect(liveness.look(SILENCE_MS, 0)).toBe('ping')
    liveness.pinged(SILENCE_MS)
    expect(liveness.look(SILENCE_MS + PONG_TIMEOUT_MS - 1, 0)).toBe('fine')
    expect(liveness.look(SILENCE_MS + PONG_TIMEOUT_MS, 0)).toBe('dead')
  })

  it('is alive as long as bytes arrive, also before the PONG, because the link may be slow', () => {
    const liveness = new Liveness(0)
    liveness.pinged(SILENCE_MS)
    let now = SILENCE_MS
    for (let bytes = 1; bytes < 20; bytes += 1) {
      now += PONG_TIMEOUT_MS - 1
      expect(liveness.look(now, bytes)).toBe('fine')
    }
    expect(liveness.look(now + PONG_TIMEOUT_MS, 19)).toBe('dead')
  })

  it('does not count the time without streams as silence', () => {
    const liveness = new Liveness(0)
    liveness.wake(MINUTE)
    expect(liveness.look(MINUTE + SILENCE_MS - 1, 0)).toBe('fine')
  })

  /** Checks every second; the PONG arrives at once, as bytes. Returns the times of the PINGs. */
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

  it('gRPC: gets one PING in a long silence, then at most one every five minutes', () => {
    const pings = run(new Liveness(0), 0, 20 * MINUTE)
    expect(pings.length).toBe(4)
    for (const [index, at] of pings.slice(1).entries()) expect(at - pings[index]!).toBeGreaterThan(5 * MINUTE)
  })

  it('gRPC: gets two PINGs without data, and no third one, with any number of requests', () => {
    const liveness = new Liveness(0)
    expect(run(liveness, 0, 5 * MINUTE, () => liveness.sent()).length).toBe(2)
  })

  it('gRPC: may get another PING after a response', () => {
    const liveness = new Liveness(0)
    expect(run(liveness, 0, MINUTE).length).toBe(1)
    liveness.responded()
    expect(run(liveness, MINUTE, 2 * MINUTE).length).toBe(1)
  })
})
