// Writes and reads the bytes of a message: unsigned integers with 7 bits per byte, least significant first, and raw bytes. The
// reader validates all input and throws MalformedError.

import { MalformedError } from './malformed.ts'

export class ByteWriter {
  #bytes: Buffer
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** Writes an integer from 0 to 2^53 - 1. */
  integer(value: number): void {
    this.#reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** Overwrites 4 written bytes, most significant first. */
  uint32At(offset: number, value: number): void {
    this.#bytes.writeUInt32BE(value, offset)
  }

  /** Returns a view of the written bytes from `offset` on. The next write may make it outdated. */
  since(offset: number): Uint8Array {
    return this.#bytes.subarray(offset, this.#length)
  }

  /** Returns the written bytes. The writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.#length + count, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#offset === this.#bytes.length
  }

  integer(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.#bytes[this.#offset++]
      if (byte === undefined) throw new MalformedError('an integer is cut short')
      value += (byte & 0x7f) * scale
      if (value > Number.MAX_SAFE_INTEGER) throw new MalformedError('an integer is too large')
      if (byte < 0x80) return value
      scale *= 0x80
    }
  }

  /** Returns a view on the message, not a copy. */
  bytes(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#offset) throw new MalformedError('bytes are cut short')
    this.#offset += length
    return this.#bytes.subarray(this.#offset - length, this.#offset)
  }
}
