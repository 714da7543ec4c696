import { describe, expect, it } from 'vitest'
import { GrowthBudget, ReceiveWindow } from './receive-window.ts'

const KIB = 1024
const MAX = 16 * KIB * KIB

/**
 * A window and the size that its credit shows: the credit at the start, and the credit of each update beyond the consumed
 * bytes.
 */
class Reader {
  readonly window: ReceiveWindow
  sizeBytes: number
  #consumedBytes = 0

  constructor(initialBytes: number, firstBytes?: number) {
    this.window = new ReceiveWindow(initialBytes, firstBytes)
    this.sizeBytes = initialBytes
  }

  /** True: `update` has credit to give. */
  read(bytes: number): boolean {
    if (!this.window.receive(bytes)) throw new Error('the reader has read more than the window')
    this.#consumedBytes += bytes
    return this.window.consume(bytes)
  }

  update(nowMs: number, rttMs: number, budget: GrowthBudget): void {
    this.sizeBytes += this.window.update(nowMs, rttMs, MAX, budget) - this.#consumedBytes
    this.#consumedBytes = 0
  }
}

/** Reads over a path of `rttMs` at `bytesPerMs`, for `forMs`. Returns the sizes of the window. */
function read(
  reader: Reader,
  budget: GrowthBudget,
  options: { rttMs: number; forMs: number; fromMs?: number; bytesPerMs: (sizeBytes: number) => number },
): number[] {
  const sizes: number[] = []
  let owedBytes = 0
  const fromMs = options.fromMs ?? 1000
  for (let nowMs = fromMs; nowMs < fromMs + options.forMs; nowMs += 1) {
    owedBytes += options.bytesPerMs(reader.sizeBytes)
    const bytes = Math.floor(owedBytes)
    owedBytes -= bytes
    if (!reader.read(bytes)) continue
    reader.update(nowMs, options.rttMs, budget)
    if (sizes.at(-1) !== reader.sizeBytes) sizes.push(reader.sizeBytes)
  }
  return sizes
}

describe('ReceiveWindow', () => {
  it('accepts bytes up to its size, and returns credit at half of it', () => {
    const window = new ReceiveWindow(1000)
    expect([window.receive(600), window.consume(499)]).toEqual([true, false])
    expect(window.consume(1)).toBe(true)
    expect(window.update(1, 0, MAX, new GrowthBudget(MAX))).toBe(500)
    expect([window.receive(900), window.receive(1)]).toEqual([true, false])
  })

  it('returns the first credit earlier, without a measurement', () => {
    const budget = new GrowthBudget(MAX)
    const window = new ReceiveWindow(1000, 100)
    window.receive(1000)
    expect([window.consume(99), window.consume(1), window.update(1, 50, MAX, budget)]).toEqual([
      false,
      true,
      100,
    ])
    expect([window.consume(499), window.consume(1), window.update(2, 50, MAX, budget)]).toEqual([
      false,
      true,
      500,
    ])
    // The first measurement begins with the bytes after it: the window grows as any other.
    window.receive(600)
    expect([window.consume(500), window.update(90, 50, MAX, budget)]).toEqual([true, 500])
    window.receive(500)
    expect([window.consume(500), window.update(110, 50, MAX, budget)]).toEqual([true, 1500])
  })

  it('refuses to return credit for bytes that have not arrived', () => {
    const window = new ReceiveWindow(1000)
    window.receive(100)
    expect(() => window.consume(101)).toThrow(RangeError)
    window.consume(60)
    expect(() => window.consume(41)).toThrow('consumed 41 bytes of 40 unread')
    window.consume(40)
  })

  it('grows while growth raises the rate: to the size that a path of 100 ms needs', () => {
    const window = new Reader(256 * KIB)
    const budget = new GrowthBudget(32 * KIB * KIB)
    // The rate that the window allows in a round trip, at most 20 MB/s.
    const rate = (sizeBytes: number) => Math.min(sizeBytes / 100, 20_000)
    const sizes = read(window, budget, { rttMs: 100, forMs: 20_000, bytesPerMs: rate })
    expect(sizes.slice(0, 4)).toEqual([256 * KIB, 512 * KIB, 1024 * KIB, 2048 * KIB])
    expect(window.sizeBytes).toBeGreaterThanOrEqual(2_000_000)
    expect(window.sizeBytes).toBeLessThanOrEqual(8 * KIB * KIB)
  })

  it('never grows beyond its limit, nor beyond the budget', () => {
    const limited = new Reader(256 * KIB)
    const rate = (sizeBytes: number) => sizeBytes / 100
    read(limited, new GrowthBudget(1e9), { rttMs: 100, forMs: 60_000, bytesPerMs: rate })
    expect(limited.sizeBytes).toBe(MAX)
    const poor = new Reader(256 * KIB)
    read(poor, new GrowthBudget(100_000), { rttMs: 100, forMs: 60_000, bytesPerMs: rate })
    expect(poor.sizeBytes).toBe(256 * KIB + 100_000)
  })

  it('stops growing once growth does not help', () => {
    const window = new Reader(256 * KIB)
    const budget = new GrowthBudget(MAX)
    const sizes = read(window, budget, { rttMs: 20, forMs: 20_000, bytesPerMs: () => 20_000 })
    expect(sizes).toEqual([256 * KIB, 512 * KIB])
  })

  it('does not grow when another limit applies, when the path is short, or when the reader stalls', () => {
    const budget = new GrowthBudget(MAX)
    const slow = new Reader(256 * KIB)
    read(slow, budget, { rttMs: 20, forMs: 20_000, bytesPerMs: () => 500 })
    expect(slow.sizeBytes).toBe(256 * KIB)
    const local = new Reader(256 * KIB)
    read(local, budget, { rttMs: 0, forMs: 5000, bytesPerMs: () => 100_000 })
    expect(local.sizeBytes).toBe(256 * KIB)
    const stalled = new Reader(256 * KIB)
    stalled.window.receive(256 * KIB)
    expect(stalled.window.receive(1)).toBe(false)
  })

  it('gives its growth back to the budget, once', () => {
    const budget = new GrowthBudget(1024 * KIB)
    const first = new Reader(256 * KIB)
    const rate = (sizeBytes: number) => sizeBytes / 100
    read(first, budget, { rttMs: 100, forMs: 60_000, bytesPerMs: rate })
    expect(first.sizeBytes).toBe(1280 * KIB)
    expect(budget.take(1)).toBe(0)
    const second = new Reader(256 * KIB)
    read(second, budget, { rttMs: 100, forMs: 60_000, bytesPerMs: rate })
    expect(second.sizeBytes).toBe(256 * KIB)
    first.window.release(budget)
    first.window.release(budget)
    read(second, budget, { rttMs: 100, forMs: 60_000, fromMs: 70_000, bytesPerMs: rate })
    expect(second.sizeBytes).toBe(1280 * KIB)
    second.window.release(budget)
    expect(budget.take(1e9)).toBe(1024 * KIB)
  })
})
