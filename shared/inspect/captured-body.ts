// The first bytes of a body in flight, as copies of its chunks. They are not masked yet, because masking needs the end of the body. After
// masking, they are overwritten with zeros. They count toward the memory limit of the inspector.

import type { Omission } from '../masking/mask-body.ts'
import type { ExchangeRing } from './exchange-ring.ts'

export class CapturedBody {
  readonly #memory: Pick<ExchangeRing, 'reserve' | 'release'>
  readonly #maxBytes: number
  readonly #chunks: Buffer[] = []
  #kept = 0
  /** The length of the whole body. */
  length = 0
  omitted: Omission | undefined

  constructor(memory: Pick<ExchangeRing, 'reserve' | 'release'>, maxBytes: number) {
    this.#memory = memory
    this.#maxBytes = maxBytes
  }

  get isCut(): boolean {
    return this.#kept < this.length
  }

  /** The number of bytes that are not kept. */
  get missing(): number {
    return this.length - this.#kept
  }

  add(chunk: Buffer): void {
    this.length += chunk.length
    if (this.omitted !== undefined) return
    const part = chunk.subarray(0, this.#maxBytes - this.#kept)
    if (part.length === 0) return
    if (!this.#memory.reserve(part.length)) {
      this.leaveOut('memory')
      return
    }
    // The copy has its own memory. So it can be erased, and the memory of the chunk can be freed.
    const copy = Buffer.allocUnsafeSlow(part.length)
    part.copy(copy)
    this.#chunks.push(copy)
    this.#kept += part.length
  }

  /** Keeps no content, only the length. */
  leaveOut(reason: Omission): void {
    this.erase()
    this.omitted = reason
  }

  /** Returns the kept bytes in one new buffer, and erases the copies. */
  take(): Buffer {
    const bytes = Buffer.allocUnsafeSlow(this.#kept)
    let at = 0
    for (const chunk of this.#chunks) at += chunk.copy(bytes, at)
    for (const chunk of this.#chunks.splice(0)) chunk.fill(0)
    return bytes
  }

  /** Erases the kept bytes, and frees their memory. */
  erase(): void {
    for (const chunk of this.#chunks.splice(0)) chunk.fill(0)
    this.#memory.release(this.#kept)
    this.#kept = 0
  }
}
