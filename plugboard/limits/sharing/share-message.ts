// The messages of a share stream: for each key the total that the sender has admitted. One message has at most MESSAGE_BYTES, and
// each number in it is bounded, so that a malformed message costs little and changes no count (PROTOCOL.md, "Shared limits").
//
//   message = version u8 (1), since varint, then entries up to the end
//   entry   = key u56, quota u8, [interval f64, burst varint], birth varint, total varint, ahead varint
//
// A quota is written at its first use in a message, and has the next free number. Numbers are big-endian, varints LEB128.

import type { Quota } from '../gcra.ts'
import type { LimitKey } from '../limit-table.ts'

/** Most bytes of one message. */
export const MESSAGE_BYTES = 16 * 1024

const VERSION = 1
const MAX_VARINT_BYTES = 8
/** A first entry with a new quota: the key, the number of the quota, the interval, and four varints. */
const MAX_ENTRY_BYTES = 7 + 1 + 8 + 4 * MAX_VARINT_BYTES
/** The number of a quota is one byte. */
const MAX_QUOTAS = 256
/** 31 days and 1e9: the bounds of a limit. */
const MAX_INTERVAL_MS = 2_678_400_000
const MAX_BURST = 1_000_000_000

export interface ShareEntry {
  readonly key: LimitKey
  /** The quota of the limit at the sender. */
  readonly quota: Quota
  /** Grows with each key that the sender adds to its table, also when a key returns. A total counts from the birth of its key. */
  readonly birth: number
  /** Requests or bytes that the sender has admitted since the birth of the key. */
  readonly total: number
  /** Requests or bytes until the whole burst is available at the sender, with all requests that it counts. */
  readonly ahead: number
}

export interface ShareMessage {
  /** Keys with a higher birth were added after the sender had opened its end of the stream. */
  readonly since: number
  readonly entries: readonly ShareEntry[]
}

/** Writes one message. Reused, so that a message costs one buffer. */
export class ShareWriter {
  readonly #bytes = Buffer.allocUnsafe(MESSAGE_BYTES)
  readonly #quotas: Quota[] = []
  #length = 0

  begin(since: number): void {
    this.#quotas.length = 0
    this.#bytes[0] = VERSION
    this.#length = 1
    this.#varint(since)
  }

  /** Bytes of the message so far. */
  get length(): number {
    return this.#length
  }

  /** True when a further entry fits into a message of `maxBytes`. */
  hasRoom(maxBytes = MESSAGE_BYTES): boolean {
    return (
      this.#length + MAX_ENTRY_BYTES <= Math.min(maxBytes, MESSAGE_BYTES) && this.#quotas.length < MAX_QUOTAS
    )
  }

  /** Call only while `hasRoom`. */
  add(key: LimitKey, { intervalMs, burst }: Quota, birth: number, total: number, ahead: number): void {
    const bytes = this.#bytes
    bytes.writeUIntBE(Math.floor(key / 0x100), this.#length, 6)
    bytes[this.#length + 6] = key % 0x100
    this.#length += 7
    let index = this.#quotas.findIndex(known => known.intervalMs === intervalMs && known.burst === burst)
    const isNew = index === -1
    if (isNew) index = this.#quotas.push({ intervalMs, burst }) - 1
    bytes[this.#length++] = index
    if (isNew) {
      this.#length = bytes.writeDoubleBE(intervalMs, this.#length)
      this.#varint(burst)
    }
    this.#varint(birth)
    this.#varint(total)
    this.#varint(ahead)
  }

  /** Returns a copy of the message. */
  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length))
  }

  /** Writes an integer from 0 to 2^53 - 1, 7 bits in each byte, the lowest first. */
  #varint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = 0x80 | (rest % 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
  }
}

/** Returns the message; undefined: it is malformed. */
export function decodeShare(bytes: Uint8Array): ShareMessage | undefined {
  if (bytes.length > MESSAGE_BYTES || bytes[0] !== VERSION) return undefined
  const reader = new Reader(bytes)
  const since = reader.varint()
  const quotas: Quota[] = []
  const entries: ShareEntry[] = []
  while (!reader.isAtEnd && !reader.failed) {
    const key = reader.key()
    const index = reader.byte()
    if (index > quotas.length) return undefined
    if (index === quotas.length) quotas.push(reader.quota())
    const quota = quotas[index] as Quota
    entries.push({ key, quota, birth: reader.varint(), total: reader.varint(), ahead: reader.varint() })
  }
  return reader.failed ? undefined : { since, entries }
}

/** Reads numbers. After a malformed one, `failed` is true, and all further numbers are 0. */
class Reader {
  readonly #bytes: Buffer
  #at = 1
  failed = false

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  byte(): number {
    if (!this.#has(1)) return 0
    return this.#bytes[this.#at++] as number
  }

  key(): LimitKey {
    if (!this.#has(7)) return 0
    const value = this.#bytes.readUIntBE(this.#at, 6) * 0x100 + (this.#bytes[this.#at + 6] as number)
    this.#at += 7
    return this.#checked(value, value <= Number.MAX_SAFE_INTEGER)
  }

  quota(): Quota {
    if (!this.#has(8)) return { intervalMs: 1, burst: 1 }
    const intervalMs = this.#bytes.readDoubleBE(this.#at)
    this.#at += 8
    const burst = this.varint()
    const isValid = intervalMs > 0 && intervalMs <= MAX_INTERVAL_MS && burst >= 1 && burst <= MAX_BURST
    this.#checked(0, isValid)
    return { intervalMs, burst }
  }

  varint(): number {
    let value = 0
    let factor = 1
    for (let count = 0; count < MAX_VARINT_BYTES; count += 1) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return this.#checked(value, value <= Number.MAX_SAFE_INTEGER)
      factor *= 0x80
    }
    return this.#checked(0, false)
  }

  #has(count: number): boolean {
    if (this.#at + count <= this.#bytes.length) return !this.failed
    this.failed = true
    return false
  }

  #checked(value: number, isValid: boolean): number {
    if (!isValid) this.failed = true
    return this.failed ? 0 : value
  }
}
