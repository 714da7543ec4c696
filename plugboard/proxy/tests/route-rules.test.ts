// The rules of routes on the public port, in both versions of HTTP. The decisions are the same, and the form of the response
// fits the version.

import { beforeEach, describe, expect, it } from 'vitest'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../../test/support/harness/use-proxy.ts'
import type { Http2Client } from '../../../test/support/http/http2-client.ts'
import { field, type RawResponse, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { hashPassword } from '../../common/passwords/password-hash.ts'
import { resolveRouteOptions } from '../../routes/options/route-options.ts'

useLeakCheck()

const https = { redirectPort: undefined, hsts: 'max-age=1' }
const proxy = useProxy({ http2Cleartext: true, trustedProxies: ['127.0.0.1'], https })
let client: Http2Client

beforeEach(() => {
  proxy.telephone.handler = call => call.respond(200, 'hello', ['Server', 'theirs'])
  client = proxy.http2()
})

const rule = (options: object, policy: object = {}) => {
  proxy.harness.routes = [harnessRoute({ host: 'test', options: resolveRouteOptions(options), policy })]
}
type Ask = (
  method: string,
  fields: Record<string, string>,
) => Promise<{ status: number; body: string; field: (name: string) => string | undefined }>
const http1: Ask = async (method, fields) => {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const response: RawResponse = await rawExchange(
    proxy.harness.port,
    `${method} /a HTTP/1.1\r\nHost: test\r\n${lines.join('')}\r\n`,
    method,
  )
  return {
    status: response.status,
    body: response.body.toString(),
    field: name => response.headers.find(([each]) => each.toLowerCase() === name)?.[1],
  }
}
const http2: Ask = async (method, fields) => {
  const response = await client.ask({ ':authority': 'test', ':path': '/a', ':method': method, ...fields })
  return { status: response.status, body: response.body.toString(), field: response.field }
}

describe.each([
  ['HTTP/1.1', http1],
  ['HTTP/2', http2],
] as const)('%s', (_, ask) => {
  const basic = { authorization: `Basic ${Buffer.from('ada:lovelace').toString('base64')}` }

  it('waits until a password is verified, then accepts it at once', async () => {
    const users = [{ name: 'ada', hash: await hashPassword('lovelace', { ln: 10, r: 8, p: 1 }) }]
    rule({ access: { basic: { users, forwardUser: 'X-User' } } })
    const refused = await ask('GET', { 'x-user': 'root' })
    expect([refused.status, refused.field('www-authenticate')]).toEqual([
      401,
      'Basic realm="Restricted", charset="UTF-8"',
    ])
    for (const _ of [1, 2]) expect((await ask('GET', basic)).status).toBe(200)
    expect((await ask('GET', { authorization: 'Basic YTpi' })).status).toBe(401)
    expect(proxy.telephone.calls.map(call => [call.fields('x-user'), call.fields('authorization')])).toEqual([
      [['ada'], []],
      [['ada'], []],
    ])
    expect(proxy.harness.accessLog.map(({ status, code, route }) => [status, code, route])).toEqual([
      [401, 'unauthorized', 'route-web'],
      [200, undefined, 'route-web'],
      [200, undefined, 'route-web'],
      [401, 'unauthorized', 'route-web'],
    ])
  })

  it('edits responses of the backend, and adds CORS fields to its own problems', async () => {
    rule({ cors: { origins: ['https://app.test'] }, responseHeaders: { set: { Server: 'ours' } } })
    const response = await ask('GET', { origin: 'https://app.test' })
    expect(['server', 'vary', 'access-control-allow-origin'].map(response.field)).toEqual([
      'ours',
      'Origin',
      'https://app.test',
    ])
    proxy.telephone.cut()
    const problem = await ask('GET', { origin: 'https://app.test' })
    expect([problem.status, problem.field('access-control-allow-origin')]).toEqual([503, 'https://app.test'])
    expect(problem.field('server')).toBeUndefined()
    const preflight = await ask('OPTIONS', {
      origin: 'https://app.test',
      'access-control-request-method': 'PUT',
    })
    expect([preflight.status, preflight.body, preflight.field('content-length')]).toEqual([
      204,
      '',
      undefined,
    ])
  })

  it('checks addresses before rates, and rates before passwords and preflights', async () => {
    rule({ access: { deny: ['192.0.2.0/24'] }, cors: { origins: ['*'] } }, { maxRequestsPerSecond: 1 })
    const denied = { 'x-forwarded-for': '192.0.2.7' }
    for (const _ of [1, 2]) expect((await ask('GET', denied)).status).toBe(403)
    expect((await ask('GET', {})).status).toBe(200)
    const many = await ask('OPTIONS', { origin: 'https://app.test', 'access-control-request-method': 'PUT' })
    expect([many.status, many.field('access-control-allow-origin')]).toEqual([429, '*'])
  })

  const cors = { origins: ['https://app.test'] }
  const responseHeaders = { set: { Server: 'ours' } }
  const jwt = { issuer: 'https://issuer.test', audience: 'app', jwksUrl: 'https://issuer.test/jwks' }
  const preflight = { 'access-control-request-method': 'PUT' }
  /** Every source of a response: the rules, the method and fields of the request, the status, and the field edits. */
  const SOURCES: [string, object, string, Record<string, string>, number, edited: boolean][] = [
    ['proxied', {}, 'GET', {}, 200, true],
    ['a redirect', { redirect: { to: 'https://new.test' } }, 'GET', {}, 307, true],
    ['a fixed response', { respond: { status: 404, body: 'none' } }, 'GET', {}, 404, true],
    ['a final response to Max-Forwards', {}, 'OPTIONS', { 'max-forwards': '0' }, 204, true],
    ['a preflight', {}, 'OPTIONS', preflight, 204, true],
    ['a refusal by address', { access: { deny: ['0.0.0.0/0'] } }, 'GET', {}, 403, false],
    ['a refusal by credential', { access: { jwt } }, 'GET', {}, 401, false],
    ['rules that cannot be read', { access: { allow: 'all' } }, 'GET', {}, 503, false],
  ]
  it.each(SOURCES)(
    '%s carries the fields of its route',
    async (_, options, method, fields, status, edited) => {
      const seen = async (proto: string, more: object = {}) => {
        rule({ cors, responseHeaders, ...options, ...more })
        const response = await ask(method, {
          origin: 'https://app.test',
          'x-forwarded-proto': proto,
          ...fields,
        })
        expect(response.status).toBe(status)
        expect(response.field('access-control-allow-origin')).toBe('https://app.test')
        expect(response.field('server')).toBe(edited ? 'ours' : undefined)
        return response.field('strict-transport-security')
      }
      expect(await seen('https')).toBe('max-age=1')
      expect(await seen('http')).toBeUndefined()
      const hsts = { maxAgeSeconds: 60, includeSubDomains: true }
      expect(await seen('https', { hsts })).toBe('max-age=60; includeSubDomains')
      expect(await seen('http', { hsts })).toBeUndefined()
      expect(await seen('https', { hsts: false })).toBeUndefined()
    },
  )

  it('a problem without a telephone carries the fields of its route as well', async () => {
    rule({ cors, responseHeaders })
    proxy.telephone.cut()
    const response = await ask('GET', { origin: 'https://app.test', 'x-forwarded-proto': 'https' })
    expect([response.status, response.field('strict-transport-security'), response.field('server')]).toEqual([
      503,
      'max-age=1',
      undefined,
    ])
  })

  it('a value of the backend is kept, and a value of an edit as well', async () => {
    proxy.telephone.handler = call => call.respond(200, 'hello', ['strict-transport-security', 'max-age=7'])
    rule({})
    expect((await ask('GET', { 'x-forwarded-proto': 'https' })).field('strict-transport-security')).toBe(
      'max-age=7',
    )
    rule({ responseHeaders: { set: { 'Strict-Transport-Security': 'max-age=8' } } })
    expect((await ask('GET', { 'x-forwarded-proto': 'https' })).field('strict-transport-security')).toBe(
      'max-age=8',
    )
  })

  it.each(['GET', 'HEAD', 'POST'])('a fixed response to %s', async method => {
    rule({ respond: { status: 503, body: 'later', retryAfterSeconds: 5 } })
    const response = await ask(method, {})
    expect([response.status, response.body, response.field('retry-after')]).toEqual([
      503,
      method === 'HEAD' ? '' : 'later',
      '5',
    ])
    expect(response.field('content-length')).toBe('5')
    expect(proxy.telephone.calls).toEqual([])
  })

  it('the refusal of a forwarding loop carries the fields of its route', async () => {
    rule({ cors: { origins: ['https://app.test'] }, access: { allow: ['192.0.2.1'] } })
    const fields = { via: '1.1 plugboard-test', origin: 'https://app.test', 'x-forwarded-proto': 'https' }
    const response = await ask('GET', fields)
    const names = ['plugboard-error', 'access-control-allow-origin', 'strict-transport-security']
    const seen = [response.status, ...names.map(response.field)]
    expect(seen).toEqual([508, 'loop_detected', 'https://app.test', 'max-age=1'])
  })

  it('rules that cannot be read close the route', async () => {
    rule({ access: { allow: 'everybody' } })
    const response = await ask('GET', {})
    expect([response.status, response.field('plugboard-error')]).toEqual([503, 'route_unusable'])
  })
})

it('a 101 carries the fields of its route', async () => {
  rule({ responseHeaders: { set: { 'X-Frame-Options': 'DENY' } }, hsts: { maxAgeSeconds: 60 } })
  proxy.telephone.handler = call =>
    call.stream.respond({ status: 101, statusText: '', fields: ['Upgrade', 'websocket'] })
  const connection = await proxy.send(
    'GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-Proto: https\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  )
  const { status, headers } = await connection.readHead()
  expect([status, field(headers, 'x-frame-options'), field(headers, 'strict-transport-security')]).toEqual([
    101,
    'DENY',
    'max-age=60',
  ])
  connection.destroy()
})

it('the web page that sent the request can read the redirect to HTTPS', async () => {
  const https = { redirectPort: 443, hsts: 'max-age=1' }
  await proxy.restart({ http2Cleartext: true, trustedProxies: ['127.0.0.1'], https })
  rule({
    cors: { origins: ['https://app.test'] },
    responseHeaders: { set: { 'Cache-Control': 'max-age=5' } },
  })
  const response = await http1('GET', { origin: 'https://app.test' })
  expect(
    ['location', 'access-control-allow-origin', 'cache-control', 'strict-transport-security'].map(
      response.field,
    ),
  ).toEqual(['https://test/a', 'https://app.test', 'no-store', undefined])
})

it('F5 a body that breaks while a password is verified reaches no backend', async () => {
  const users = [{ name: 'ada', hash: await hashPassword('lovelace', { ln: 10, r: 8, p: 1 }) }]
  rule({ access: { basic: { users } } })
  const authorization = `Basic ${Buffer.from('ada:lovelace').toString('base64')}`
  const head = `POST / HTTP/1.1\r\nHost: test\r\nAuthorization: ${authorization}\r\n`
  const { status } = await rawExchange(proxy.harness.port, `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`)
  expect([status, proxy.telephone.calls.length, proxy.harness.proxy.inFlightCount]).toEqual([400, 0, 0])
  // The correct password is cached now. A malformed request behind a complete one does not affect the response to it.
  const both = await rawExchange(proxy.harness.port, `${head}Content-Length: 1\r\n\r\nxGET zz\r\n\r\n`)
  expect([both.status, both.body.toString()]).toEqual([200, 'hello'])
})
