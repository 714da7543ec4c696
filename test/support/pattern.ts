// A pattern of bytes that can be computed and checked at any offset, so that a check of a transfer needs no copy of the sent
// bytes. A lost, repeated or moved piece leads to a wrong byte.

import { createHash } from 'node:crypto'

// A prime, so that no buffer size in use is a multiple of it, and a shifted piece never matches.
const PERIOD = 65_521

const TABLE = Buffer.alloc(2 * PERIOD)
for (let index = 0; index < TABLE.length; index += 1) {
  TABLE[index] = ((index % PERIOD) * 31 + ((index % PERIOD) >>> 8)) & 0xff
}

/** Returns a read-only view of the pattern's bytes from `offset` on. `length` is at most one period (65,521). */
function viewOf(offset: number, length: number): Buffer {
  const start = offset % PERIOD
  return TABLE.subarray(start, start + length)
}

/** Returns a copy of `length` bytes of the pattern from `offset` on. */
export function patternBytes(offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let done = 0; done < length; done += PERIOD) {
    viewOf(offset + done, Math.min(PERIOD, length - done)).copy(bytes, done)
  }
  return bytes
}

/** True when `bytes` equal the pattern from `offset` on. */
export function isPattern(bytes: Buffer, offset: number): boolean {
  for (let done = 0; done < bytes.length; done += PERIOD) {
    const piece = bytes.subarray(done, done + PERIOD)
    if (!piece.equals(viewOf(offset + done, piece.length))) return false
  }
  return true
}

/** Returns the SHA-256 of the first `length` bytes of the pattern, in hex. */
export function patternHash(length: number): string {
  const hash = createHash('sha256')
  for (let done = 0; done < length; done += PERIOD) hash.update(viewOf(done, Math.min(PERIOD, length - done)))
  return hash.digest('hex')
}
