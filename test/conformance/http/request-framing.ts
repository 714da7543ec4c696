// Rows F1-F15: where a request ends, and what is no request at all.

import { describe, expect, it } from 'vitest'
import { field, RawConnection } from '../../support/http/raw-connection.ts'
import { ask, chunked, edge, fence, forwarded, get, HOST, refused } from './edge.ts'

const post = (fields: string, body = '', version = '1.1') =>
  `POST / HTTP/${version}\r\n${HOST}${fields}\r\n${body}`
const TE = 'Transfer-Encoding: chunked\r\n'
const LAST = '0\r\n\r\n'

describe('refused before a byte of it goes on', () => {
  it.each([
    ['F1 length, then chunked', post(`Content-Length: 3\r\n${TE}`, LAST)],
    ['F1 chunked, then length', post(`${TE}Content-Length: 5\r\n`, LAST)],
    ['F1 length 0 and chunked', post(`Content-Length: 0\r\n${TE}`, LAST)],
    ['F1 with a request hidden behind', post(`Content-Length: 4\r\n${TE}`, `${LAST}${get('/hidden')}`)],
    ['F2 two equal lengths', post('Content-Length: 3\r\nContent-Length: 3\r\n', 'abc')],
    ['F2 two different lengths', post('Content-Length: 3\r\nContent-Length: 0\r\n', 'abc')],
    ['F2 a list', post('Content-Length: 3, 3\r\n', 'abc')],
    ['F2 empty', post('Content-Length: \r\n')],
    ['F2 empty, then one', post('Content-Length:\r\nContent-Length: 3\r\n', 'abc')],
    ['F2 plus sign', post('Content-Length: +3\r\n', 'abc')],
    ['F2 minus sign', post('Content-Length: -1\r\n', 'abc')],
    ['F2 hexadecimal', post('Content-Length: 0x3\r\n', 'abc')],
    ['F2 exponent', post('Content-Length: 1e1\r\n', 'abc')],
    ['F2 blank inside', post('Content-Length: 1 2\r\n', 'abc')],
    ['F2 underscore', post('Content-Length: 1_0\r\n', 'abc')],
    ['F2 over 64 bits', post('Content-Length: 18446744073709551617\r\n', 'abc')],
    ['F2 over 53 bits', post('Content-Length: 9007199254740993\r\n', 'abc')],
    ['F3 ,chunked', post('Transfer-Encoding: ,chunked\r\n', LAST)],
    ['F3 chunked,', post('Transfer-Encoding: chunked,\r\n', LAST)],
    ['F3 gzip, chunked', post('Transfer-Encoding: gzip, chunked\r\n', LAST)],
    ['F3 chunked, gzip', post('Transfer-Encoding: chunked, gzip\r\n', LAST)],
    ['F3 identity', post('Transfer-Encoding: identity\r\n')],
    ['F3 unknown', post('Transfer-Encoding: x\r\n')],
    ['F3 xchunked', post('Transfer-Encoding: xchunked\r\n', LAST)],
    ['F3 quoted', post('Transfer-Encoding: "chunked"\r\n', LAST)],
    ['F3 with a parameter', post('Transfer-Encoding: chunked;q=1\r\n', LAST)],
    ['F3 empty', post('Transfer-Encoding:\r\n')],
    ['F3 twice', post(`${TE}${TE}`, LAST)],
    ['F3 twice, the second one unknown', post(`${TE}Transfer-Encoding: x\r\n`, LAST)],
    ['F3 vertical tab', post('Transfer-Encoding:\x0bchunked\r\n', LAST)],
    ['F4 chunked in HTTP/1.0', post(TE, LAST, '1.0')],
    ['F4 with keep-alive', post(`Connection: keep-alive\r\n${TE}`, LAST, '1.0')],
    ['F5 bare CR in a value', get('/', 'X: a\rb\r\n')],
    ['F5 bare CR ends a field', get('/', 'X: a\rY: b\r\n')],
    ['F5 bare LF ends the request line', `GET / HTTP/1.1\n${HOST}\r\n`],
    ['F5 bare LF ends a field', get('/', 'X: a\nY: b\r\n')],
    ['F5 bare LF ends the head', `GET / HTTP/1.1\r\n${HOST}\n`],
    ['F5 NUL in a value', get('/', 'X: a\0b\r\n')],
    ['F5 NUL in a name', get('/', 'X\0: a\r\n')],
    ['F5 space before the colon', get('/', 'X : a\r\n')],
    ['F5 space before the colon of a length', post('Content-Length : 3\r\n', 'abc')],
    ['F5 tab before the colon of a coding', post('Transfer-Encoding\t: chunked\r\n', LAST)],
    ['F5 folded value', get('/', 'X: a\r\n b\r\n')],
    ['F5 folded coding', post('Transfer-Encoding:\r\n chunked\r\n', LAST)],
    ['F5 folded with a tab', get('/', 'X: a\r\n\tb\r\n')],
    ['F5 space before the first field', `GET / HTTP/1.1\r\n ${HOST}\r\n`],
    ['F5 empty name', get('/', ': a\r\n')],
    ['F5 no colon', get('/', 'X\r\n')],
    ['F5 a name that is no token', get('/', 'X(Y): a\r\n')],
    ['F5 a byte outside ASCII in a name', get('/', 'X\xe9: a\r\n')],
    ['F5 DEL in a value', get('/', 'X: a\x7fb\r\n')],
    ['F7 twice', get('/', HOST)],
    ['F7 twice, apart', get('/', 'X: y\r\nhost: other.test\r\n')],
    ['F7 missing', 'GET / HTTP/1.1\r\nX: a\r\n\r\n'],
    ['F7 missing in HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'],
    ['F7 empty', get('/', '', '')],
    ['F7 space inside', get('/', '', 'a b')],
    ['F7 user', get('/', '', 'a@edge.test')],
    ['F7 slash', get('/', '', 'edge.test/')],
    ['F7 backslash', get('/', '', 'edge.test\\')],
    ['F7 query', get('/', '', 'edge.test?')],
    ['F7 list', get('/', '', 'edge.test, other.test')],
    ['F7 percent', get('/', '', '%65dge.test')],
    ['F7 bytes outside ASCII', get('/', '', '\xebdge.test')],
    ['F7 port over the largest', get('/', '', 'edge.test:65536')],
    ['F7 five digits of port', get('/', '', 'edge.test:99999')],
    ['F7 port of letters', get('/', '', 'edge.test:http')],
    ['F7 two ports', get('/', '', 'edge.test:80:80')],
    ['F7 empty label', get('/', '', 'edge..test')],
    ['F7 only a port', get('/', '', ':80')],
    ['F7 unclosed bracket', get('/', '', '[::1')],
    ['F7 no address in brackets', get('/', '', '[1:2]')],
    ['F8 user in the authority', get('http://a@edge.test/')],
    ['F8 no authority', get('http:///')],
    ['F8 port over the largest', get('http://edge.test:65536/')],
    ['F8 another scheme', get('ftp://edge.test/')],
    ['F8 backslash in the authority', get('http://edge.test\\@other.test/')],
    ['F8 Host beside it is none', get('http://edge.test/', '', 'a b')],
    ['F8 Host beside it is missing', 'GET http://edge.test/ HTTP/1.1\r\n\r\n'],
    ['F9 GET *', get('*')],
    ['F9 POST *', `POST * HTTP/1.1\r\n${HOST}\r\n`],
    ['F9 fragment', get('/#a')],
    ['F9 fragment behind the query', get('/?a#b')],
    ['F9 fragment in absolute form', get('http://edge.test/#a')],
    ['F9 no version', `GET /\r\n${HOST}\r\n`],
    ['F9 HTTP/0.9', `GET / HTTP/0.9\r\n${HOST}\r\n`],
    ['F9 HTTP/1.2', `GET / HTTP/1.2\r\n${HOST}\r\n`],
    ['F9 HTTP/2.0', `GET / HTTP/2.0\r\n${HOST}\r\n`],
    ['F9 preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['F9 version in lower case', `GET / http/1.1\r\n${HOST}\r\n`],
    ['F9 a longer version', `GET / HTTP/1.10\r\n${HOST}\r\n`],
    ['F9 method in lower case', `get / HTTP/1.1\r\n${HOST}\r\n`],
    ['F9 a method that is not known', `BREW / HTTP/1.1\r\n${HOST}\r\n`],
    ['F9 no target', `GET HTTP/1.1\r\n${HOST}\r\n`],
    ['F9 tab before the target', `GET\t/ HTTP/1.1\r\n${HOST}\r\n`],
    ['F9 bytes outside ASCII in the target', get('/\xe9')],
    ['F9 blank in the target', `GET /a b HTTP/1.1\r\n${HOST}\r\n`],
    ['F9 tab in the target', `GET /a\tb HTTP/1.1\r\n${HOST}\r\n`],
    ['F9 NUL in the target', `GET /a\0b HTTP/1.1\r\n${HOST}\r\n`],
    ['F9 blank behind the version', `GET / HTTP/1.1 \r\n${HOST}\r\n`],
    ['F9 relative target', get('a/b')],
    ['F9 authority form', get('edge.test:80')],
    ['F9 not HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
  ])('%s', async (_row, bytes) => {
    await refused(bytes, 400)
  })

  it.each([
    ['F10 too many fields', get('/', 'X: y\r\n'.repeat(200)), 431],
    ['F10 too many bytes', get('/', `X: ${'y'.repeat(70_000)}\r\n`), 431],
    ['F10 a name that is too long', get('/', `${'x'.repeat(70_000)}: y\r\n`), 431],
    ['F11 a target that is too long', get(`/${'a'.repeat(17_000)}`), 414],
    ['F11 a target longer than the whole head may be', get(`/${'a'.repeat(80_000)}`), 414],
  ])('%s', async (_row, bytes, status) => {
    await refused(bytes, status)
  })
})

describe('a body that breaks its framing', () => {
  it.each([
    ['F5 bare LF after a size', '3\nabc\r\n0\r\n\r\n'],
    ['F5 bare LF after a chunk', '3\r\nabc\n0\r\n\r\n'],
    ['F5 bare CR after a size', '3\rabc\r\n0\r\n\r\n'],
    ['F5 a chunk longer than its size', '3\r\nabcdef\r\n0\r\n\r\n'],
    ['F5 bare LF at the end', '0\r\n\n'],
    ['F5 bare LF in an extension', '3;a\nb\r\nabc\r\n0\r\n\r\n'],
    ['F5 size with 0x', '0x3\r\nabc\r\n0\r\n\r\n'],
    ['F5 size with a sign', '+3\r\nabc\r\n0\r\n\r\n'],
    ['F5 size with a blank before', ' 3\r\nabc\r\n0\r\n\r\n'],
    ['F5 size with a blank behind', '3 \r\nabc\r\n0\r\n\r\n'],
    ['F5 empty size', '\r\nabc\r\n0\r\n\r\n'],
    ['F5 size over 64 bits', '10000000000000003\r\nabc\r\n0\r\n\r\n'],
    ['F5 folded trailer', '3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n'],
    ['F5 space before the colon of a trailer', '3\r\nabc\r\n0\r\nX : a\r\n\r\n'],
    ['F5 NUL in a trailer', '3\r\nabc\r\n0\r\nX: \0\r\n\r\n'],
  ])('%s', async (_row, chunks) => {
    const connection = await RawConnection.open(edge.port)
    await connection.send(chunked(chunks) + get('/hidden'))
    expect((await connection.readResponse()).status).toBe(400)
    expect((await connection.readToEnd()).toString()).toBe('')
    connection.destroy()
    await fence()
    // The head may have gone on before the fault was there to see; a complete request must not have.
    const seen = edge.backend.requests.filter(({ target }) => target !== '/fence')
    for (const request of seen) expect([request.target, await request.ended]).toEqual(['/', 'aborted'])
    expect(edge.backend.faults).toEqual([])
  })
})

describe('framing that goes on', () => {
  it('F6 chunk extensions are accepted and not relayed', async () => {
    const request = await forwarded(chunked('3;a=b;c="d"\r\nabc\r\n0;e\r\n\r\n'))
    expect([request.body, request.state]).toEqual(['abc', 'complete'])
    expect(request.connection.received).toMatch(/\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/)
  })

  it('F6 extensions without end are cut', async () => {
    const response = await ask(chunked(`3;${'a'.repeat(60_000)}\r\nabc\r\n0\r\n\r\n`))
    expect([response.status, field(response.headers, 'connection')]).toEqual([413, 'close'])
    await fence()
    for (const request of edge.backend.requests.slice(0, -1)) expect(await request.ended).toBe('aborted')
  })

  it('F3 the coding is compared without case', async () => {
    const request = await forwarded(post('transfer-encoding: CHUNKED\r\n', '3\r\nabc\r\n0\r\n\r\n'))
    expect([request.all('transfer-encoding'), request.body]).toEqual([['chunked'], 'abc'])
  })

  it('F8 the authority of the target wins over Host', async () => {
    const request = await forwarded(get('http://edge.test:81/a?b', '', 'other.test'))
    expect([request.target, ...request.all('host')]).toEqual(['/a?b', 'edge.test:81'])
    expect(request.all('x-forwarded-host')).toEqual(['edge.test:81'])
  })

  it('F8 a target without a path', async () => {
    expect((await forwarded(get('HTTP://EDGE.test?b'))).target).toBe('/?b')
  })

  it('F9 several blanks around the target are one', async () => {
    const request = await forwarded(`GET  /a  HTTP/1.1\r\n${HOST}\r\n`)
    expect(request.head).toMatch(/^GET \/a HTTP\/1\.1\r\n/)
  })

  it('F9 OPTIONS * is about the server', async () => {
    const response = await ask(`OPTIONS * HTTP/1.1\r\n${HOST}\r\n`)
    expect([response.status, edge.backend.requests.length]).toEqual([204, 0])
    expect(field(response.headers, 'allow')).toContain('OPTIONS')
  })

  it('F10 the last field within the limit arrives', async () => {
    const fillers = Array.from({ length: 198 }, (_, index) => `X-${index}: y\r\n`).join('')
    expect((await forwarded(get('/', `${fillers}X-Last: z\r\n`))).all('x-last')).toEqual(['z'])
  })

  it('F10 the limits are settings', async () => {
    const { port } = edge.tight!
    await refused(get('/', 'X: y\r\n'.repeat(20)), 431, port)
    edge.backend.reset()
    await refused(get('/', `X: ${'y'.repeat(5000)}\r\n`), 431, port)
  })

  it('F11 so is that of the target', async () => {
    await refused(get(`/${'a'.repeat(1100)}`), 414, edge.tight!.port)
  })

  it.each(['GET', 'HEAD', 'DELETE', 'OPTIONS'])('F12 %s keeps its body', async method => {
    const line = `${method} / HTTP/1.1\r\n${HOST}`
    await ask(`${line}Content-Length: 3\r\n\r\nabc`, method)
    await ask(`${line}${TE}\r\n3\r\nabc\r\n0\r\n\r\n`, method)
    await ask(`${line}Content-Length: 0\r\n\r\n`, method)
    const framing = edge.backend.requests.map(request => [
      request.all('content-length'),
      request.all('transfer-encoding'),
      request.body,
      request.state,
    ])
    expect(framing).toEqual([
      [['3'], [], 'abc', 'complete'],
      [[], ['chunked'], 'abc', 'complete'],
      [['0'], [], '', 'complete'],
    ])
    expect(edge.backend.faults).toEqual([])
  })

  it('F13 CONNECT is refused, and what it brings along is no request', async () => {
    const connection = await RawConnection.open(edge.port)
    await connection.send(`CONNECT edge.test:443 HTTP/1.1\r\n${HOST}\r\n${get('/hidden')}`)
    const response = await connection.readResponse()
    expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([405, 'method_not_allowed'])
    expect(field(response.headers, 'allow')).toContain('GET')
    expect((await connection.readToEnd()).length).toBe(0)
    connection.destroy()
    await fence()
    expect(edge.backend.requests.map(({ target }) => target)).toEqual(['/fence'])
  })

  it('F16 TRACE gets 405, or is forwarded where allowTrace says so', async () => {
    const trace = get('/traced', 'Max-Forwards: 3\r\n').replace('GET', 'TRACE')
    const response = await ask(trace)
    expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([405, 'method_not_allowed'])
    expect(edge.backend.requests).toHaveLength(0)
    expect((await ask(trace, 'GET', edge.tight!.port)).body.toString()).toBe('TRACE /traced ')
    expect(edge.backend.requests[0]!.all('max-forwards')).toEqual(['2'])
    const last = await ask(trace.replace('3', '0'), 'GET', edge.tight!.port)
    expect([last.status, field(last.headers, 'content-type')]).toEqual([200, 'message/http'])
    expect(last.body.toString()).toBe(trace.replace('3', '0'))
    expect(edge.backend.requests).toHaveLength(1)
  })

  it.each([
    ['003', '3'],
    ['0000000000000003', '3'],
    ['00', '0'],
  ])('F17 Content-Length: %s reaches the backend as %s', async (length, seen) => {
    const body = seen === '3' ? 'abc' : ''
    const request = await forwarded(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${length}\r\n\r\n${body}`)
    expect([request.all('content-length'), request.body]).toEqual([[seen], body])
  })

  it('F14 pipelined requests are answered in order', async () => {
    edge.backend.handler = request => {
      // The first one is answered when the last one is there.
      if (request.target !== '/3') return
      for (const each of edge.backend.requests.toReversed()) each.respond(200, each.target)
    }
    const connection = await RawConnection.open(edge.port)
    await connection.send(`\r\n${get('/1')}${get('/2')}${get('/3')}`)
    const bodies: string[] = []
    for (let index = 0; index < 3; index += 1) bodies.push((await connection.readResponse()).body.toString())
    expect(bodies).toEqual(['/1', '/2', '/3'])
    connection.destroy()
  })

  it('F14 with bodies between them', async () => {
    const connection = await RawConnection.open(edge.port)
    await connection.send(
      `${chunked('3\r\nabc\r\n0\r\n\r\n')}${post('Content-Length: 3\r\n', 'def')}${get()}`,
    )
    const bodies: string[] = []
    for (let index = 0; index < 3; index += 1) bodies.push((await connection.readResponse()).body.toString())
    expect(bodies).toEqual(['POST / abc', 'POST / def', 'GET / '])
    connection.destroy()
  })

  it('F14 a bad one behind good ones is answered after them', async () => {
    const connection = await RawConnection.open(edge.port)
    await connection.send(`${get('/1')}${get('/2')}BAD\r\n\r\n${get('/hidden')}`)
    expect((await connection.readResponse()).body.toString()).toBe('GET /1 ')
    expect((await connection.readResponse()).body.toString()).toBe('GET /2 ')
    expect((await connection.readResponse()).status).toBe(400)
    expect((await connection.readToEnd()).length).toBe(0)
    connection.destroy()
    await fence()
    expect(edge.backend.requests.map(({ target }) => target)).not.toContain('/hidden')
  })

  it('F14 a refused one between them keeps its place', async () => {
    const connection = await RawConnection.open(edge.port)
    await connection.send(`${get('/1')}${get('/2', '', 'unknown.test')}BAD\r\n\r\n`)
    const responses = [
      await connection.readResponse(),
      await connection.readResponse(),
      await connection.readResponse(),
    ]
    expect(responses.map(({ status }) => status)).toEqual([200, 404, 400])
    expect((await connection.readToEnd()).length).toBe(0)
    connection.destroy()
  })

  it.each([
    ['a length', post('Content-Length: 3\r\n', 'abc')],
    ['chunks', chunked('3\r\nabc\r\n0\r\n\r\n')],
  ])('F14 a bad one in one packet with a whole body of %s does not spoil that', async (_framing, good) => {
    const connection = await RawConnection.open(edge.port)
    await connection.send(`${good}BAD\r\n\r\n`)
    expect((await connection.readResponse()).body.toString()).toBe('POST / abc')
    expect((await connection.readResponse()).status).toBe(400)
    expect((await connection.readToEnd()).length).toBe(0)
    connection.destroy()
  })

  it.each([
    ['a length', post('Content-Length: 10\r\n', 'abc')],
    ['chunks', chunked('3\r\nabc\r\n')],
  ])('F15 a body with %s that ends too early is an abort', async (_framing, bytes) => {
    const connection = await RawConnection.open(edge.port)
    await connection.send(bytes)
    const request = await edge.backend.request()
    await request.connection.until(
      'the body',
      () => request.connection.received.endsWith('abc') || request.body !== '',
    )
    connection.end()
    expect(await request.ended).toBe('aborted')
    connection.destroy()
  })
})
