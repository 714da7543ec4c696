// Request ids: the client's when it looks like one, else a UUIDv7 (RFC 9562 section 5.7), whose order is that of
// time, so that logs sort by it. Random bytes are drawn in bulk: one draw per request would cost more than the id.

import { randomFillSync } from 'node:crypto'

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const BYTES_PER_ID = 10
const IDS_PER_DRAW = 256

export class RequestIds {
  readonly #wallTime: () => number
  readonly #fill: (bytes: Uint8Array) => void
  readonly #random = new Uint8Array(BYTES_PER_ID * IDS_PER_DRAW)
  #next = this.#random.length
  #lastMs = -1
  #timePart = ''

  /** `wallTime`: ms since 1970. `fill`: fills an array with random bytes. */
  constructor(wallTime: () => number = Date.now, fill: (bytes: Uint8Array) => void = randomFillSync) {
    this.#wallTime = wallTime
    this.#fill = fill
  }

  next(): string {
    if (this.#next === this.#random.length) {
      this.#fill(this.#random)
      this.#next = 0
    }
    const ms = this.#wallTime()
    if (ms !== this.#lastMs) {
      this.#lastMs = ms
      const hex = ms.toString(16).padStart(12, '0')
      this.#timePart = `${hex.slice(0, 8)}-${hex.slice(8)}-7`
    }
    const at = this.#next
    this.#next += BYTES_PER_ID
    const byte = (offset: number): string => HEX[this.#random[at + offset] as number] as string
    const variant = HEX[((this.#random[at + 2] as number) & 0x3f) | 0x80] as string
    const head = `${this.#timePart}${byte(0).slice(1)}${byte(1)}-${variant}${byte(3)}-`
    return head + byte(4) + byte(5) + byte(6) + byte(7) + byte(8) + byte(9)
  }
}

/** 1-128 visible ASCII characters. */
export function looksLikeRequestId(value: string): boolean {
  if (value.length === 0 || value.length > 128) return false
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index)
    if (code < 0x21 || code > 0x7e) return false
  }
  return true
}
