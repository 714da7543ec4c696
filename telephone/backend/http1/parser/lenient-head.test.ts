import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HttpError } from './http-error.ts'
import type { ResponseHead } from './response-head.ts'
import { type BackendParsing, DEFAULT_PARSER_LIMITS, ResponseParser } from './response-parser.ts'

interface Outcome {
  readonly heads: ResponseHead[]
  body: string
  trailers: Fields | undefined
  complete: boolean
  error: string | undefined
}

function parse(chunks: readonly string[], parsing: BackendParsing, maxHeadBytes = 65_536): Outcome {
  const outcome: Outcome = { heads: [], body: '', trailers: undefined, complete: false, error: undefined }
  const sink = {
    onHead: (head: ResponseHead) => void outcome.heads.push(head),
    onBody: (chunk: Buffer) => {
      outcome.body += chunk.toString('latin1')
    },
    onComplete: (trailers: Fields | undefined) => {
      outcome.complete = true
      outcome.trailers = trailers
    },
  }
  const parser = new ResponseParser(sink, { ...DEFAULT_PARSER_LIMITS, maxHeadBytes }, parsing)
  parser.expect({ head: false, upgrade: false })
  try {
    for (const chunk of chunks) parser.push(Buffer.from(chunk, 'latin1'))
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    outcome.error = error.message
  }
  return outcome
}

const cut = (text: string, at: readonly number[]) => {
  const points = [0, ...at.map(each => each % (text.length + 1)).sort((a, b) => a - b), text.length]
  return points.slice(1).map((end, index) => text.slice(points[index], end))
}

describe('a lenient reader', () => {
  it.each<[string, string, string[]]>([
    ['bare LFs', 'HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\nok', ['A', 'b', 'Content-Length', '2']],
    ['an LF in the end alone', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok', ['Content-Length', '2']],
    ['an LF before the empty line', 'HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok', ['Content-Length', '2']],
    [
      'blanks before a colon',
      'HTTP/1.1 200 OK\r\nContent-Length \t: 2\r\nA : b : c\r\n\r\nok',
      ['Content-Length', '2', 'A', 'b : c'],
    ],
    [
      'folded lines',
      'HTTP/1.1 200 OK\r\nA: b\r\n  c\r\n\td \r\nContent-Length: 2\r\n\r\nok',
      ['A', 'b c d', 'Content-Length', '2'],
    ],
    [
      'an interim head',
      'HTTP/1.1 103 Hints\nA: b\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok',
      ['Content-Length', '2'],
    ],
  ])('accepts %s, for each split of the bytes', (_name, text, fields) => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 5 }), at => {
        const { heads, body, complete, error } = parse(cut(text, at), 'lenient')
        expect([heads.at(-1)?.fields, body, complete, error]).toEqual([fields, 'ok', true, undefined])
      }),
      { numRuns: 50 },
    )
    expect(parse([text], 'strict').error).toMatch(/set backendParsing to lenient to accept it/)
  })

  it.each([
    [
      'two lengths',
      'HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length : 2\n\nok',
      /more than one Content-Length/,
    ],
    [
      'a length beside chunks',
      'HTTP/1.1 200 OK\nContent-Length: 2\nTransfer-Encoding : chunked\n\n',
      /both Transfer-Encoding and Content-Length/,
    ],
    ['an unknown coding', 'HTTP/1.1 200 OK\nTransfer-Encoding: x\n\n', /other than chunked/],
    [
      'a folded length',
      'HTTP/1.1 200 OK\nContent-Length: 2\n 0\n\nok',
      /field that frames the message is folded/,
    ],
    [
      'a folded coding',
      'HTTP/1.1 200 OK\nTransfer-Encoding:\n chunked\n\n',
      /field that frames the message is folded/,
    ],
    ['a fold behind the status line', 'HTTP/1.1 200 OK\n A: b\n\n', /follows the status line/],
    ['a line of blanks', 'HTTP/1.1 200 OK\nA: b\n \nContent-Length: 2\n\n', /line of blanks/],
    ['a bare CR', 'HTTP/1.1 200 OK\nA: b\rContent-Length: 2\n\n', /bare CR/],
    ['two CRs', 'HTTP/1.1 200 OK\r\r\nContent-Length: 2\r\n\r\n', /bare CR/],
    ['NUL', 'HTTP/1.1 200 OK\nA: \0\n\n', /control character/],
    ['a name that is not a token', 'HTTP/1.1 200 OK\nA b: c\n\n', /not a token/],
    ['another protocol', 'hello\n\n', /status line/],
    [
      'a bare LF around a chunk',
      'HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nok\r\n',
      /size of a chunk/,
    ],
    ['a head larger than the limit', `HTTP/1.1 200 OK\nA: ${'x'.repeat(500)}\n\n`, /larger than 400 bytes/],
  ])('rejects %s', (_name, text, message) => {
    for (const chunks of [[text], [...text]]) expect(parse(chunks, 'lenient', 400).error).toMatch(message)
  })

  it('reads a strict head like the strict reader', () => {
    const line = fc.tuple(fc.stringMatching(/^[A-Za-z-]{1,8}$/), fc.stringMatching(/^[!-~ ]{0,12}$/))
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 4 }), (lines, at) => {
        const fields = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
        const chunks = cut(`HTTP/1.1 200 OK\r\n${fields}\r\n`, at)
        expect(parse(chunks, 'lenient')).toEqual(parse(chunks, 'strict'))
      }),
    )
  })
})
