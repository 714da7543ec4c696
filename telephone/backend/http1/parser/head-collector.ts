// Finds the empty line that ends a head or a trailer section, for any split of the bytes into chunks. Keeps the earlier
// text, at most `limit` bytes, and reads each byte only once.

import { BARE_LF_IN_HEAD, HttpError } from './http-error.ts'

const END = '\r\n\r\n'
const END_BYTES = Buffer.from(END, 'latin1')
/** Bytes of a terminator that can be in the previous chunk, plus one: the byte before a bare LF. */
const TAIL = 3
const BARE_LF = /[^\r]\n/

export class HeadCollector {
  readonly #limitBytes: number
  /** Text before the start of each section: CR LF for trailers, so that an empty section is found too. */
  readonly #prefix: string
  #parts: string[] = []
  #bytes = 0
  #tail: string

  constructor(limitBytes: number, prefix: '' | '\r\n') {
    this.#limitBytes = limitBytes
    this.#prefix = prefix
    this.#tail = prefix
  }

  /** The section that `read` found last, without its empty line. */
  text = ''

  /**
   * Reads from `start`. At the end of the section, returns the offset after it and sets `text` to the section without its
   * empty line. Returns -1 when the section continues after the chunk. Throws HttpError when the section exceeds the limit.
   */
  read(chunk: Buffer, start: number): number {
    if (this.#parts.length === 0 && this.#prefix === '') {
      const end = chunk.indexOf(END_BYTES, start)
      if (end !== -1) {
        if (end - start > this.#limitBytes) throw this.#tooLarge()
        this.text = chunk.toString('latin1', start, end)
        return end + END.length
      }
    }
    return this.#readSplit(chunk, start)
  }

  #readSplit(chunk: Buffer, start: number): number {
    const stop = Math.min(chunk.length, start + this.#limitBytes + END.length - this.#bytes)
    const piece = chunk.toString('latin1', start, stop)
    const probe = this.#tail + piece
    const at = probe.indexOf(END)
    if (at === -1) {
      this.#bytes += piece.length
      if (this.#bytes >= this.#limitBytes + END.length) throw this.#tooLarge()
      this.#parts.push(piece)
      // Without this check, a head with bare LFs would never end.
      if (BARE_LF.test(probe)) throw this.#bareLf()
      this.#tail = probe.slice(-TAIL)
      return -1
    }
    const taken = at + END.length - this.#tail.length
    const all = this.#prefix + this.#parts.join('') + piece.slice(0, taken)
    this.text = all.slice(this.#prefix.length, -END.length)
    this.#parts = []
    this.#bytes = 0
    this.#tail = this.#prefix
    return start + taken
  }

  /** Returns the first `length` characters of an unfinished section. */
  start(length: number): string {
    let text = ''
    for (const part of this.#parts) {
      text += part
      if (text.length >= length) break
    }
    return text.slice(0, length)
  }

  /** True when a section has started and not ended. */
  get pending(): boolean {
    return this.#parts.length > 0
  }

  #tooLarge(): HttpError {
    const section = this.#prefix === '' ? 'head is' : 'trailers are'
    return new HttpError(`the ${section} larger than ${this.#limitBytes} bytes`)
  }

  /** The lenient reader accepts a bare LF in a head only. */
  #bareLf(): HttpError {
    return new HttpError(this.#prefix === '' ? BARE_LF_IN_HEAD : 'a line of the trailers ends with a bare LF')
  }
}
