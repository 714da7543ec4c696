// Finds the empty line that ends a head or a trailer section, however the bytes are split into chunks.
// Keeps what came before as text, at most `limit` bytes, and never looks at a byte twice.

import { HttpError, LENIENT_HINT } from './http-error.ts'

const END = '\r\n\r\n'
const END_BYTES = Buffer.from(END, 'latin1')
/** What a split terminator can leave behind, and one byte more: the one in front of a lone LF. */
const TAIL = 3
const BARE_LF = /[^\r]\n/

export class HeadCollector {
  readonly #limitBytes: number
  /** Text that every section starts behind: CR LF for trailers, so that an empty section is found as well. */
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
   * Reads on from `start`. Returns the offset behind the section's end, with its text (without the empty line)
   * in `text`, or -1 when all of the chunk was taken and the section goes on. Throws HttpError past the limit.
   */
  read(chunk: Buffer, start: number): number {
    if (this.#parts.length === 0 && this.#prefix === '') {
      const end = chunk.indexOf(END_BYTES, start)
      if (end !== -1) {
        if (end - start > this.#limitBytes) throw tooLarge()
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
      if (this.#bytes >= this.#limitBytes + END.length) throw tooLarge()
      this.#parts.push(piece)
      // A head of bare LFs would otherwise never end.
      if (BARE_LF.test(probe)) throw new HttpError(`a bare LF in the head${LENIENT_HINT}`)
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

  /** What has been collected of an unfinished section, its first `length` characters at most. */
  start(length: number): string {
    let text = ''
    for (const part of this.#parts) {
      text += part
      if (text.length >= length) break
    }
    return text.slice(0, length)
  }

  /** Is a section begun and not finished? */
  get pending(): boolean {
    return this.#parts.length > 0
  }
}

function tooLarge(): HttpError {
  return new HttpError('a head larger than the limit')
}
