import { describe, expect, test } from 'vitest'
import { collectGarbage } from '../test/support/garbage.ts'
import { bytesPassed, collectBodyMemory } from './body-memory.ts'

const MIB = 1024 * 1024

/** The most that was held outside the heap while `count` buffers of 64 KiB came and went, bytes. */
function peakBytes(count: number, passed: (bytes: number) => void): number {
  const before = process.memoryUsage().arrayBuffers
  let peak = 0
  for (let turn = 0; turn < count; turn += 1) {
    const chunk = Buffer.alloc(64 * 1024)
    passed(chunk.length)
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
  }
  return peak
}

describe('the memory of bodies that have passed', () => {
  test('is given back before it piles up, as it does without', async () => {
    // Buffers of earlier test files in this process must not be collected while this test counts.
    await collectGarbage()
    const without = peakBytes(4096, () => undefined)
    collectBodyMemory()
    const peak = peakBytes(4096, bytesPassed)
    expect(peak).toBeLessThan(32 * MIB)
    expect(peak).toBeLessThan(without)
  })

  test('leaves no gc function behind for others', () => {
    expect(globalThis.gc).toBeUndefined()
  })
})
