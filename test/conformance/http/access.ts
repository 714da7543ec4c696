// Rows A1-A13: access to a route, and its responses without a backend.

import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AUDIENCE, ISSUER, Issuer } from '../../support/credentials/issuer.ts'
import { signJwt } from '../../support/credentials/jwt.ts'
import { field, RawConnection } from '../../support/http/raw-connection.ts'
import { ask, BARRIER, barrier, edge, forwarded, get } from './edge.ts'

const PAGE = 'https://app.test'
const issuer = new Issuer()
const basic = (text: string) => `Authorization: Basic ${Buffer.from(text).toString('base64')}\r\n`
const bearer = (token: string) => `Authorization: Bearer ${token}\r\n`
const PREFLIGHT = `Origin: ${PAGE}\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a\r\n`
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'

beforeAll(async () => {
  issuer.addKey('ES256')
  const jwt = { issuer: ISSUER, audience: AUDIENCE, jwksUrl: await issuer.listen() }
  const users = [{ name: 'ada', password: 'lovelace' }]
  const forward = { sub: 'X-User', email: 'X-Email' }
  const routes: Record<string, object> = {
    'denied.test': { access: { deny: ['127.0.0.0/8'] }, cors: { origins: [PAGE] } },
    'allowed.test': { access: { allow: ['127.0.0.0/8'] } },
    'elsewhere.test': { access: { allow: ['192.0.2.0/24'], basic: { users } } },
    'basic.test': { access: { basic: { users, forwardUser: 'X-User' } }, cors: { origins: [PAGE] } },
    'token.test': { access: { jwt: { ...jwt, forward } } },
    'scope.test': { access: { jwt: { ...jwt, scopes: ['read'] }, forwardAuthorization: true } },
    'both.test': { access: { jwt, basic: { users } } },
    'cors.test': { cors: { origins: [PAGE], credentials: true, exposed: ['X-A'] } },
    'edited.test': {
      requestHeaders: {
        set: { 'X-Role': 'reader', 'X-About': '{clientAddress} {host} {requestId}' },
        remove: ['Cookie'],
      },
      responseHeaders: { set: { Server: 'ours' }, add: { 'X-More': ['1', '2'] }, remove: ['X-Secret'] },
    },
    'moved.test': { redirect: { to: 'https://new.test/base?from=old', status: 301 } },
    'rooted.test/old': { redirect: { to: '/' } },
    'closed.test': {
      respond: { status: 503, contentType: 'text/html', body: '<h1>Later</h1>', retryAfterSeconds: 60 },
    },
    'strict.test': {
      cors: { origins: [PAGE] },
      responseHeaders: { set: { Server: 'ours' } },
      hsts: { maxAgeSeconds: 60 },
    },
    'strictly-moved.test': {
      redirect: { to: 'https://new.test' },
      responseHeaders: { set: { Server: 'ours' } },
      hsts: { maxAgeSeconds: 60 },
    },
    'guarded.test': { access: { basic: { users } }, respond: { body: 'inside' } },
    'excepted.test': { respond: { status: 503, except: ['127.0.0.0/8'] } },
    'others-excepted.test': { respond: { status: 503, except: ['192.0.2.0/24'] } },
    'over.test': { respond: { status: 503, until: '2020-01-01T00:00:00Z' } },
    'running.test': { respond: { status: 503, from: '2020-01-01T00:00:00Z', until: '9999-01-01T00:00:00Z' } },
    'planned.test': { respond: { status: 503, from: '9999-01-01T00:00:00Z' } },
  }
  const partly = /^(?:excepted|others-excepted|over|running|planned)/
  for (const [mount, options] of Object.entries(routes)) {
    const own = ('redirect' in options || 'respond' in options) && !partly.test(mount)
    await edge.plugboard.call('POST', '/v1/routes', { mount, options, ...(own ? {} : { service: 'edge' }) })
  }
})
afterAll(() => issuer.close())

/** Expects this status and code, and no byte at the backend. */
async function kept(bytes: string, status: number, code: string, method?: string) {
  const response = await ask(bytes, method)
  expect([response.status, field(response.headers, 'plugboard-error')], response.head).toEqual([status, code])
  await barrier()
  expect(edge.backend.requests.map(({ target }) => target)).toEqual([BARRIER])
  return response
}

describe('addresses', () => {
  it.each(['GET', 'HEAD', 'POST', 'OPTIONS'])('A1 a denied address gets no access by %s', async method => {
    await kept(get('/', PREFLIGHT, 'denied.test').replace('GET', method), 403, 'address_denied', method)
  })

  it('A1 a denied address gets no upgrade and no password prompt', async () => {
    await kept(get('/', UPGRADE, 'denied.test'), 403, 'address_denied')
    edge.backend.reset()
    const response = await kept(get('/', basic('ada:lovelace'), 'elsewhere.test'), 403, 'address_denied')
    expect(field(response.headers, 'www-authenticate')).toBeUndefined()
  })

  it('A1 an allowed address passes, and X-Forwarded-For of a stranger has no effect', async () => {
    await forwarded(get('/', '', 'allowed.test'))
    edge.backend.reset()
    await kept(
      get('/', 'X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n', 'elsewhere.test'),
      403,
      'address_denied',
    )
  })
})

describe('CORS', () => {
  it.each(['cors.test', 'basic.test'])('A2 a preflight to %s gets a local response', async host => {
    const response = await ask(get('/x', PREFLIGHT, host).replace('GET', 'OPTIONS'), 'OPTIONS')
    expect(response.status).toBe(204)
    expect(field(response.headers, 'access-control-allow-origin')).toBe(PAGE)
    expect(field(response.headers, 'access-control-allow-headers')).toBe('x-a')
    expect(field(response.headers, 'access-control-allow-methods')).toBe('PUT, PATCH, DELETE')
    await barrier()
    expect(edge.backend.requests).toHaveLength(1)
  })

  it('A2 another origin gets no permission, and other OPTIONS requests are forwarded', async () => {
    const evil = PREFLIGHT.replace(PAGE, 'https://evil.test')
    const response = await ask(get('/', evil, 'cors.test').replace('GET', 'OPTIONS'), 'OPTIONS')
    expect([response.status, field(response.headers, 'access-control-allow-origin')]).toEqual([
      204,
      undefined,
    ])
    const options = get('/', `Origin: ${PAGE}\r\n`, 'cors.test').replace('GET', 'OPTIONS')
    expect((await forwarded(options, 'OPTIONS')).method).toBe('OPTIONS')
    edge.backend.reset()
    await kept(get('/', PREFLIGHT, 'basic.test'), 401, 'unauthorized')
  })

  it('A3 the CORS fields of the backend are replaced', async () => {
    edge.backend.handler = request =>
      request.respond(
        200,
        '',
        'Access-Control-Allow-Origin: *\r\naccess-control-max-age: 5\r\nVary: Accept\r\n',
      )
    const response = await ask(get('/', `Origin: ${PAGE}\r\n`, 'cors.test'))
    const fields = response.headers.filter(([name]) => /^(?:access-control|vary)/i.test(name))
    expect(fields).toEqual([
      ['Vary', 'Accept, Origin'],
      ['Access-Control-Allow-Origin', PAGE],
      ['Access-Control-Allow-Credentials', 'true'],
      ['Access-Control-Expose-Headers', 'X-A'],
    ])
    const other = await ask(get('/', '', 'cors.test'))
    expect(other.headers.filter(([name]) => /^(?:access-control|vary)/i.test(name))).toEqual([
      ['Vary', 'Accept, Origin'],
    ])
  })

  it('A3 the page that sent the request can read problems', async () => {
    const fields = `Origin: ${PAGE}\r\n`
    for (const host of ['denied.test', 'basic.test']) {
      const { headers } = await ask(get('/', fields, host))
      expect(field(headers, 'access-control-allow-origin')).toBe(PAGE)
      expect(field(headers, 'access-control-expose-headers')).toContain('Plugboard-Error')
    }
    edge.backend.handler = request => request.say('no HTTP\r\n\r\n')
    const { headers } = await ask(get('/', fields, 'cors.test'))
    expect(field(headers, 'plugboard-error')).toBe('backend_protocol_error')
    expect(field(headers, 'access-control-allow-origin')).toBe(PAGE)
  })
})

describe('credentials', () => {
  it.each(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PROPFIND'])('A4 %s without one', async method => {
    const response = await kept(
      get('/', '', 'basic.test').replace('GET', method),
      401,
      'unauthorized',
      method,
    )
    expect(field(response.headers, 'www-authenticate')).toBe('Basic realm="Restricted", charset="UTF-8"')
  })

  it('A4 an upgrade, a request with a body and an escaped path need a password too', async () => {
    await kept(get('/ws', UPGRADE, 'basic.test'), 401, 'unauthorized')
    edge.backend.reset()
    await kept(`POST / HTTP/1.1\r\nHost: basic.test\r\nContent-Length: 3\r\n\r\nabc`, 401, 'unauthorized')
    edge.backend.reset()
    await kept(get('//x/..;/%2e%2e/', '', 'BASIC.test.:80'), 401, 'unauthorized')
    edge.backend.reset()
    await kept(get('http://basic.test/', '', 'edge.test'), 401, 'unauthorized')
  })

  it('A4 a wrong password is rejected, and the right one passes', async () => {
    await kept(get('/', basic('ada:wrong'), 'basic.test'), 401, 'unauthorized')
    edge.backend.reset()
    await kept(get('/', basic('root:lovelace'), 'both.test'), 401, 'unauthorized')
    edge.backend.reset()
    expect((await forwarded(get('/', basic('ada:lovelace'), 'both.test'))).all('authorization')).toEqual([])
    edge.backend.reset()
    const token = issuer.token()
    expect((await forwarded(get('/', bearer(token), 'both.test'))).all('authorization')).toEqual([])
    const { headers } = await ask(get('/', '', 'both.test'))
    const challenges = headers.filter(([name]) => name === 'WWW-Authenticate').map(([, value]) => value)
    expect(challenges).toEqual(['Bearer', 'Basic realm="Restricted", charset="UTF-8"'])
  })

  it('A4 a request that waits for the access check keeps its body and its place', async () => {
    const connection = await RawConnection.open(edge.port)
    const head = `POST /1 HTTP/1.1\r\nHost: token.test\r\n${bearer(issuer.token({ n: 1 }))}`
    await connection.send(`${head}Content-Length: 5\r\n\r\nhe`)
    await connection.send(`llo${get('/2', '', 'allowed.test')}`)
    const responses = [await connection.readResponse(), await connection.readResponse()]
    expect(responses.map(({ body }) => body.toString())).toEqual(['POST /1 hello', 'GET /2 '])
    connection.destroy()
  })

  it('A4 an upgrade that waits for the access check keeps its bytes', async () => {
    edge.backend.handler = request => {
      request.connection.becomeRaw()
      request.say('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    }
    const connection = await RawConnection.open(edge.port)
    await connection.send(`${get('/ws', `${UPGRADE}${bearer(issuer.token({ n: 2 }))}`, 'token.test')}early`)
    expect((await connection.readHead()).status).toBe(101)
    const [request] = edge.backend.requests
    await request?.connection.until('the early bytes', () => request.connection.raw === 'early')
    connection.destroy()
  })

  it('A5 two Authorization fields count as no credential', async () => {
    const token = issuer.token()
    await kept(get('/', `${bearer(token)}${bearer('x')}`, 'token.test'), 400, 'bad_request')
    edge.backend.reset()
    await kept(
      get('/', `${basic('ada:lovelace')}Connection: Authorization\r\n`, 'basic.test'),
      401,
      'unauthorized',
    )
  })

  it('A6 a token with another algorithm, issuer, audience or time is rejected', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'root', exp: 4_000_000_000 }
    const { kid, publicJwk } = issuer.keys[0]!
    const hs = `${part({ alg: 'HS256', kid })}.${part(claims)}`
    const forged = [
      `${part({ alg: 'none' })}.${part(claims)}.`,
      `${hs}.${createHmac('sha256', JSON.stringify(publicJwk)).update(hs).digest('base64url')}`,
      signJwt(claims, { kid }),
      signJwt(claims, { kid: 'unknown' }),
      issuer.token({ aud: 'https://other.test' }),
      issuer.token({ nbf: 4_000_000_000 }),
      'x'.repeat(20_000),
      'a.b.c',
    ]
    for (const token of forged) {
      const response = await kept(get('/', bearer(token), 'token.test'), 401, 'unauthorized')
      expect(field(response.headers, 'www-authenticate')).toMatch(/^Bearer error="invalid_token", /)
      edge.backend.reset()
    }
    const requests = issuer.requests
    for (let n = 0; n < 20; n += 1)
      await ask(get('/', bearer(signJwt(claims, { kid: `k${n}` })), 'token.test'))
    expect(issuer.requests).toBe(requests)
    await kept(get('/', bearer(issuer.token({ exp: 1 })), 'token.test'), 401, 'token_expired')
  })

  it('A6 a token without the scope is rejected', async () => {
    const response = await kept(get('/', bearer(issuer.token()), 'scope.test'), 403, 'forbidden')
    expect(field(response.headers, 'www-authenticate')).toBe(
      'Bearer error="insufficient_scope", scope="read"',
    )
    edge.backend.reset()
    const token = issuer.token({ scope: 'write read' })
    expect((await forwarded(get('/', bearer(token), 'scope.test'))).all('authorization')).toEqual([
      `Bearer ${token}`,
    ])
  })

  it('A7 only Plugboard sets the fields with the identity of the client', async () => {
    const forged = ['X-User', 'x-user', 'X_User', 'X.USER', 'x-email', 'X_EMAIL']
      .map(name => `${name}: root\r\n`)
      .join('')
    const request = await forwarded(
      get('/', forged + bearer(issuer.token({ sub: 'ada\r\nX-Admin: 1' })), 'token.test'),
    )
    const told = request.fields.filter(([name]) => /user|email|admin|auth/i.test(name))
    expect(told).toEqual([['X-User', 'ada%0D%0AX-Admin: 1']])
    edge.backend.reset()
    const user = await forwarded(
      get('/', `${forged}Connection: X-User\r\n${basic('ada:lovelace')}`, 'basic.test'),
    )
    expect(user.fields.filter(([name]) => /user|auth/i.test(name))).toEqual([['X-User', 'ada']])
  })
})

describe('fields', () => {
  it('A7 trailers cannot set the identity of the client', async () => {
    const head = `POST / HTTP/1.1\r\nHost: basic.test\r\nTransfer-Encoding: chunked\r\n${basic('ada:lovelace')}`
    const request = await forwarded(`${head}Trailer: X-User\r\n\r\n1\r\na\r\n0\r\nX-User: root\r\n\r\n`)
    expect([request.body, request.trailers]).toEqual(['a', []])
  })

  it('A8 of requests are removed, set and added', async () => {
    const fields = 'x_role: admin\r\nX-ROLE: admin\r\nCookie: a=1\r\ncookie: b=2\r\nX-Request-ID: r-1\r\n'
    const request = await forwarded(get('/', fields, 'edited.test'))
    expect(request.fields.filter(([name]) => /role|cookie|about/i.test(name))).toEqual([
      ['X-Role', 'reader'],
      ['X-About', '127.0.0.1 edited.test r-1'],
    ])
  })

  it('A8 of responses are edited too, and problems are not changed', async () => {
    edge.backend.handler = request =>
      request.respond(200, 'x', 'server: theirs\r\nX-Secret: 1\r\nX-More: 0\r\n')
    const { headers } = await ask(get('/', '', 'edited.test'))
    expect(headers.filter(([name]) => /server|secret|more/i.test(name))).toEqual([
      ['X-More', '0'],
      ['Server', 'ours'],
      ['X-More', '1'],
      ['X-More', '2'],
    ])
    edge.backend.handler = request => request.say('no HTTP\r\n\r\n')
    expect(field((await ask(get('/', '', 'edited.test'))).headers, 'server')).toBeUndefined()
  })
})

describe('responses of a route itself', () => {
  it.each([
    ['moved.test', '/', 'https://new.test/base?from=old'],
    ['moved.test', '/a//b?q=1', 'https://new.test/base/a//b?from=old&q=1'],
    ['rooted.test', '/old', '/'],
    ['rooted.test', '/old//evil.test', '/evil.test'],
    ['rooted.test', '/old/%2f/evil.test', '/%2f/evil.test'],
    ['rooted.test', '/old/@evil.test?"><script>', '/@evil.test?%22%3E%3Cscript%3E'],
    ['rooted.test', '/old/%0d%0aSet-Cookie:a=1', '/%0d%0aSet-Cookie:a=1'],
  ])('A9 %s%s → %s', async (host, target, location) => {
    const response = await ask(get(target, '', host))
    expect([response.status, field(response.headers, 'location')]).toEqual([
      host === 'moved.test' ? 301 : 307,
      location,
    ])
    expect([response.body.toString(), field(response.headers, 'content-length')]).toEqual(['', '0'])
    await barrier()
    expect(edge.backend.requests).toHaveLength(1)
  })

  it('A10 a maintenance page: for all methods, with its length for HEAD, for upgrades, on one connection', async () => {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const response = await ask(get('/any', '', 'closed.test').replace('GET', method), method)
      expect([response.status, response.body.toString()]).toEqual([503, '<h1>Later</h1>'])
      expect(field(response.headers, 'retry-after')).toBe('60')
      expect(field(response.headers, 'content-type')).toBe('text/html')
      expect(field(response.headers, 'plugboard-error')).toBeUndefined()
    }
    const connection = await RawConnection.open(edge.port)
    await connection.send(get('/', '', 'closed.test').replace('GET', 'HEAD') + get('/', '', 'closed.test'))
    const head = await connection.readResponse('HEAD')
    expect([field(head.headers, 'content-length'), head.body.length]).toEqual(['14', 0])
    expect((await connection.readResponse()).body.toString()).toBe('<h1>Later</h1>')
    connection.destroy()
    expect((await ask(get('/', UPGRADE, 'closed.test'))).status).toBe(503)
    await barrier()
    expect(edge.backend.requests).toHaveLength(1)
  })

  it('A10 is sent only to clients that may use the route', async () => {
    await kept(get('/', '', 'guarded.test'), 401, 'unauthorized')
    expect((await ask(get('/', basic('ada:lovelace'), 'guarded.test'))).body.toString()).toBe('inside')
  })
})

describe('fixed responses to some requests', () => {
  it.each(['excepted.test', 'over.test', 'planned.test'])('A14 %s sends them to the service', async host => {
    const response = await ask(get('/page', '', host))
    expect([response.status, response.body.toString()]).toEqual([200, 'GET /page '])
    await barrier()
    expect(edge.backend.requests.map(({ target }) => target)).toEqual(['/page', BARRIER])
  })

  it.each(['others-excepted.test', 'running.test'])('A14 %s sends the fixed response', async host => {
    expect((await ask(get('/page', '', host))).status).toBe(503)
    await barrier()
    expect(edge.backend.requests.map(({ target }) => target)).toEqual([BARRIER])
  })
})

describe('rules that cannot be read', () => {
  it('A11 close only their route', async () => {
    await edge.sql(`INSERT INTO plugboard.routes (host, mount_path, service_id, options)
      SELECT 'newer.test', '/', id, '{"access": {"allow": ["0.0.0.0/0"], "comingLater": true}}'
      FROM plugboard.services WHERE name = 'edge'`)
    await expect.poll(async () => (await ask(get('/', '', 'newer.test'))).status).toBe(503)
    edge.backend.reset()
    await kept(get('/', '', 'newer.test'), 503, 'route_unusable')
  })
})

describe('the fields of each response of a route', () => {
  /** Sends a request through the Plugboard whose client is a trusted proxy that reports HTTPS. */
  const overProxy = (fields: string, host: string, method = 'GET') =>
    ask(
      get('/', `X-Forwarded-Proto: https\r\nOrigin: ${PAGE}\r\n${fields}`, host).replace('GET', method),
      method,
      edge.tight!.port,
    )
  const seen = ({ status, headers }: Awaited<ReturnType<typeof ask>>) => [
    status,
    ...['server', 'access-control-allow-origin', 'strict-transport-security'].map(name =>
      field(headers, name),
    ),
  ]
  const hsts = 'max-age=60'

  it('A12 are on proxied responses, on responses of the route itself, and on rejections', async () => {
    await expect.poll(async () => (await overProxy('', 'strictly-moved.test')).status).toBe(307)
    const preflight = 'Access-Control-Request-Method: PUT\r\n'
    expect(seen(await overProxy('', 'strict.test'))).toEqual([200, 'ours', PAGE, hsts])
    expect(seen(await overProxy(preflight, 'strict.test', 'OPTIONS'))).toEqual([204, 'ours', PAGE, hsts])
    expect(seen(await overProxy('', 'strictly-moved.test'))).toEqual([307, 'ours', undefined, hsts])
    edge.backend.handler = request => request.say('no HTTP\r\n\r\n')
    expect(seen(await overProxy('', 'strict.test'))).toEqual([502, undefined, PAGE, hsts])
  })

  it('A12 have no HSTS for a client without HTTPS, also when a stranger reports HTTPS', async () => {
    const response = await ask(get('/', 'X-Forwarded-Proto: https\r\n', 'strict.test'))
    expect(seen(response)).toEqual([200, 'ours', undefined, undefined])
  })
})

describe('a login that holds for a connection', () => {
  /** Acts like IIS with NTLM: after three messages on one connection, each request on it belongs to the user. */
  function ntlmBackend(): void {
    const users = new Map<unknown, string>()
    edge.backend.handler = request => {
      const [credential = ''] = request.all('authorization')
      const user = users.get(request.connection)
      if (credential === 'NTLM one') {
        users.set(request.connection, 'challenged')
        request.respond(401, '', 'WWW-Authenticate: NTLM two\r\n')
      } else if (credential.startsWith('NTLM three-') && user === 'challenged') {
        users.set(request.connection, credential.slice(11))
        request.respond(200, credential.slice(11))
      } else if (user === undefined || user === 'challenged') {
        request.respond(401, '', 'WWW-Authenticate: NTLM\r\n')
      } else {
        request.respond(200, user)
      }
    }
  }

  async function logIn(user: string): Promise<RawConnection> {
    const connection = await RawConnection.open(edge.port)
    for (const credential of ['', 'Authorization: NTLM one\r\n']) {
      await connection.send(get('/', credential))
      expect((await connection.readResponse()).status).toBe(401)
    }
    await connection.send(get('/', `Authorization: NTLM three-${user}\r\n`))
    expect((await connection.readResponse()).body.toString()).toBe(user)
    return connection
  }

  it('A13 works from end to end, and no other client gets a response for its user', async () => {
    ntlmBackend()
    const users = ['alice', 'bob', 'carol']
    const connections = await Promise.all(users.map(logIn))
    for (let round = 0; round < 10; round += 1) {
      const strangers = Array.from({ length: 5 }, () => ask(get()))
      for (const [index, connection] of connections.entries()) {
        await connection.send(get())
        expect((await connection.readResponse()).body.toString()).toBe(users[index])
      }
      for (const stranger of strangers) expect((await stranger).status).toBe(401)
    }
    for (const connection of connections) connection.destroy()
    expect((await ask(get())).status).toBe(401)
  })
})
