// The bytes that a request's nonce stands for: backend and client make them apart from each other, so that an
// answer that is cut, shifted, or somebody else's shows as wrong bytes.

import { createHash } from 'node:crypto'
import { patternBytes } from '../support/pattern.ts'

export function payload(nonce: string, bytes: number): Buffer {
  return patternBytes(createHash('sha256').update(nonce).digest().readUInt32BE(0), bytes)
}

export function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
