// Bytes that anyone can make and check at any offset, so that a transfer needs no copy of what was sent: a
// lost, repeated or moved piece shows as a wrong byte.

import { createHash } from 'node:crypto'

// Prime, so that no buffer size in use is a multiple of it and a shifted piece never looks right.
const PERIOD = 65_521

const TABLE = Buffer.alloc(2 * PERIOD)
for (let index = 0; index < TABLE.length; index += 1) {
  TABLE[index] = ((index % PERIOD) * 31 + ((index % PERIOD) >>> 8)) & 0xff
}

/** The pattern's bytes from `offset` on; `length` at most one period (65,521). A view, not to be written to. */
function viewOf(offset: number, length: number): Buffer {
  const start = offset % PERIOD
  return TABLE.subarray(start, start + length)
}

/** A copy of the pattern's `length` bytes from `offset` on. */
export function patternBytes(offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let done = 0; done < length; done += PERIOD) {
    viewOf(offset + done, Math.min(PERIOD, length - done)).copy(bytes, done)
  }
  return bytes
}

/** Whether `bytes` are the pattern's from `offset` on. */
export function isPattern(bytes: Buffer, offset: number): boolean {
  for (let done = 0; done < bytes.length; done += PERIOD) {
    const piece = bytes.subarray(done, done + PERIOD)
    if (!piece.equals(viewOf(offset + done, piece.length))) return false
  }
  return true
}

/** SHA-256 of the pattern's first `length` bytes, hex. */
export function patternHash(length: number): string {
  const hash = createHash('sha256')
  for (let done = 0; done < length; done += PERIOD) hash.update(viewOf(done, Math.min(PERIOD, length - done)))
  return hash.digest('hex')
}
