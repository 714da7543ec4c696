import { describe, expect, test } from 'vitest'
import { collectGarbage } from '../../test/support/garbage.ts'
import { bytesPassed, collectBodyMemory } from './body-memory.ts'

const MIB = 1024 * 1024

/** Returns the peak of the memory outside the heap, in bytes, while `count` buffers of 64 KiB are created and dropped. */
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
  test('is freed early with collectBodyMemory, and grows further without it', async () => {
    // Buffers of earlier test files in this process must not be collected while this test counts.
    await collectGarbage()
    const without = peakBytes(4096, () => undefined)
    collectBodyMemory()
    const peak = peakBytes(4096, bytesPassed)
    expect(peak).toBeLessThan(32 * MIB)
    expect(peak).toBeLessThan(without)
  })

  test('leaves no global gc function', () => {
    expect(globalThis.gc).toBeUndefined()
  })
})
