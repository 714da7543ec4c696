// Rows H1-H14: what a request says, what of it the backend is told, and which path it is.

import { describe, expect, it } from 'vitest'
import { field, RawConnection } from '../../support/http/raw-connection.ts'
import { ask, edge, forwarded, get, HOST, refused } from './edge.ts'

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
/** What Plugboard itself says of every request. */
const OURS = [
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Forwarded-Port',
  'X-Real-IP',
  'Forwarded',
  'X-Request-ID',
  'Via',
]

describe('fields', () => {
  it('H1 fields of the hop, and those that Connection names, end here', async () => {
    const request = await forwarded(
      get(
        '/',
        'cOnnection: keep-alive, X-Secret\r\nConnection: x-other, X-Forwarded-For, Host, X-Request-ID\r\n' +
          'X-Secret: 1\r\nx-OTHER: 2\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n' +
          'Proxy-Authorization: Basic eA==\r\nTE: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nX-Kept: 3\r\n',
      ),
    )
    expect(request.fields.map(([name]) => name)).toEqual(['Host', 'X-Kept', ...OURS])
  })

  it.each(['Content-Length', 'Host', 'Transfer-Encoding'])(
    'H1 Connection cannot take %s away',
    async name => {
      const body = name === 'Transfer-Encoding' ? '3\r\nabc\r\n0\r\n\r\n' : 'abc'
      const framing = name === 'Transfer-Encoding' ? 'Transfer-Encoding: chunked' : 'Content-Length: 3'
      const request = await forwarded(
        `POST / HTTP/1.1\r\n${HOST}Connection: ${name}\r\n${framing}\r\n\r\n${body}`,
      )
      expect([request.body, request.all('host')]).toEqual(['abc', ['edge.test']])
    },
  )

  it.each([
    ['trailers', ['trailers']],
    ['TRAILERS', ['trailers']],
    ['trailers, gzip', []],
    ['gzip', []],
    ['', []],
  ])('H2 TE: %s', async (value, seen) => {
    const request = await forwarded(get('/', `TE: ${value}\r\nConnection: TE\r\n`))
    expect(request.all('te')).toEqual(seen)
  })

  it('H2 two TE are none', async () => {
    expect((await forwarded(get('/', 'TE: trailers\r\nTE: trailers\r\n'))).all('te')).toEqual([])
  })

  it('H3 what a stranger says of the client is replaced', async () => {
    const claims = [
      'For: 6.6.6.6',
      'Host: evil',
      'Proto: https',
      'Port: 666',
      'Prefix: /evil',
      'Server: evil',
    ]
    const fields = claims.map(claim => `X-Forwarded-${claim}\r\n`).join('')
    const request = await forwarded(
      get('/', `${fields}Forwarded: for=6.6.6.6;host=evil\r\nX-Real-IP: 6.6.6.6\r\n`, 'edge.test:4000'),
    )
    expect(request.head).not.toMatch(/6\.6\.6\.6|evil|666/)
    const values = OURS.slice(0, 6).map(name => request.all(name.toLowerCase()))
    expect(values).toEqual([
      ['127.0.0.1'],
      ['edge.test:4000'],
      ['http'],
      ['4000'],
      ['127.0.0.1'],
      ['for=127.0.0.1;proto=http;host="edge.test:4000"'],
    ])
  })

  it('H3 what a trusted proxy says is appended to', async () => {
    const claims =
      'X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8\r\nX-Forwarded-Proto: https\r\n' +
      'X-Forwarded-Host: shop.example\r\nForwarded: for=6.6.6.6;proto=http\r\nX_Forwarded_For: 6.6.6.6\r\n' +
      'X-Real-IP: 6.6.6.6\r\nX-Forwarded-User: 6.6.6.6\r\n'
    const response = await ask(get('/', claims), 'GET', edge.tight!.port)
    expect(response.status).toBe(200)
    const request = await edge.backend.request()
    expect(request.all('x-forwarded-for')).toEqual(['9.9.9.9, 8.8.8.8, 127.0.0.1'])
    expect(request.all('x-forwarded-proto')).toEqual(['https'])
    expect(request.all('x-forwarded-host')).toEqual(['shop.example'])
    expect(request.all('x-forwarded-port')).toEqual(['443'])
    expect(request.all('forwarded')).toEqual([
      'for=9.9.9.9;proto=https;host=shop.example, for=8.8.8.8, for=127.0.0.1',
    ])
    expect(request.all('x-real-ip')).toEqual(['8.8.8.8'])
    expect(request.head).not.toContain('6.6.6.6')
  })

  it('H3 of a trusted proxy that sends Forwarded alone, X-Forwarded-* says the same', async () => {
    const claims = 'Forwarded: for="[2001:db8::1]";proto=https;host="shop.example:8443"\r\n'
    expect((await ask(get('/', claims), 'GET', edge.tight!.port)).status).toBe(200)
    const request = await edge.backend.request()
    const names = [
      'x-forwarded-for',
      'x-forwarded-host',
      'x-forwarded-proto',
      'x-forwarded-port',
      'x-real-ip',
    ]
    expect(names.flatMap(name => request.all(name))).toEqual([
      '2001:db8::1, 127.0.0.1',
      'shop.example:8443',
      'https',
      '8443',
      '2001:db8::1',
    ])
    expect(request.all('forwarded')).toEqual([
      'for="[2001:db8::1]";proto=https;host="shop.example:8443", for=127.0.0.1',
    ])
  })

  it.each(['X_Forwarded_For', 'X.Forwarded.For', 'x_forwarded-host', 'X-Real_IP', 'X_Request_ID'])(
    'H4 the alias %s is dropped',
    async name => {
      expect((await forwarded(get('/', `${name}: 6.6.6.6\r\n`))).head).not.toContain('6.6.6.6')
    },
  )

  it.each([
    'Transfer_Encoding',
    'Content_Length',
    'Transfer---Encoding',
    'content.length',
    'Keep_Alive',
    'Proxy_Authorization',
    'Max_Forwards',
    'X--Forwarded-For',
    'x-request--id',
  ])('H4 the misspelt %s is dropped', async name => {
    const request = await forwarded(
      `POST / HTTP/1.1\r\n${HOST}${name}: chunked6666\r\nContent-Length: 3\r\n\r\nabc`,
    )
    expect([request.body, request.head.includes('chunked6666')]).toEqual(['abc', false])
  })

  it.each(['Proxy', 'PROXY'])('H13 %s is dropped', async name => {
    expect((await forwarded(get('/', `${name}: http://6.6.6.6\r\n`))).head).not.toContain('6.6.6.6')
  })

  it('H14 other names with _ are forwarded, or dropped where underscoreHeaders says so', async () => {
    const fields = 'X_Custom: 1\r\nContent_Type: 2\r\nX-Custom: 3\r\n'
    const request = await forwarded(get('/', fields))
    const values = ['x_custom', 'content_type', 'x-custom'].flatMap(name => request.all(name))
    expect(values).toEqual(['1', '2', '3'])
    edge.backend.reset()
    expect((await ask(get('/', fields), 'GET', edge.tight!.port)).status).toBe(200)
    const dropped = await edge.backend.request()
    expect(dropped.fields.filter(([name]) => name.includes('_'))).toEqual([])
    expect(dropped.all('x-custom')).toEqual(['3'])
  })

  it.each(['Plugboard-Error', 'plugboard_hops', 'PLUGBOARD.Service'])('H5 %s is ours to say', async name => {
    const { fields } = await forwarded(get('/', `${name}: 1\r\n`))
    expect(fields.filter(([each]) => /^plugboard/i.test(each))).toEqual([])
  })

  it('H6 Cookie and Set-Cookie are not joined, and keep their order', async () => {
    edge.backend.handler = request =>
      request.respond(200, '', 'Set-Cookie: a=1\r\nSet-Cookie: b=2, c\r\nset-cookie: d\r\n')
    const response = await ask(get('/', 'Cookie: a=1\r\nX: y\r\nCookie: b=2\r\n'))
    expect(edge.backend.requests[0]!.all('cookie')).toEqual(['a=1', 'b=2'])
    const set = response.headers.filter(([name]) => name.toLowerCase() === 'set-cookie')
    expect(set.map(([, value]) => value)).toEqual(['a=1', 'b=2, c', 'd'])
  })

  it('H7 names keep their case and order, values their bytes', async () => {
    edge.backend.handler = request => request.respond(200, '', 'x-MIXED: \xe9\r\n')
    const response = await ask(get('/', 'x-A: 1\r\nX-b: \xfc"\\\t!\r\nx-a: 3\r\n'))
    expect(edge.backend.requests[0]!.fields.slice(1, 4)).toEqual([
      ['x-A', '1'],
      ['X-b', '\xfc"\\\t!'],
      ['x-a', '3'],
    ])
    expect(response.headers).toContainEqual(['x-MIXED', '\xe9'])
  })

  it.each(['EDGE.test', 'edge.test.', 'Edge.Test.:8080', 'edge.test:', 'edge.test:65535'])(
    'H9 Host %s is the same host, and goes on as it was written',
    async host => {
      expect((await forwarded(get('/', '', host))).all('host')).toEqual([host])
    },
  )

  it.each([
    ['abc-123', true],
    ['x'.repeat(128), true],
    ['x'.repeat(129), false],
    ['a b', false],
    ['\xe9', false],
    ['', false],
  ])('H10 X-Request-ID %j kept: %s', async (id, kept) => {
    const response = await ask(get('/', `X-Request-ID: ${id}\r\n`))
    const [seen] = edge.backend.requests[0]!.all('x-request-id')
    if (kept) expect(seen).toBe(id)
    else expect(seen).toMatch(UUID_V7)
    expect(field(response.headers, 'x-request-id')).toBe(seen)
    const logged = await edge.plugboard.child.waitForLine(new RegExp(`"requestId":"${seen}"`))
    expect(logged.input).toContain('"status":200')
  })

  it('H10 two of them are replaced by one of ours', async () => {
    const request = await forwarded(get('/', 'X-Request-ID: a\r\nX-Request-ID: b\r\n'))
    expect(request.all('x-request-id')).toEqual([expect.stringMatching(UUID_V7)])
  })
})

describe('hops', () => {
  const OWN = /^1\.1 plugboard-[0-9a-f]{16}$/

  it('H11 Via gets a line of this cluster, on requests and on responses', async () => {
    edge.backend.handler = request => request.respond(200, '', 'Via: 1.1 inner\r\n')
    const response = await ask(get('/', 'Via: 1.0 fred, 1.1 p.example.net\r\n'))
    const seen = edge.backend.requests[0]!.all('via')
    expect(seen).toEqual(['1.0 fred, 1.1 p.example.net', expect.stringMatching(OWN)])
    const lines = response.headers.filter(([name]) => name === 'Via').map(([, value]) => value)
    expect(lines).toEqual(['1.1 inner', seen[1]])
    const old = await ask('GET / HTTP/1.0\r\nHost: edge.test\r\n\r\n')
    expect(old.status).toBe(200)
    expect(edge.backend.requests[1]!.all('via')).toEqual([seen[1]!.replace('1.1', '1.0')])
  })

  it('H11 a request that has passed here before gets 508', async () => {
    const [own = ''] = (await forwarded(get())).all('via')
    edge.backend.reset()
    const connection = await RawConnection.open(edge.port)
    await connection.send(get('/', `Via: 1.1 other, ${own}\r\n`) + get('/next'))
    const response = await connection.readResponse()
    expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([508, 'loop_detected'])
    expect((await connection.readResponse()).body.toString()).toBe('GET /next ')
    connection.destroy()
    expect(edge.backend.requests.map(({ target }) => target)).toEqual(['/next'])
    // Another cluster has another name: what passed there passes here.
    const elsewhere = await ask(get('/', `Via: ${own}\r\n`), 'GET', edge.tight!.port)
    expect(elsewhere.status).toBe(200)
  })

  it.each([
    ['OPTIONS', '2', ['1']],
    ['OPTIONS', '1', ['0']],
    ['GET', '0', ['0']],
  ])('H12 %s with Max-Forwards: %s reaches the backend with %j', async (method, value, seen) => {
    const request = await forwarded(get('/', `Max-Forwards: ${value}\r\n`).replace('GET', method), method)
    expect(request.all('max-forwards')).toEqual(seen)
  })

  it('H12 OPTIONS with Max-Forwards: 0 ends here, any other value than a number is refused', async () => {
    const options = (value: string) => get('/', `Max-Forwards: ${value}\r\n`).replace('GET', 'OPTIONS')
    const response = await ask(options('0'), 'OPTIONS')
    expect([response.status, field(response.headers, 'allow')]).toEqual([
      204,
      expect.stringContaining('OPTIONS'),
    ])
    expect(edge.backend.requests).toHaveLength(0)
    await refused(options('many'), 400)
  })
})

describe('paths', () => {
  it.each([
    ['//a', '//a'],
    ['/a/./b/', '/a/b/'],
    ['/a/../b?x=/../', '/b?x=/../'],
    ['/a/%2e%2E/b', '/b'],
    ['/a/.%2e/b', '/b'],
    ['/a/b/..', '/a/'],
    ['/a//../b', '/a/b'],
    ['/a%2fb/%5c..', '/a%2fb/%5c..'],
    ['/a%2F..%2Fb', '/a%2F..%2Fb'],
    ['/a;b=c/..;/d', '/a;b=c/..;/d'],
    ['/%41%zz%', '/%41%zz%'],
    ['/caf%c3%a9/%7e', '/caf%c3%a9/%7e'],
    ['/x/../caf%c3%a9/%7E', '/caf%c3%a9/%7E'],
    ['/...', '/...'],
    ['/?', '/?'],
    ['/a?b\\c%00', '/a?b\\c%00'],
    ['/a|b^c{d}"', '/a|b^c{d}"'],
    ['/http://other.test/', '/http://other.test/'],
  ])('H8 %s is forwarded as %s', async (target, seen) => {
    expect((await forwarded(get(target))).target).toBe(seen)
  })

  it.each([
    '/..',
    '/a/../../b',
    '/%2e%2E/b',
    '/a%00b',
    '/a\\b',
    '/public\\..\\admin',
    '/a\\b?c',
    'http://edge.test/a\\b',
  ])('H8 %s is refused', async target => {
    await refused(get(target), 400)
  })

  it('H8 the path that is matched is the path that is forwarded', async () => {
    const statusOf = async (target: string) => (await ask(get(target, '', 'mounted.test'))).status
    expect(await statusOf('/public/../admin')).toBe(404)
    expect(await statusOf('/public%2f..%2fadmin')).toBe(404)
    expect(await statusOf('/publicity')).toBe(404)
    expect(await statusOf('/x/%2e./public/a')).toBe(200)
    expect(await statusOf('/public%2fa')).toBe(404)
    expect(await statusOf('/_plugboard/tunnel/x')).toBe(404)
    expect(edge.backend.requests.map(({ target }) => target)).toEqual(['/public/a'])
  })

  it.each(['/caf%C3%A9', '/caf%c3%a9', '/c%61f%c3%A9/x', '/x/../caf%C3%a9', '/%63%61%66%c3%a9'])(
    'H8 a rule guards the spelling %s of its path, where a wildcard route leads to the same backend',
    async target => {
      const response = await ask(get(target, '', 'spelled.test'))
      expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([403, 'address_denied'])
      expect(edge.backend.requests).toEqual([])
    },
  )

  it('H8 other characters than unreserved ones are compared as they are', async () => {
    const statusOf = async (target: string) => (await ask(get(target, '', 'spelled.test'))).status
    for (const target of ['/caf%C3%A9%2Fx', '/caf%25C3%25A9', '/CAF%C3%A9', '/caf\xc3\xa9', '/%2Fcaf%C3%A9'])
      expect(await statusOf(target), target).toBe(target.includes('\xc3') ? 400 : 404)
  })

  it('H8 any spelling of a mount is stripped, and what follows it keeps its own', async () => {
    for (const target of ['/%E3%83%91/a', '/%e3%83%91/%61/%7euser?x=%c3', '/%e3%83%91/./a/../a/%2f'])
      await ask(get(target, '', 'spelled.test'))
    expect(edge.backend.requests.map(({ target }) => target)).toEqual(['/', '/%7euser?x=%c3', '/%2f'])
    for (const request of edge.backend.requests)
      expect(request.all('x-forwarded-prefix')).toEqual(['/%E3%83%91/a'])
  })

  it('H8 a redirect keeps the spelling of what follows the mount', async () => {
    const response = await ask(get('/%6fld/caf%c3%a9?x=%7e', '', 'spelled.test'))
    expect(field(response.headers, 'location')).toBe('/new/caf%c3%a9?x=%7e')
  })

  it('H8 no spelling of /_plugboard leads to a backend', async () => {
    const statusOf = async (target: string) => (await ask(get(target, '', 'edge.test'))).status
    expect(await statusOf('/%5fplugboard/x')).toBe(404)
    expect(await statusOf('/_plug%62oard/tunne%6c')).toBe(426)
    expect(edge.backend.requests).toEqual([])
  })

  it('H8 a mount that is stripped is taken off that same string', async () => {
    for (const target of ['/api', '/api?x', '/api/a/../b?x', '/api//b'])
      await ask(get(target, '', 'stripped.test'))
    expect(edge.backend.requests.map(({ target }) => target)).toEqual(['/', '/?x', '/b?x', '//b'])
    for (const request of edge.backend.requests) expect(request.all('x-forwarded-prefix')).toEqual(['/api'])
  })

  it.each([
    ['fixed.test', () => 'inner.example'],
    ['own.test', () => `localhost:${edge.backendPort}`],
    ['edge.test', () => 'edge.test'],
  ])('H9 Host for the backend of %s', async (host, expected) => {
    const request = await forwarded(get('/', 'X: y\r\n', host))
    expect([request.all('host'), request.all('x')]).toEqual([[expected()], ['y']])
    expect(request.all('x-forwarded-host')).toEqual([host])
  })
})

describe('tenants', () => {
  it.each([
    ['acme.tenants.test', ['acme']],
    ['ACME.Tenants.test.:80', ['acme']],
    ['eu.acme.tenants.test', ['eu.acme']],
    ['exact.tenants.test', []],
    ['edge.test', ['evil']],
  ])('H5 the tenant of %s is ours to say', async (host, seen) => {
    const request = await forwarded(get('/', 'X-Tenant: evil\r\n', host))
    expect(request.all('x-tenant')).toEqual(seen)
  })

  it.each(['X_Tenant', 'x.tenant', 'X-TENANT'])('H4 and so is its alias %s', async name => {
    const request = await forwarded(
      get('/', `${name}: evil\r\n${name}: worse\r\nX: y\r\n`, 'acme.tenants.test'),
    )
    expect(request.head).not.toMatch(/evil|worse/)
    expect([request.all('x-tenant'), request.all('x'), request.all('host')]).toEqual([
      ['acme'],
      ['y'],
      ['acme.tenants.test'],
    ])
  })

  it('H9 an exact host goes before a wildcard, and a longer wildcard before a shorter one', async () => {
    const seen: (string | undefined)[] = []
    for (const host of [
      'exact.tenants.test',
      'a.deep.tenants.test',
      'b.a.deep.tenants.test',
      'deep.tenants.test',
    ]) {
      edge.backend.reset()
      seen.push(...(await forwarded(get('/', '', host))).all('host'))
    }
    expect(seen).toEqual([
      `localhost:${edge.backendPort}`,
      'inner.example',
      'inner.example',
      'deep.tenants.test',
    ])
    expect((await ask(get('/', '', 'tenants.test'))).status).toBe(404)
  })
})
