// Ids that sort by the time of their creation (UUIDv7, RFC 9562, section 5.7). Random bytes are created in bulk, because a call for each
// id would cost more than the id. Node 22 and 24 have no function for them.

import { randomFillSync } from 'node:crypto'

const HEX_DIGITS = Buffer.from('0123456789abcdef', 'latin1')
const BYTES_PER_ID = 10
const IDS_PER_DRAW = 256

export class UuidV7 {
  readonly #wallTime: () => number
  readonly #fill: (bytes: Uint8Array) => void
  readonly #random = new Uint8Array(BYTES_PER_ID * IDS_PER_DRAW)
  /** The buffer of the next id. Digits are written in place, so that an id allocates only one string. */
  readonly #text = Buffer.from('00000000-0000-7000-8000-000000000000', 'latin1')
  #next = this.#random.length
  #lastMs = -1

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
      this.#text.write(hex.slice(0, 8), 0, 'latin1')
      this.#text.write(hex.slice(8), 9, 'latin1')
    }
    const random = this.#random
    const at = this.#next
    this.#next += BYTES_PER_ID
    // xxxxxxxx-xxxx-7rrr-vrrr-rrrrrrrrrrrr: version and variant take six bits, and the other 74 bits are random.
    this.#text[15] = HEX_DIGITS[(random[at] as number) & 0xf] as number
    this.#setByte(16, random[at + 1] as number)
    this.#setByte(19, ((random[at + 2] as number) & 0x3f) | 0x80)
    this.#setByte(21, random[at + 3] as number)
    for (let index = 0; index < 6; index += 1) {
      this.#setByte(24 + index * 2, random[at + 4 + index] as number)
    }
    return this.#text.toString('latin1')
  }

  #setByte(position: number, byte: number): void {
    this.#text[position] = HEX_DIGITS[byte >> 4] as number
    this.#text[position + 1] = HEX_DIGITS[byte & 0xf] as number
  }
}
