// The bytes that belong to the nonce of a request. Backend and client compute them independently, so that a response that is
// cut, shifted, or belongs to another request has wrong bytes.

import { createHash } from 'node:crypto'
import { patternBytes } from '../../support/pattern.ts'

export function payload(nonce: string, bytes: number): Buffer {
  return patternBytes(createHash('sha256').update(nonce).digest().readUInt32BE(0), bytes)
}

export function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
