// A slow and simple second version of the response parser, for tests. It needs all bytes at once, works on one string, and follows
// RFC 9112 section by section. A difference between the two is a fault of one of them.

import { relayedTrailers } from '@vera-stack/shared/http/headers.ts'
import type { RequestTraits } from '../backend/http1/parser/response-head.ts'

/** The result for a response. `incomplete`: the bytes are valid so far, but more bytes are needed. */
export interface Outcome {
  result: 'complete' | 'incomplete' | 'error'
  statuses: number[]
  fields: string[][]
  body: string
  trailers: string[] | undefined
  /** The number of bytes after the response. */
  left: number
}

class Broken extends Error {}
class Missing extends Error {}

export function slowParse(text: string, request: RequestTraits, closed: boolean): Outcome {
  const outcome: Outcome = {
    result: 'complete',
    statuses: [],
    fields: [],
    body: '',
    trailers: undefined,
    left: 0,
  }
  let rest = text
  try {
    for (;;) {
      const [section, after] = cutAt(rest, '\r\n\r\n')
      const lines = section.split('\r\n')
      const status = /^HTTP\/1\.([01]) ([1-9]\d\d)( [\t -~\x80-\xff]*)?$/.exec(lines.shift() ?? '')
      if (!status) throw new Broken()
      const code = Number(status[2])
      const fields = fieldLines(lines)
      const encodings = valuesOf(fields, 'transfer-encoding')
      const lengths = valuesOf(fields, 'content-length')
      if (encodings.length > 1 || lengths.length > 1) throw new Broken()
      if (encodings.length > 0 && (lengths.length > 0 || status[1] === '0')) throw new Broken()
      if (encodings.length > 0 && encodings[0]!.toLowerCase() !== 'chunked') throw new Broken()
      if (
        lengths.length > 0 &&
        !(/^\d{1,16}$/.test(lengths[0]!) && Number.isSafeInteger(Number(lengths[0])))
      ) {
        throw new Broken()
      }
      const announced = encodings.length > 0 || Number(lengths[0] ?? 0) > 0
      if (code < 200 && status[1] === '0') throw new Broken()
      if (code === 101 && !request.upgrade) throw new Broken()
      if (code < 200 && code !== 101 && announced) throw new Broken()
      rest = after
      outcome.statuses.push(code)
      outcome.fields.push(fields.filter((_, i) => fields[i - (i % 2)]!.toLowerCase() !== 'transfer-encoding'))
      if (code < 200 && code !== 101) continue
      if (code === 101) {
        outcome.body = rest
        outcome.result = closed ? 'complete' : 'incomplete'
        return outcome
      }
      if (request.head || [204, 205, 304].includes(code)) break
      if (encodings.length > 0) {
        rest = chunks(rest, outcome)
        break
      }
      if (lengths.length === 0) {
        outcome.body = rest
        outcome.result = closed ? 'complete' : 'incomplete'
        return outcome
      }
      const length = Number(lengths[0])
      outcome.body = rest.slice(0, length)
      if (rest.length < length) throw new Missing()
      rest = rest.slice(length)
      break
    }
    outcome.left = rest.length
  } catch (error) {
    if (error instanceof Broken) outcome.result = 'error'
    else if (error instanceof Missing) outcome.result = 'incomplete'
    else throw error
  }
  return outcome
}

function chunks(text: string, outcome: Outcome): string {
  let rest = text
  for (;;) {
    // The bytes of an incomplete chunk size are checked when they arrive, as in the fast parser.
    const early = /^[0-9a-fA-F]{1,11}(;[\t -~\x80-\xff]*)?(\r\n?)?/.exec(rest)
    if (rest === '') throw new Missing()
    if (!early) throw new Broken()
    if (!early[0].endsWith('\r\n')) {
      if (early[0].length < rest.length) throw new Broken()
      throw new Missing()
    }
    const size = Number.parseInt(early[0], 16)
    rest = rest.slice(early[0].length)
    if (size === 0) break
    outcome.body += rest.slice(0, size)
    if (rest.length < size) throw new Missing()
    const end = rest.slice(size, size + 2)
    if (!'\r\n'.startsWith(end)) throw new Broken()
    if (end.length < 2) throw new Missing()
    rest = rest.slice(size + 2)
  }
  const [section, after] = cutAt(`\r\n${rest}`, '\r\n\r\n')
  const lines = section.split('\r\n').slice(1)
  if (lines.length > 0) outcome.trailers = relayedTrailers(fieldLines(lines))
  return after
}

function fieldLines(lines: string[]): string[] {
  return lines.flatMap(line => {
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~\x80-\xff]*)$/.exec(line)
    if (!match) throw new Broken()
    return [match[1]!, match[2]!.replace(/^[ \t]+|[ \t]+$/g, '')]
  })
}

function valuesOf(fields: string[], name: string): string[] {
  return fields.filter((_, index) => index % 2 === 1 && fields[index - 1]!.toLowerCase() === name)
}

function cutAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark)
  if (at === -1) throw new Missing()
  return [text.slice(0, at), text.slice(at + mark.length)]
}
