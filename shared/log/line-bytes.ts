// A log line as bytes. An access line has about thirty parts. As a text, it would be a tree of its parts until its batch is written:
// the garbage collector copies such trees, and the copy into bytes visits each part. So its parts are written as bytes at once.

const [SPACE, QUOTE, POINT, ZERO, BACKSLASH, LAST_PRINTABLE] = [0x20, 0x22, 0x2e, 0x30, 0x5c, 0x7e]
/** Whole numbers from here on are not written: their division is slow. */
const MAX_WHOLE = 2 ** 31

/** The place of the next line in a buffer. */
export class LineBytes {
  bytes: Uint8Array = new Uint8Array(0)
  /** Index behind the last written byte. It is larger than the length of `bytes` when the line does not fit. */
  end = 0
  #isExact = true

  /** False: a part of the line could not be written, or did not fit, so its bytes are useless. */
  get isComplete(): boolean {
    return this.#isExact && this.end <= this.bytes.length
  }

  /** Starts a line at `end`. */
  begin(): void {
    this.#isExact = true
  }

  /** Writes bytes of valid JSON. */
  put(part: Uint8Array): void {
    const { bytes, end } = this
    this.end = end + part.length
    if (this.end > bytes.length) return
    // A call of `set` costs as much as a loop over so many bytes.
    if (part.length > 24) bytes.set(part, end)
    else for (let index = 0; index < part.length; index += 1) bytes[end + index] = part[index] as number
  }

  /** Writes the content of a JSON string. Texts outside of printable ASCII, or with characters that JSON escapes, are not written. */
  putText(text: string): void {
    const { bytes, end } = this
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index)
      if (code < SPACE || code > LAST_PRINTABLE || code === QUOTE || code === BACKSLASH) {
        this.#isExact = false
        return
      }
      bytes[end + index] = code
    }
    this.end = end + text.length
  }

  /** Writes a number with at most three digits after the point. Other numbers are not written. */
  putNumber(value: number): void {
    const thousandths = Math.round(value * 1000)
    if (!(value >= 0 && value < MAX_WHOLE && thousandths / 1000 === value)) {
      this.#isExact = false
      return
    }
    const whole = Math.floor(value)
    this.#putWhole(whole)
    const fraction = thousandths - whole * 1000
    if (fraction === 0) return
    this.bytes[this.end] = POINT
    this.end += 1
    this.putDigits(fraction, fraction % 100 === 0 ? 1 : fraction % 10 === 0 ? 2 : 3)
  }

  /** Writes the first `count` of the three digits of 0 to 999. */
  putDigits(value: number, count: number): void {
    const { bytes, end } = this
    bytes[end] = ZERO + Math.trunc(value / 100)
    if (count > 1) bytes[end + 1] = ZERO + (Math.trunc(value / 10) % 10)
    if (count > 2) bytes[end + 2] = ZERO + (value % 10)
    this.end = end + count
  }

  #putWhole(value: number): void {
    let count = 1
    for (let rest = value; rest >= 10; rest = Math.trunc(rest / 10)) count += 1
    let rest = value
    for (let at = this.end + count - 1; at >= this.end; at -= 1) {
      this.bytes[at] = ZERO + (rest % 10)
      rest = Math.trunc(rest / 10)
    }
    this.end += count
  }
}
