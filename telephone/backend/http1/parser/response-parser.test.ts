import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Outcome, slowParse } from '../../../testing/response-parser-twin.ts'
import { HttpError } from './http-error.ts'
import type { RequestTraits, ResponseHead } from './response-head.ts'
import { DEFAULT_PARSER_LIMITS, type ParserLimits, ResponseParser } from './response-parser.ts'

const GET: RequestTraits = { head: false, upgrade: false }
const HEAD: RequestTraits = { head: true, upgrade: false }
const UPGRADE: RequestTraits = { head: false, upgrade: true }

interface Parsed extends Outcome {
  heads: ResponseHead[]
  message: string
}

/** Passes the pieces one by one to the parser, then the end of the connection when `closed`. */
function parse(
  pieces: readonly string[],
  request: RequestTraits = GET,
  closed = false,
  limits: Partial<ParserLimits> = {},
): Parsed {
  const parsed: Parsed = {
    result: 'incomplete',
    statuses: [],
    fields: [],
    heads: [],
    body: '',
    trailers: undefined,
    left: 0,
    message: '',
  }
  const parser = new ResponseParser(
    {
      onHead(head) {
        parsed.heads.push(head)
        parsed.statuses.push(head.status)
        parsed.fields.push(head.fields)
      },
      onBody(chunk) {
        parsed.body += chunk.toString('latin1')
      },
      onComplete(trailers) {
        parsed.result = 'complete'
        parsed.trailers = trailers
      },
    },
    { ...DEFAULT_PARSER_LIMITS, ...limits },
  )
  parser.expect(request)
  try {
    for (const piece of pieces) {
      const chunk = Buffer.from(piece, 'latin1')
      parsed.left += chunk.length - parser.push(chunk)
    }
    if (closed && parsed.result === 'incomplete' && parser.finish()) parsed.result = 'complete'
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    parsed.result = 'error'
    parsed.message = error.message
  }
  return parsed
}

const outcomeOf = ({ result, statuses, fields, body, trailers, left }: Outcome): Outcome =>
  result === 'error'
    ? { result, statuses, fields, body, trailers: undefined, left: 0 }
    : { result, statuses, fields, body, trailers, left }

describe('responses of backends', () => {
  const vectors: [name: string, text: string, request: RequestTraits, closed: boolean][] = [
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\n\r\nhello', GET, false],
    ['a length of 0', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', GET, false],
    ['no reason phrase', 'HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx', GET, false],
    ['no blank after the status', 'HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx', GET, false],
    [
      'bytes beyond ASCII',
      'HTTP/1.1 200 \xe9\r\nX-Name: caf\xe9 \xff\r\nContent-Length: 2\r\n\r\n\xc3\xa9',
      GET,
      false,
    ],
    [
      'blanks around a value',
      'HTTP/1.1 200 OK\r\nA:  \t b c \t\r\nB:\r\nC:x\r\nContent-Length: 0\r\n\r\n',
      GET,
      false,
    ],
    [
      'several Set-Cookie',
      'HTTP/1.1 200 OK\r\nset-cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n',
      GET,
      false,
    ],
    [
      'chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n',
      GET,
      false,
    ],
    ['CHUNKED', 'HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: Chunked\r\n\r\n0\r\n\r\n', GET, false],
    [
      'leading zeros',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n000\r\n\r\n',
      GET,
      false,
    ],
    [
      'chunk extensions',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b;c="d e"\r\nabc\r\n0;x\r\n\r\n',
      GET,
      false,
    ],
    [
      'trailers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nGrpc-Status: 0\r\nX:y\r\n\r\n',
      GET,
      false,
    ],
    [
      'trailers that may not stand there',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n',
      GET,
      false,
    ],
    ['until close', 'HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello', GET, true],
    ['until close, not closed', 'HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello', GET, false],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nhello', GET, true],
    [
      'HTTP/1.0 with a length',
      'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi',
      GET,
      false,
    ],
    ['no fields', 'HTTP/1.1 404 Not Found\r\n\r\n', GET, true],
    ['a status of the future', 'HTTP/1.1 799 Whatever\r\nContent-Length: 1\r\n\r\nx', GET, false],
    ['HEAD with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n', HEAD, false],
    ['HEAD with bytes behind', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', HEAD, false],
    ['204 with bytes behind', 'HTTP/1.1 204 No Content\r\n\r\nhello', GET, false],
    [
      '205 with chunks',
      'HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      GET,
      false,
    ],
    ['304 with a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', GET, false],
    [
      '100, then 200',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx',
      GET,
      false,
    ],
    [
      '100 with a length of 0',
      'HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\nHTTP/1.1 204 X\r\n\r\n',
      GET,
      false,
    ],
    [
      '103 twice',
      'HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 103 E\r\nLink: <b>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      GET,
      false,
    ],
    [
      '101, then bytes',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\x00\x01\r\n\r\nraw',
      UPGRADE,
      true,
    ],
    ['101 declined', 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno', UPGRADE, false],
    [
      'bytes behind the response',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n',
      GET,
      false,
    ],
    [
      'bytes behind the chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore',
      GET,
      false,
    ],
    ['a body cut short', 'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhello', GET, true],
    ['chunks cut short', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', GET, true],
    ['a head cut short', 'HTTP/1.1 200 OK\r\nContent-Len', GET, true],
  ]

  it.each(vectors)('%s: the result of the twin at every split point', (_name, text, request, closed) => {
    const expected = outcomeOf(slowParse(text, request, closed))
    expect(expected.result).not.toBe('error')
    expect(outcomeOf(parse([text], request, closed))).toEqual(expected)
    for (let at = 1; at < text.length; at += 1) {
      expect(outcomeOf(parse([text.slice(0, at), text.slice(at)], request, closed))).toEqual(expected)
    }
    expect(outcomeOf(parse([...text], request, closed))).toEqual(expected)
  })

  it('have the result that is written out for the first vector', () => {
    const { heads, body, result } = parse([vectors[0]![1]])
    expect(heads).toEqual([
      {
        status: 200,
        statusText: 'OK',
        fields: ['Content-Length', '5', 'Server', 'x'],
        framing: 'length',
        contentLength: 5,
        keepAlive: true,
        keepAliveMs: undefined,
        challengesConnection: false,
      },
    ])
    expect({ body, result }).toEqual({ body: 'hello', result: 'complete' })
  })
})

describe('responses that break HTTP', () => {
  const vectors: [name: string, text: string, message: RegExp][] = [
    ['another protocol', 'SSH-2.0-OpenSSH_9.2p1\r\n', /status line/],
    ['another protocol, a whole head', 'ICY 200 OK\r\nA: b\r\n\r\n', /status line/],
    ['HTTP/2.0', 'HTTP/2.0 200 OK\r\n\r\n', /status line/],
    ['a status of 99', 'HTTP/1.1 099 OK\r\n\r\n', /status line/],
    ['four digits', 'HTTP/1.1 2000 OK\r\n\r\n', /status line/],
    ['two blanks', 'HTTP/1.1  200 OK\r\n\r\n', /status line/],
    ['an empty line first', '\r\nHTTP/1.1 200 OK\r\n\r\n', /status line/],
    ['bare LFs', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n', /bare LF/],
    ['one bare LF', 'HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n', /bare/],
    ['a bare CR', 'HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n', /bare/],
    ['a NUL', 'HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n', /control/],
    ['obs-fold', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n', /folded/],
    ['obs-fold on the first line', 'HTTP/1.1 200 OK\r\n A: b\r\n\r\n', /folded/],
    ['a blank before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n', /blank before the colon/],
    ['an empty name', 'HTTP/1.1 200 OK\r\n: b\r\n\r\n', /token/],
    ['no colon', 'HTTP/1.1 200 OK\r\nnothing\r\n\r\n', /colon/],
    [
      'both framings',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
      /both Transfer-Encoding and Content-Length/,
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n', /more than one/],
    [
      'the same length twice',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n',
      /more than one/,
    ],
    ['a list of lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n', /number/],
    ['a signed length', 'HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n', /number/],
    ['a hexadecimal length', 'HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n', /number/],
    ['an empty length', 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n', /number/],
    ['a length beyond numbers', 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n', /number/],
    ['gzip, chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', /other than chunked/],
    [', chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: ,chunked\r\n\r\n', /other than chunked/],
    ['identity', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n', /other than chunked/],
    [
      'chunked twice',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n',
      /more than one/,
    ],
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', /HTTP\/1.0/],
    ['an interim response in HTTP/1.0', 'HTTP/1.0 100 Continue\r\n\r\n', /HTTP\/1.0/],
    ['a 101 without an upgrade request', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', /101/],
    ['a 103 with a body', 'HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\nabc', /interim/],
    ['an empty size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n', /size/],
    ['a size of letters', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n', /size/],
    ['0x3', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n', /size/],
    ['a negative size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\n', /size/],
    ['a blank behind the size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n', /size/],
    [
      'a size beyond numbers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n',
      /more than 11 hexadecimal digits/,
    ],
    ['a bare LF behind the size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n', /size/],
    [
      'a bare CR behind the size',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\rabc\r\n',
      /bare CR/,
    ],
    [
      'a bare LF in an extension',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nabc\r\n',
      /control/,
    ],
    ['a chunk too long', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n', /longer/],
    [
      'a chunk and a bare LF',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n',
      /longer/,
    ],
    [
      'invalid trailers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nnothing\r\n\r\n',
      /trailers/,
    ],
    [
      'a bare LF in the trailers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\nC: d\r\n',
      /^a line of the trailers ends with a bare LF$/,
    ],
    [
      'a folded trailer',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n',
      /trailers/,
    ],
  ]

  it.each(vectors)('%s', (_name, text, message) => {
    expect(parse([text])).toMatchObject({ result: 'error', message: expect.stringMatching(message) })
    for (let at = 1; at < text.length; at += 1) {
      expect(parse([text.slice(0, at), text.slice(at)]).result).toBe('error')
    }
    expect(parse([...text]).result).toBe('error')
  })
})

describe('limits', () => {
  const long = `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(500)}\r\n\r\n`

  it('of the head apply in one piece, in many pieces, and without an end', () => {
    for (const pieces of [[long], [...long], ['HTTP/1.1 200 OK\r\nA: ', 'x'.repeat(10_000)]]) {
      expect(parse(pieces, GET, false, { maxHeadBytes: 200 }).message).toMatch(
        /head is larger than 200 bytes/,
      )
    }
    expect(parse([long], GET, true, { maxHeadBytes: long.length }).result).toBe('complete')
  })

  it('of the trailers apply', () => {
    const text = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: '
    expect(parse([text, 'x'.repeat(500)], GET, false, { maxHeadBytes: 200 }).message).toMatch(
      /trailers are larger than 200 bytes/,
    )
  })

  it('of fields, extensions and interim responses apply', () => {
    const fields = 'A: b\r\n'.repeat(6)
    expect(parse([`HTTP/1.1 200 OK\r\n${fields}\r\n`], GET, false, { maxFields: 5 }).message).toMatch(
      /fields/,
    )
    const chunk = `1;${'e'.repeat(30)}\r\nx\r\n`
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
    expect(parse([chunked, chunk.repeat(4)], GET, false, { maxExtensionBytes: 100 }).message).toMatch(
      /extensions/,
    )
    const interim = 'HTTP/1.1 102 Processing\r\n\r\n'
    expect(parse([interim.repeat(4)], GET, false, { maxInterim: 3 }).message).toMatch(/interim/)
  })
})

describe('the connection after the response', () => {
  const keeps = (text: string, request = GET): boolean => parse([text], request).heads.at(-1)!.keepAlive

  it('is kept by HTTP/1.1 without `close`, and by HTTP/1.0 only with `keep-alive`', () => {
    expect(keeps('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')).toBe(true)
    expect(keeps('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n')).toBe(false)
    expect(keeps('HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n')).toBe(false)
    expect(keeps('HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n')).toBe(true)
    expect(keeps('HTTP/1.1 200 OK\r\n\r\n')).toBe(false)
  })

  it('is not kept when a body was announced that must not come', () => {
    expect(keeps('HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n')).toBe(false)
    expect(keeps('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', HEAD)).toBe(false)
    expect(keeps('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', HEAD)).toBe(true)
    expect(keeps('HTTP/1.1 304 Not Modified\r\n\r\n')).toBe(true)
  })

  it('is kept for the keep-alive time of the backend', () => {
    const head = parse(['HTTP/1.1 200 OK\r\nKeep-Alive: max=5, timeout=7\r\nContent-Length: 0\r\n\r\n'])
      .heads[0]!
    expect(head.keepAliveMs).toBe(7000)
  })
})

describe('compared with the twin', () => {
  const name = fc.stringMatching(/^[A-Za-z-]{1,12}$/)
  const value = fc.stringMatching(/^[\t -~\x80-\xff]{0,20}$/)
  const field = fc.tuple(name, value).map(([n, v]) => `${n}: ${v}\r\n`)
  const bytes = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code)),
    maxLength: 40,
  })
  const chunk = fc
    .tuple(bytes, fc.constantFrom('', ';x', ';a="b"'))
    .map(([data, extension]) => (data === '' ? '' : `${data.length.toString(16)}${extension}\r\n${data}\r\n`))
  const framed = fc.oneof(
    bytes.map(data => [`Content-Length: ${data.length}\r\n`, data]),
    fc
      .tuple(fc.array(chunk, { maxLength: 4 }), fc.array(field, { maxLength: 2 }))
      .map(([list, trailers]) => [
        'Transfer-Encoding: chunked\r\n',
        `${list.join('')}0\r\n${trailers.join('')}\r\n`,
      ]),
    bytes.map(data => ['', data]),
  )
  const interim = fc.constantFrom(
    '',
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n',
  )
  const response = fc
    .record({
      interim,
      minor: fc.constantFrom('1', '1', '1', '0'),
      status: fc.constantFrom('200', '204', '205', '304', '404', '500', '101'),
      before: fc.array(field, { maxLength: 3 }),
      framed,
      after: fc.array(field, { maxLength: 2 }),
      behind: fc.constantFrom('', '', 'x', '\r\n', 'HTTP/1.1 200 OK\r\n\r\n'),
    })
    .map(
      a =>
        `${a.interim}HTTP/1.${a.minor} ${a.status} Reason\r\n${a.before.join('')}${a.framed[0]}${a.after.join('')}\r\n${a.framed[1]}${a.behind}`,
    )
  const traits = fc.constantFrom(GET, HEAD, UPGRADE)

  const cut = (text: string, points: number[]): string[] => {
    const at = [...new Set(points.map(point => point % (text.length + 1)))].sort((a, b) => a - b)
    return [0, ...at]
      .map((start, index) => text.slice(start, at[index] ?? text.length))
      .filter(piece => piece !== '')
  }

  it('reads valid responses equally, for any split', () => {
    fc.assert(
      fc.property(
        response,
        traits,
        fc.boolean(),
        fc.array(fc.nat(), { maxLength: 6 }),
        (text, request, closed, points) => {
          expect(outcomeOf(parse(cut(text, points), request, closed))).toEqual(
            outcomeOf(slowParse(text, request, closed)),
          )
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('reads responses with a flipped, dropped or added byte equally', () => {
    const nasty = fc.constantFrom('\r', '\n', '\0', ' ', '\t', ':', ';', ',', '0', 'f', '\x7f', '\xff')
    const mutation = fc.tuple(fc.nat(), fc.constantFrom('replace', 'insert', 'remove'), nasty)
    fc.assert(
      fc.property(
        response,
        mutation,
        traits,
        fc.array(fc.nat(), { maxLength: 6 }),
        (text, [position, how, byte], request, points) => {
          const at = position % text.length
          const rest = text.slice(how === 'insert' ? at : at + 1)
          const mutant = text.slice(0, at) + (how === 'remove' ? '' : byte) + rest
          const expected = outcomeOf(slowParse(mutant, request, false))
          const found = outcomeOf(parse(cut(mutant, points), request, false))
          // The parser may reject an incomplete head before its end.
          if (expected.result === 'incomplete' && found.result === 'error') return
          expect(found).toEqual(expected)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
