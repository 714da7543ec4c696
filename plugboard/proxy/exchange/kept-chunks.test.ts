// Kept chunks are returned unchanged and in order, in few buffers.

import { expect, it } from 'vitest'
import { isPattern, patternBytes } from '../../../test/support/pattern.ts'
import { KeptChunks } from './kept-chunks.ts'

it('keeps 64 KiB that arrived byte by byte in a few buffers', () => {
  const kept = new KeptChunks()
  for (let at = 0; at < 65_536; at += 1) kept.add(patternBytes(at, 1))
  expect([kept.bytes, kept.all().length]).toEqual([65_536, 16 + 4])
  expect(isPattern(Buffer.concat(kept.all()), 0)).toBe(true)
})

it('keeps the order of small and large chunks', () => {
  const kept = new KeptChunks()
  let at = 0
  for (let count = 0; count < 200; count += 1) {
    const bytes = count % 7 === 0 ? 5000 : 1 + (count % 30)
    kept.add(patternBytes(at, bytes))
    at += bytes
    expect(kept.bytes).toBe(at)
  }
  expect(isPattern(Buffer.concat(kept.all()), 0)).toBe(true)
})

it('does not keep the rest of a buffer alive for a small chunk', () => {
  const kept = new KeptChunks()
  kept.add(Buffer.allocUnsafeSlow(65_536).subarray(0, 10))
  expect(kept.all()[0]!.buffer.byteLength).toBe(10)
})
