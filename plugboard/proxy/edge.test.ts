// Rows F1-F15 and H1-H10 of the edge, over raw sockets: the responses to malformed requests, which are never forwarded.

import { beforeEach, describe, expect, it } from 'vitest'
import { harnessRoute } from '../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../test/support/harness/use-proxy.ts'
import { field, rawExchange } from '../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../test/support/leak-check.ts'

useLeakCheck()

const proxy = useProxy()

beforeEach(() => {
  proxy.telephone.handler = call => call.respond(200, 'ok')
})

/** Sends bytes, and expects this status, the end of the connection, and no request at the proxy.telephone. */
async function refused(bytes: string, status: number): Promise<void> {
  const connection = await proxy.send(bytes)
  const response = await connection.readResponse()
  expect(response.status).toBe(status)
  expect(field(response.headers, 'plugboard-error')).toBeDefined()
  expect(field(response.headers, 'connection')).toBe('close')
  expect((await connection.readToEnd()).toString()).toBe('')
  expect(proxy.telephone.calls).toHaveLength(0)
  connection.destroy()
}

const H = 'Host: test\r\n'

describe('client errors', () => {
  it.each([
    [
      'F1 length and chunked',
      `POST / HTTP/1.1\r\n${H}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['F2 duplicate length', `POST / HTTP/1.1\r\n${H}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`],
    ['F2 list length', `POST / HTTP/1.1\r\n${H}Content-Length: 3, 3\r\n\r\nabc`],
    ['F2 empty length', `POST / HTTP/1.1\r\n${H}Content-Length: \r\n\r\n`],
    ['F2 signed length', `POST / HTTP/1.1\r\n${H}Content-Length: +3\r\n\r\nabc`],
    ['F2 hex length', `POST / HTTP/1.1\r\n${H}Content-Length: 0x3\r\n\r\nabc`],
    ['F2 overflowing length', `POST / HTTP/1.1\r\n${H}Content-Length: 18446744073709551617\r\n\r\nabc`],
    ['F2 unsafe length', `POST / HTTP/1.1\r\n${H}Content-Length: 9007199254740993\r\n\r\nabc`],
    ['F3 ,chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n`],
    ['F3 gzip, chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['F3 unknown coding', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: x\r\n\r\n`],
    [
      'F3 duplicate',
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['F4 HTTP/1.0 chunked', `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['F5 bare CR', `GET / HTTP/1.1\r\n${H}X: a\rb\r\n\r\n`],
    ['F5 bare LF', `GET / HTTP/1.1\n${H}\n`],
    ['F5 LF ends a field', `GET / HTTP/1.1\r\n${H}X: a\nY: b\r\n\r\n`],
    ['F5 NUL', `GET / HTTP/1.1\r\n${H}X: a\0b\r\n\r\n`],
    ['F5 space before colon', `GET / HTTP/1.1\r\n${H}X : a\r\n\r\n`],
    ['F5 obs-fold', `GET / HTTP/1.1\r\n${H}X: a\r\n b\r\n\r\n`],
    ['F5 empty name', `GET / HTTP/1.1\r\n${H}: a\r\n\r\n`],
    ['F7 duplicate', `GET / HTTP/1.1\r\n${H}Host: other\r\n\r\n`],
    ['F7 missing', 'GET / HTTP/1.1\r\nX: a\r\n\r\n'],
    ['F7 missing in HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'],
    ['F7 empty', 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
    ['F7 space', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'],
    ['F7 userinfo', 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n'],
    ['F7 slash', 'GET / HTTP/1.1\r\nHost: test/\r\n\r\n'],
    ['F7 bytes outside ASCII', 'GET / HTTP/1.1\r\nHost: t\xebst\r\n\r\n'],
    ['F8 target with userinfo', `GET http://a@test/ HTTP/1.1\r\n${H}\r\n`],
    ['F8 target of another scheme', `GET ftp://test/ HTTP/1.1\r\n${H}\r\n`],
    ['F8 malformed Host beside it', 'GET http://test/ HTTP/1.1\r\nHost: a b\r\n\r\n'],
    ['F9 GET *', `GET * HTTP/1.1\r\n${H}\r\n`],
    ['F9 fragment', `GET /#a HTTP/1.1\r\n${H}\r\n`],
    ['F9 fragment in the query', `GET /?a#b HTTP/1.1\r\n${H}\r\n`],
    ['F9 no version', `GET /\r\n${H}\r\n`],
    ['F9 relative target', `GET a/b HTTP/1.1\r\n${H}\r\n`],
    ['H8 above the root', `GET /a/../../b HTTP/1.1\r\n${H}\r\n`],
    ['H8 above the root, encoded', `GET /%2e%2E/b HTTP/1.1\r\n${H}\r\n`],
    ['H8 NUL', `GET /a%00b HTTP/1.1\r\n${H}\r\n`],
  ])('%s', async (_row, bytes) => {
    await refused(bytes, 400)
  })

  it('F10 too many headers', async () => {
    await refused(`GET / HTTP/1.1\r\n${H}${'X: y\r\n'.repeat(200)}\r\n`, 431)
  })

  it('F10 too many bytes of headers', async () => {
    await refused(`GET / HTTP/1.1\r\n${H}X: ${'y'.repeat(70_000)}\r\n\r\n`, 431)
  })

  it('F10 forwards as many headers as the limit allows', async () => {
    const fillers = Array.from({ length: 198 }, (_, index) => `X-${index}: y\r\n`).join('')
    await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\n${H}${fillers}X-Last: z\r\n\r\n`)
    expect(proxy.telephone.calls[0]?.field('x-last')).toBe('z')
  })

  it('F11 long target', async () => {
    await refused(`GET /${'a'.repeat(17_000)} HTTP/1.1\r\n${H}\r\n`, 414)
  })

  it('F11 very long target', async () => {
    await refused(`GET /${'a'.repeat(50_000)} HTTP/1.1\r\n${H}\r\n`, 414)
  })

  it('F13 CONNECT gets 405, and its payload is not parsed as a request', async () => {
    const connection = await proxy.send(`CONNECT test:443 HTTP/1.1\r\n${H}\r\nGET /x HTTP/1.1\r\n${H}\r\n`)
    const response = await connection.readResponse()
    expect(response.status).toBe(405)
    expect(field(response.headers, 'allow')).toContain('GET')
    expect((await connection.readToEnd()).length).toBe(0)
    expect(proxy.telephone.calls).toHaveLength(0)
    connection.destroy()
  })

  it('bytes behind a malformed request are never parsed', async () => {
    const connection = await proxy.send(`GET /%00 HTTP/1.1\r\n${H}\r\nGET /next HTTP/1.1\r\n${H}\r\n`)
    expect((await connection.readResponse()).status).toBe(400)
    expect((await connection.readToEnd()).length).toBe(0)
    expect(proxy.telephone.calls).toHaveLength(0)
    connection.destroy()
  })

  it('R4 unknown expectation', async () => {
    await refused(`POST / HTTP/1.1\r\n${H}Expect: 200-ok\r\nContent-Length: 3\r\n\r\n`, 417)
  })
})

describe('framing of accepted requests', () => {
  it('F6 chunk extensions are accepted and not relayed', async () => {
    const sent = rawExchange(
      proxy.harness.port,
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n`,
    )
    expect((await sent).status).toBe(200)
    expect((await proxy.telephone.calls[0]?.ended)?.body.toString()).toBe('abc')
  })

  it('F6 endless chunk extensions are refused', async () => {
    proxy.telephone.handler = undefined
    const connection = await proxy.connect()
    const extension = `3;${'a'.repeat(60_000)}\r\nabc\r\n0\r\n\r\n`
    await connection.send(`POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n${extension}`)
    expect((await connection.readResponse()).status).toBe(413)
    expect((await (await proxy.telephone.nextCall()).aborted).reason).toBeDefined()
    connection.destroy()
  })

  it.each(['GET', 'DELETE', 'OPTIONS', 'HEAD'])('F12 %s with a body keeps its framing', async method => {
    await rawExchange(proxy.harness.port, `${method} / HTTP/1.1\r\n${H}Content-Length: 3\r\n\r\nabc`, method)
    await rawExchange(
      proxy.harness.port,
      `${method} / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
      method,
    )
    const [withLength, chunked] = proxy.telephone.calls
    expect((await withLength?.ended)?.body.toString()).toBe('abc')
    expect(withLength?.field('content-length')).toBe('3')
    expect((await chunked?.ended)?.body.toString()).toBe('abc')
    expect(chunked?.field('content-length')).toBeUndefined()
    expect(chunked?.field('transfer-encoding')).toBeUndefined()
  })

  it('F12 a body of length 0 is complete with its head', async () => {
    await rawExchange(proxy.harness.port, `POST / HTTP/1.1\r\n${H}Content-Length: 0\r\n\r\n`)
    expect(proxy.telephone.calls[0]?.field('content-length')).toBe('0')
    expect((await proxy.telephone.calls[0]?.ended)?.body.length).toBe(0)
  })

  it('F14 pipelined requests get their responses in order', async () => {
    proxy.telephone.handler = undefined
    const connection = await proxy.send(
      ['/1', '/2', '/3'].map(path => `GET ${path} HTTP/1.1\r\n${H}\r\n`).join(''),
    )
    const calls = [
      await proxy.telephone.nextCall(),
      await proxy.telephone.nextCall(),
      await proxy.telephone.nextCall(),
    ]
    for (const call of calls.toReversed()) call.respond(200, call.opening.target)
    const bodies: string[] = []
    for (let index = 0; index < 3; index += 1) bodies.push((await connection.readResponse()).body.toString())
    expect(bodies).toEqual(['/1', '/2', '/3'])
    connection.destroy()
  })

  it('F14 a malformed request behind valid ones gets its response after theirs', async () => {
    proxy.telephone.handler = undefined
    const connection = await proxy.send(`GET /1 HTTP/1.1\r\n${H}\r\nGET /2 HTTP/1.1\r\n${H}\r\nBAD\r\n\r\n`)
    const first = await proxy.telephone.nextCall()
    const second = await proxy.telephone.nextCall()
    second.respond(200, 'two')
    first.respond(200, 'one')
    expect((await connection.readResponse()).body.toString()).toBe('one')
    expect((await connection.readResponse()).body.toString()).toBe('two')
    expect((await connection.readResponse()).status).toBe(400)
    expect((await connection.readToEnd()).length).toBe(0)
    connection.destroy()
  })

  it('F14 pipelined requests over the limit get 503', async () => {
    proxy.telephone.handler = undefined
    const connection = await proxy.send(`GET / HTTP/1.1\r\n${H}\r\n`.repeat(65))
    for (let index = 0; index < 64; index += 1) (await proxy.telephone.nextCall()).respond(200, 'ok')
    for (let index = 0; index < 64; index += 1) expect((await connection.readResponse()).status).toBe(200)
    expect((await connection.readResponse()).status).toBe(503)
    connection.destroy()
  })

  it('F15 a body shorter than its length is an abort', async () => {
    proxy.telephone.handler = undefined
    const connection = await proxy.send(`POST / HTTP/1.1\r\n${H}Content-Length: 10\r\n\r\nabc`)
    const call = await proxy.telephone.nextCall()
    await call.untilReceived(3)
    connection.end()
    expect((await call.aborted).reason).toBe('cancelled')
    await connection.readToEnd()
    connection.destroy()
  })
})

describe('request headers', () => {
  it('H1 hop-by-hop fields and fields named by Connection are removed, then the fields of Plugboard are added', async () => {
    await rawExchange(
      proxy.harness.port,
      [
        'GET / HTTP/1.1',
        'Host: test',
        'connection: keep-alive, X-Secret, X-Forwarded-For, Host',
        'X-Secret: 1',
        'Keep-Alive: timeout=5',
        'Proxy-Connection: keep-alive',
        'Proxy-Authorization: Basic eA==',
        'TE: gzip',
        'Upgrade: h2c',
        'HTTP2-Settings: x',
        'X-Kept: 2',
        '',
        '',
      ].join('\r\n'),
    )
    const names = proxy.telephone.calls[0]?.opening.fields.filter((_, index) => index % 2 === 0)
    expect(names).toEqual([
      'Host',
      'X-Kept',
      'X-Forwarded-For',
      'X-Forwarded-Host',
      'X-Forwarded-Proto',
      'X-Forwarded-Port',
      'X-Real-IP',
      'Forwarded',
      'X-Request-ID',
      'Via',
    ])
  })

  it.each([
    ['trailers', 'trailers'],
    ['Trailers', 'trailers'],
    ['trailers, gzip', undefined],
    ['gzip', undefined],
  ])('H2 TE: %s', async (value, forwarded) => {
    await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\n${H}Connection: TE\r\nTE: ${value}\r\n\r\n`)
    expect(proxy.telephone.calls[0]?.field('te')).toBe(forwarded)
  })

  it('H3, H4 fields of an untrusted client about itself are replaced, including misspelt ones', async () => {
    await rawExchange(
      proxy.harness.port,
      [
        'GET / HTTP/1.1',
        'Host: test:4000',
        'X-Forwarded-For: 6.6.6.6',
        'x-forwarded-host: evil',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Port: 1',
        'Forwarded: for=6.6.6.6',
        'X-Real-IP: 6.6.6.6',
        'X_Forwarded_For: 6.6.6.6',
        'X.Forwarded.For: 6.6.6.6',
        'x_forwarded-host: evil',
        'X-Request_ID: 6',
        'X-Forwarded-Prefix: /evil',
        '',
        '',
      ].join('\r\n'),
    )
    const call = proxy.telephone.calls[0]
    expect(call?.opening.fields.join(' ')).not.toMatch(/6\.6\.6\.6|evil/)
    expect(call?.fields('x-forwarded-for')).toEqual(['127.0.0.1'])
    expect(call?.fields('x-forwarded-host')).toEqual(['test:4000'])
    expect(call?.fields('x-forwarded-proto')).toEqual(['http'])
    expect(call?.fields('x-forwarded-port')).toEqual(['4000'])
    expect(call?.fields('forwarded')).toEqual(['for=127.0.0.1;proto=http;host="test:4000"'])
    expect(call?.fields('x-real-ip')).toEqual(['127.0.0.1'])
  })

  it('H5 fields of Plugboard are dropped when a client sends them', async () => {
    await rawExchange(
      proxy.harness.port,
      `GET / HTTP/1.1\r\n${H}Plugboard-Error: x\r\nplugboard_hops: 9\r\n\r\n`,
    )
    const names = proxy.telephone.calls[0]?.opening.fields.filter((_, index) => index % 2 === 0)
    expect(names?.filter(name => /^plugboard/i.test(name))).toEqual([])
  })

  it.each([
    ['HTTP/1.1', '', ['1.1 plugboard-test']],
    ['HTTP/1.0', '', ['1.0 plugboard-test']],
    ['HTTP/1.1', 'Via: 1.0 a, 2 b (c)\r\nvia: 1.1 d\r\n', ['1.0 a, 2 b (c)', '1.1 d', '1.1 plugboard-test']],
    ['HTTP/1.1', 'Connection: Via\r\nVia: 1.0 a\r\n', ['1.1 plugboard-test']],
  ])('H11 %s %j reaches the backend with Via %j', async (version, fields, via) => {
    proxy.telephone.handler = call => call.respond(200, '', ['Via', '1.1 inner'])
    const response = await rawExchange(proxy.harness.port, `GET / ${version}\r\n${H}${fields}\r\n`)
    expect(proxy.telephone.calls[0]?.fields('via')).toEqual(via)
    const seen = response.headers.filter(([name]) => name.toLowerCase() === 'via').map(([, value]) => value)
    expect(seen).toEqual(['1.1 inner', '1.1 plugboard-test'])
  })

  it.each([
    '1.1 plugboard-test',
    '1.0 a, 2.0 plugboard-test, 1.1 b',
    '1.1 a\r\nVia: 1.1 plugboard-test\r\nConnection: Via',
  ])('H11 a request with Via: %j has passed through this cluster before and gets 508', async via => {
    const connection = await proxy.send(
      `POST / HTTP/1.1\r\n${H}Via: ${via}\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\r\n${H}\r\n`,
    )
    const response = await connection.readResponse()
    expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([508, 'loop_detected'])
    expect(field(response.headers, 'via')).toBeUndefined()
    expect((await connection.readResponse()).status).toBe(200)
    expect(proxy.telephone.calls).toHaveLength(1)
    connection.destroy()
  })

  it.each([
    ['GET http://x-real-ip/', '6.6.6.6', 'x-real-ip', 'preserve', 'x-real-ip'],
    ['GET http://content-length/', '5', 'content-length', 'preserve', 'content-length'],
    ['GET /', '6.6.6.6', '6.6.6.6', { fixed: 'x-real-ip' }, 'x-real-ip'],
    ['GET /', '6.6.6.6', '6.6.6.6', 'backend', undefined],
  ] as const)(
    'H1 "%s" with Host %s and a field whose value is "Host" reaches the backend unchanged',
    async (start, written, host, hostHeader, forwarded) => {
      proxy.harness.routes.push(harnessRoute({ host, policy: { hostHeader } }))
      const fields = `X-Before: Host\r\nX-Removed: 1\r\nHost: ${written}\r\nConnection: X-Removed\r\n`
      await rawExchange(proxy.harness.port, `${start} HTTP/1.1\r\n${fields}\r\n`)
      const call = proxy.telephone.calls[0]
      expect(call?.field('x-before')).toBe('Host')
      expect(call?.field('host')).toBe(forwarded)
      expect(call?.fields('x-real-ip')).toEqual(['127.0.0.1'])
      expect(call?.field('content-length')).toBeUndefined()
    },
  )

  it.each(['h\u0100X-Forwarded-For\u01006.6.6.6', 'h\r\nX: y', 'h\0X\0y'])(
    'H9 a fixed Host %j that has passed its schema costs the request, and not the tunnel',
    async fixed => {
      proxy.harness.routes.push(harnessRoute({ host: 'bad', policy: { hostHeader: { fixed } } }))
      const response = await rawExchange(proxy.harness.port, 'GET / HTTP/1.1\r\nHost: bad\r\n\r\n')
      expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([500, 'internal_error'])
      expect((await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\n${H}\r\n`)).status).toBe(200)
      expect(proxy.telephone.calls.map(({ opening }) => opening.target)).toEqual(['/'])
      expect(proxy.telephone.session.state).toBe('open')
    },
  )

  it('H11 an edit of Via cannot hide a loop, and may remove the line of a response', async () => {
    const edits = { remove: ['Via'], set: { Via: '1.1 other' } }
    const rules = { requestHeaders: edits, responseHeaders: { remove: ['Via'] } }
    proxy.harness.routes = [harnessRoute({ host: 'test', options: { rules } })]
    proxy.telephone.handler = call => call.respond(200, '', ['Via', '1.1 inner'])
    const response = await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\n${H}Via: 1.1 client\r\n\r\n`)
    expect(proxy.telephone.calls[0]?.fields('via')).toEqual(['1.1 other', '1.1 plugboard-test'])
    expect(field(response.headers, 'via')).toBeUndefined()
  })

  it.each([
    ['OPTIONS', '7', '6'],
    ['OPTIONS', '1', '0'],
    ['OPTIONS', '007', '6'],
    ['OPTIONS', '9'.repeat(400), '999999'],
    ['GET', '0', '0'],
    ['GET', 'x', 'x'],
  ])('H12 %s with Max-Forwards: %s is forwarded with %s', async (method, value, forwarded) => {
    await rawExchange(proxy.harness.port, `${method} / HTTP/1.1\r\n${H}Max-Forwards: ${value}\r\n\r\n`)
    expect(proxy.telephone.calls[0]?.fields('max-forwards')).toEqual([forwarded])
  })

  it('H12 OPTIONS with Max-Forwards: 0 ends here', async () => {
    const response = await rawExchange(
      proxy.harness.port,
      `OPTIONS / HTTP/1.1\r\n${H}Max-Forwards: 0\r\n\r\n`,
    )
    expect([response.status, field(response.headers, 'allow')]).toEqual([
      204,
      expect.stringContaining('OPTIONS'),
    ])
    expect(proxy.telephone.calls).toHaveLength(0)
  })

  it.each(['x', '-1', '1.5', '', '1, 2', '1\r\nMax-Forwards: 2'])(
    'H12 OPTIONS with Max-Forwards: %j is refused',
    async value => {
      await refused(`OPTIONS / HTTP/1.1\r\n${H}Max-Forwards: ${value}\r\n\r\n`, 400)
    },
  )

  it('H4, H13 misspelt framing and Proxy are dropped, other names with _ are not', async () => {
    const fields = [
      'Transfer_Encoding: chunked',
      'Content_Length: 9',
      'Transfer---Encoding: chunked',
      'Proxy: http://6.6.6.6',
      'Max_Forwards: 9',
      'X_Custom: 1',
      'Content_Type: text/plain',
    ]
    await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\n${H}${fields.join('\r\n')}\r\n\r\n`)
    const names = proxy.telephone.calls[0]?.opening.fields.filter((_, index) => index % 2 === 0) ?? []
    expect(names.slice(0, 3)).toEqual(['Host', 'X_Custom', 'Content_Type'])
    expect(names.filter(name => /encoding|length|proxy|max/i.test(name))).toEqual([])
  })

  it('H14 underscoreHeaders: drop removes all fields and trailers with _ in their name', async () => {
    await proxy.restart({ underscoreHeaders: 'drop' })
    proxy.telephone.handler = call => void call.ended.then(() => call.respond(200))
    const body = '1\r\nx\r\n0\r\nX_Trailer: 1\r\nX-Trailer: 2\r\n\r\n'
    await rawExchange(
      proxy.harness.port,
      `POST / HTTP/1.1\r\n${H}X_Custom: 1\r\nX-Custom: 2\r\nTransfer-Encoding: chunked\r\n\r\n${body}`,
    )
    const [call] = proxy.telephone.calls
    expect([call?.fields('x_custom'), call?.fields('x-custom')]).toEqual([[], ['2']])
    expect((await call!.ended).trailers).toEqual(['X-Trailer', '2'])
  })

  it('F17 leading zeros of a Content-Length are removed', async () => {
    await rawExchange(proxy.harness.port, `POST / HTTP/1.1\r\n${H}Content-Length: 003\r\n\r\nabc`)
    expect(proxy.telephone.calls[0]?.fields('content-length')).toEqual(['3'])
  })

  it('F16 TRACE gets 405', async () => {
    const response = await rawExchange(proxy.harness.port, `TRACE / HTTP/1.1\r\n${H}\r\n`)
    expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([405, 'method_not_allowed'])
    expect(field(response.headers, 'allow')).toMatch(/, OPTIONS$/)
    expect(proxy.telephone.calls).toHaveLength(0)
  })

  it('F16 with allowTrace, TRACE is forwarded, and returned by the hop at which Max-Forwards is 0', async () => {
    await proxy.restart({ allowTrace: true })
    proxy.telephone.handler = call => call.respond(200, call.opening.method)
    const trace = (fields: string) =>
      rawExchange(proxy.harness.port, `TRACE /a?b HTTP/1.1\r\n${H}Cookie: secret\r\nX: \xe9\r\n${fields}\r\n`)
    expect((await trace('')).body.toString()).toBe('TRACE')
    await trace('Max-Forwards: 1\r\n')
    expect(proxy.telephone.calls[1]?.fields('max-forwards')).toEqual(['0'])
    const last = await trace('Max-Forwards: 0\r\nAuthorization: Basic x\r\n')
    expect([last.status, field(last.headers, 'content-type')]).toEqual([200, 'message/http'])
    expect(last.body.toString('latin1')).toBe(`TRACE /a?b HTTP/1.1\r\n${H}X: \xe9\r\nMax-Forwards: 0\r\n\r\n`)
    expect(proxy.telephone.calls).toHaveLength(2)
    expect((await trace('Content-Length: 1\r\n\r\nx')).status).toBe(400)
    for (const request of ['CONNECT a:1', 'OPTIONS *', 'OPTIONS /a']) {
      const response = await rawExchange(
        proxy.harness.port,
        `${request} HTTP/1.1\r\n${H}Max-Forwards: 0\r\n\r\n`,
      )
      expect(field(response.headers, 'allow'), request).toMatch(/, OPTIONS, TRACE$/)
    }
  })

  it('H6, H7 cookies are not joined, and order and case are kept', async () => {
    await rawExchange(
      proxy.harness.port,
      `GET / HTTP/1.1\r\n${H}cOOkie: a=1\r\nX-b: c\r\nCookie: d=2\r\n\r\n`,
    )
    expect(proxy.telephone.calls[0]?.opening.fields.slice(2, 8)).toEqual([
      'cOOkie',
      'a=1',
      'X-b',
      'c',
      'Cookie',
      'd=2',
    ])
  })

  it.each([
    ['//a', '//a'],
    ['/a/./b/', '/a/b/'],
    ['/a/../b?x=/../', '/b?x=/../'],
    ['/a/%2e%2E/b', '/b'],
    ['/a/b/..', '/a/'],
    ['/a%2fb/%5c..', '/a%2fb/%5c..'],
    ['/a;b=c/..;/d', '/a;b=c/..;/d'],
    ['/%41', '/%41'],
    ['/...', '/...'],
    ['/?', '/?'],
  ])('H8 %s', async (target, forwarded) => {
    await rawExchange(proxy.harness.port, `GET ${target} HTTP/1.1\r\n${H}\r\n`)
    expect(proxy.telephone.calls[0]?.opening.target).toBe(forwarded)
  })

  it('H8 the forwarded string is the one that was matched', async () => {
    proxy.harness.routes = [harnessRoute({ host: 'test', mountPath: '/public' })]
    expect((await rawExchange(proxy.harness.port, `GET /public/../admin HTTP/1.1\r\n${H}\r\n`)).status).toBe(
      404,
    )
    expect((await rawExchange(proxy.harness.port, `GET /x/%2e./public/a HTTP/1.1\r\n${H}\r\n`)).status).toBe(
      200,
    )
    expect(proxy.telephone.calls.map(call => call.opening.target)).toEqual(['/public/a'])
  })

  it.each(['TEST', 'test:80', 'test.', 'Test.:8080'])('H9 host %s', async host => {
    expect((await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status).toBe(
      200,
    )
    expect(proxy.telephone.calls[0]?.field('host')).toBe(host)
  })

  it('F8 the authority of the target takes precedence over Host', async () => {
    proxy.harness.routes = [harnessRoute({ host: 'real' })]
    await rawExchange(proxy.harness.port, 'GET http://real:81/a?b HTTP/1.1\r\nHost: other\r\n\r\n')
    const call = proxy.telephone.calls[0]
    expect([call?.opening.target, ...(call?.fields('host') ?? [])]).toEqual(['/a?b', 'real:81'])
    expect(call?.field('x-forwarded-host')).toBe('real:81')
  })

  it('F8 a target without a path', async () => {
    await rawExchange(proxy.harness.port, 'GET http://test?b HTTP/1.1\r\nHost: test\r\n\r\n')
    expect(proxy.telephone.calls[0]?.opening.target).toBe('/?b')
  })

  it('F9 OPTIONS * gets a response of Plugboard itself', async () => {
    const response = await rawExchange(proxy.harness.port, `OPTIONS * HTTP/1.1\r\n${H}\r\n`)
    expect([response.status, proxy.telephone.calls.length]).toEqual([204, 0])
  })

  it.each([
    ['abc-123', true],
    ['x'.repeat(128), true],
    ['x'.repeat(129), false],
    ['a b', false],
  ])('H10 request id %s kept: %s', async (id, kept) => {
    const response = await rawExchange(
      proxy.harness.port,
      `GET / HTTP/1.1\r\n${H}X-Request-ID: ${id}\r\n\r\n`,
    )
    const seen = proxy.telephone.calls[0]?.field('x-request-id')
    expect(seen === id).toBe(kept)
    if (!kept) expect(seen).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(field(response.headers, 'x-request-id')).toBe(seen)
    expect(proxy.harness.accessLog[0]?.requestId).toBe(seen)
  })

  it('strips the mount and adds X-Forwarded-Prefix', async () => {
    proxy.harness.routes = [harnessRoute({ host: 'test', mountPath: '/api', options: { stripMount: true } })]
    await rawExchange(proxy.harness.port, `GET /api?x HTTP/1.1\r\n${H}\r\n`)
    await rawExchange(proxy.harness.port, `GET /api/users/../a?x HTTP/1.1\r\n${H}\r\n`)
    expect(proxy.telephone.calls.map(call => call.opening.target)).toEqual(['/?x', '/a?x'])
    expect(proxy.telephone.calls[0]?.field('x-forwarded-prefix')).toBe('/api')
  })

  it.each([
    ['backend' as const, undefined],
    [{ fixed: 'inner.local' }, 'inner.local'],
  ])('host policy %j', async (hostHeader, seen) => {
    proxy.harness.routes = [harnessRoute({ host: 'test', policy: { hostHeader } })]
    await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\nX: y\r\n${H}\r\n`)
    expect(proxy.telephone.calls[0]?.field('host')).toBe(seen)
    expect(proxy.telephone.calls[0]?.field('x')).toBe('y')
    expect(proxy.telephone.calls[0]?.field('x-forwarded-host')).toBe('test')
  })
})

describe('a trusted proxy in front', () => {
  it('H3 reports the client, and its own address is appended', async () => {
    await proxy.restart({ trustedProxies: ['127.0.0.0/8'] })
    proxy.telephone.handler = call => call.respond(200)
    await rawExchange(
      proxy.harness.port,
      [
        'GET / HTTP/1.1',
        'Host: test',
        'X-Forwarded-For: 9.9.9.9',
        'X-Forwarded-For: 8.8.8.8',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: shop.example',
        'Forwarded: for=9.9.9.9',
        'X-Real-IP: 6.6.6.6',
        'X_Forwarded_For: 6.6.6.6',
        'X-Forwarded-Server: 6.6.6.6',
        'X-Forwarded: for=6.6.6.6',
        'X-Forwarded-User: 6.6.6.6',
        '',
        '',
      ].join('\r\n'),
    )
    await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\n${H}\r\n`)
    const [call, next] = proxy.telephone.calls
    expect(call?.fields('x-forwarded-for')).toEqual(['9.9.9.9, 8.8.8.8, 127.0.0.1'])
    expect(call?.fields('x-forwarded-proto')).toEqual(['https'])
    expect(call?.fields('x-forwarded-host')).toEqual(['shop.example'])
    expect(call?.fields('x-forwarded-port')).toEqual(['443'])
    expect(call?.fields('forwarded')).toEqual([
      'for=9.9.9.9;proto=https;host=shop.example, for=8.8.8.8, for=127.0.0.1',
    ])
    expect(call?.fields('x-real-ip')).toEqual(['8.8.8.8'])
    expect(call?.opening.fields.join()).not.toContain('6.6.6.6')
    expect(next?.fields('x-forwarded-for')).toEqual(['127.0.0.1'])
  })

  it.each([
    [
      'Forwarded: for="[2001:db8::1]:4711";proto=https;host=shop.example\r\n',
      ['2001:db8::1, 127.0.0.1', 'shop.example', 'https', '443', '2001:db8::1'],
      'for="[2001:db8::1]";proto=https;host=shop.example, for=127.0.0.1',
    ],
    [
      'X-Forwarded-For: 9.9.9.9:4711\r\nX-Forwarded-Proto: wss\r\nForwarded: for=6.6.6.6;proto=http\r\n',
      ['9.9.9.9:4711, 127.0.0.1', 'test', 'https', '443', '9.9.9.9'],
      'for=9.9.9.9;proto=https;host=test, for=127.0.0.1',
    ],
    [
      'X-Forwarded-Proto: gopher\r\nX-Forwarded-Host: a;proto=https\r\nX-Forwarded-Port: 70000\r\n',
      ['127.0.0.1', 'test', 'http', '80', '127.0.0.1'],
      'for=127.0.0.1;proto=http;host=test',
    ],
    [
      'X-Forwarded-For: ";proto=https, 9.9.9.9\r\n',
      ['";proto=https, 9.9.9.9, 127.0.0.1', 'test', 'http', '80', '9.9.9.9'],
      'for=unknown;proto=http;host=test, for=9.9.9.9, for=127.0.0.1',
    ],
  ])('H3 both families state the same facts: %j', async (fields, family, forwarded) => {
    await proxy.restart({ trustedProxies: ['127.0.0.0/8'] })
    proxy.telephone.handler = call => call.respond(200)
    await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\n${H}${fields}\r\n`)
    const [call] = proxy.telephone.calls
    const names = ['For', 'Host', 'Proto', 'Port'].map(name => `x-forwarded-${name.toLowerCase()}`)
    expect([...names, 'x-real-ip'].flatMap(name => call?.fields(name))).toEqual(family)
    expect(call?.fields('forwarded')).toEqual([forwarded])
    expect(proxy.harness.accessLog[0]?.remoteAddress).toBe(family.at(-1))
  })

  it('H3 the prefix that it has removed stands before the stripped mount', async () => {
    await proxy.restart({ trustedProxies: ['127.0.0.0/8'] })
    proxy.telephone.handler = call => call.respond(200)
    proxy.harness.routes = [harnessRoute({ host: 'test', mountPath: '/api', options: { stripMount: true } })]
    await rawExchange(proxy.harness.port, `GET /api/x HTTP/1.1\r\n${H}X-Forwarded-Prefix: /outer/\r\n\r\n`)
    expect(proxy.telephone.calls[0]?.fields('x-forwarded-prefix')).toEqual(['/outer/api'])
  })
})
