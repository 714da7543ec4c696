// Rewrites the head of a backend with inexact lines (`backendParsing: lenient`) as a strict head. Accepts the variants
// that RFC 9112 allows a proxy to accept in a response: a bare LF at the end of a line (section 2.2), blanks before the
// colon of a field (5.1), and a folded field line (5.2). The strict reader then checks the result, so all framing rules
// still apply. A folded framing field is rejected, because two readers may read two lengths.

import { FIELD, fieldOf } from '@vera-stack/shared/http/headers.ts'
import { trimBlanks } from './grammar.ts'
import { HttpError } from './http-error.ts'

/** An empty line: its end is the end of the head. */
const END = /\n\r?\n/
/** Characters of the empty line that can be in the previous chunk. */
const TAIL = 2

/** The lenient counterpart of HeadCollector, for heads only. */
export class LenientHeadCollector {
  readonly #limitBytes: number
  #text = ''
  /** The head that `read` found last, as a strict one without its empty line. */
  text = ''

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** Returns the offset after the end of the head, or -1 when the head continues, like HeadCollector. Throws HttpError. */
  read(chunk: Buffer, start: number): number {
    const before = this.#text.length
    const stop = Math.min(chunk.length, start + this.#limitBytes + TAIL + 1 - before)
    const from = Math.max(0, before - TAIL)
    this.#text += chunk.toString('latin1', start, stop)
    const end = END.exec(this.#text.slice(from))
    if (end === null) {
      if (this.#text.length > this.#limitBytes) throw tooLarge(this.#limitBytes)
      return -1
    }
    const at = from + end.index
    const head = this.#text.slice(0, at)
    this.#text = ''
    if (at > this.#limitBytes) throw tooLarge(this.#limitBytes)
    this.text = strictHead(head.endsWith('\r') ? head.slice(0, -1) : head)
    return start + at + end[0].length - before
  }

  /** Returns the first `length` characters of an unfinished head. */
  start(length: number): string {
    return this.#text.slice(0, length)
  }
}

function tooLarge(limitBytes: number): HttpError {
  return new HttpError(`the head is larger than ${limitBytes} bytes`)
}

function strictHead(head: string): string {
  const lines: string[] = []
  let field = ''
  for (const line of head.split(/\r?\n/)) {
    if (/^[ \t]/.test(line)) {
      if (lines.length < 2) throw new HttpError('a folded line follows the status line')
      lines[lines.length - 1] += ` ${foldOf(line, field)}`
    } else {
      field = lines.length === 0 ? line : line.replace(/^([^:\s]+)[ \t]+:/, '$1:')
      lines.push(field)
    }
  }
  return lines.join('\r\n')
}

/**
 * Returns the text of a line that begins with a blank. It belongs to the field before it: the fold is one blank (RFC 9112,
 * section 5.2). `field`: the first line of that field, because looking at all of its lines for each fold is quadratic.
 */
function foldOf(line: string, field: string): string {
  const known = fieldOf(field.slice(0, Math.max(0, field.indexOf(':'))))
  if (known === FIELD.contentLength || known === FIELD.transferEncoding || known === FIELD.connection) {
    throw new HttpError('a field that frames the message is folded')
  }
  const rest = trimBlanks(line, 0, line.length)
  // Some readers treat a line of blanks as the end of the head.
  if (rest === '') throw new HttpError('the head contains a line of blanks')
  return rest
}
