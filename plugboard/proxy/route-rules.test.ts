// The rules of routes on the public port, in both versions of HTTP: what they decide is the same, and what becomes of it on
// the wire fits the version.

import { hashPassword } from '@vera-stack/shared/password-hash.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FakeTelephone } from '../../test/support/fake-telephone.ts'
import { Http2Client } from '../../test/support/http2-client.ts'
import { useLeakCheck } from '../../test/support/leak-check.ts'
import { harnessRoute, ProxyHarness } from '../../test/support/proxy-harness.ts'
import { type RawAnswer, rawExchange } from '../../test/support/raw-connection.ts'
import { resolveRouteOptions } from '../routes/route-options.ts'

useLeakCheck()

let harness: ProxyHarness
let telephone: FakeTelephone & { cut(): void }
let client: Http2Client

beforeEach(async () => {
  const https = { redirectPort: undefined, hsts: 'max-age=1' }
  harness = await ProxyHarness.start({ http2Cleartext: true, trustedProxies: ['127.0.0.1'], https })
  telephone = await harness.telephone()
  telephone.handler = call => call.answer(200, 'hello', ['Server', 'theirs'])
  client = new Http2Client(`http://127.0.0.1:${harness.port}`)
})
afterEach(async () => {
  client.close()
  await harness.close()
})

const rule = (options: object, policy: object = {}) => {
  harness.routes = [harnessRoute({ host: 'test', options: resolveRouteOptions(options), policy })]
}
type Ask = (
  method: string,
  fields: Record<string, string>,
) => Promise<{ status: number; body: string; field: (name: string) => string | undefined }>
const http1: Ask = async (method, fields) => {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const answer: RawAnswer = await rawExchange(
    harness.port,
    `${method} /a HTTP/1.1\r\nHost: test\r\n${lines.join('')}\r\n`,
    method,
  )
  return {
    status: answer.status,
    body: answer.body.toString(),
    field: name => answer.headers.find(([each]) => each.toLowerCase() === name)?.[1],
  }
}
const http2: Ask = async (method, fields) => {
  const answer = await client.ask({ ':authority': 'test', ':path': '/a', ':method': method, ...fields })
  return { status: answer.status, body: answer.body.toString(), field: answer.field }
}

describe.each([
  ['HTTP/1.1', http1],
  ['HTTP/2', http2],
] as const)('%s', (_, ask) => {
  const basic = { authorization: `Basic ${Buffer.from('ada:lovelace').toString('base64')}` }

  it('waits for a password to be verified, then knows it', async () => {
    const users = [{ name: 'ada', hash: await hashPassword('lovelace', { ln: 10, r: 8, p: 1 }) }]
    rule({ access: { basic: { users, forwardUser: 'X-User' } } })
    const refused = await ask('GET', { 'x-user': 'root' })
    expect([refused.status, refused.field('www-authenticate')]).toEqual([
      401,
      'Basic realm="Restricted", charset="UTF-8"',
    ])
    for (const _ of [1, 2]) expect((await ask('GET', basic)).status).toBe(200)
    expect((await ask('GET', { authorization: 'Basic YTpi' })).status).toBe(401)
    expect(telephone.calls.map(call => [call.fields('x-user'), call.fields('authorization')])).toEqual([
      [['ada'], []],
      [['ada'], []],
    ])
    expect(harness.accessLog.map(({ status, code, route }) => [status, code, route])).toEqual([
      ...[
        [401, 'unauthorized', 'route-web'],
        [200, undefined, 'route-web'],
        [200, undefined, 'route-web'],
      ],
      [401, 'unauthorized', 'route-web'],
    ])
  })

  it('edits answers of the backend, and says CORS of problems of its own', async () => {
    rule({ cors: { origins: ['https://app.test'] }, responseHeaders: { set: { Server: 'ours' } } })
    const answer = await ask('GET', { origin: 'https://app.test' })
    expect(['server', 'vary', 'access-control-allow-origin'].map(answer.field)).toEqual([
      'ours',
      'Origin',
      'https://app.test',
    ])
    telephone.cut()
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

  it('addresses come before rates, rates before passwords and preflights', async () => {
    rule({ access: { deny: ['192.0.2.0/24'] }, cors: { origins: ['*'] } }, { maxRequestsPerSecond: 1 })
    const denied = { 'x-forwarded-for': '192.0.2.7' }
    for (const _ of [1, 2]) expect((await ask('GET', denied)).status).toBe(403)
    expect((await ask('GET', {})).status).toBe(200)
    const many = await ask('OPTIONS', { origin: 'https://app.test', 'access-control-request-method': 'PUT' })
    expect([many.status, many.field('access-control-allow-origin')]).toEqual([429, '*'])
  })

  it('HSTS is the route’s word, over HTTPS alone, on what it answers itself too', async () => {
    const overHttps = { 'x-forwarded-proto': 'https' }
    const hsts = async (fields: Record<string, string>) =>
      (await ask('GET', fields)).field('strict-transport-security')
    rule({ hsts: { maxAgeSeconds: 60, includeSubDomains: true } })
    expect([await hsts(overHttps), await hsts({})]).toEqual(['max-age=60; includeSubDomains', undefined])
    rule({ hsts: { maxAgeSeconds: 60 }, redirect: { to: 'https://new.test' } })
    expect([await hsts(overHttps), await hsts({})]).toEqual(['max-age=60', undefined])
    rule({ redirect: { to: 'https://new.test' } })
    expect(await hsts(overHttps)).toBe('max-age=1')
    rule({ hsts: false, redirect: { to: 'https://new.test' } })
    expect(await hsts(overHttps)).toBeUndefined()
  })

  it.each(['GET', 'HEAD', 'POST'])('a fixed answer to %s', async method => {
    rule({ answer: { status: 503, body: 'later', retryAfterSeconds: 5 } })
    const answer = await ask(method, {})
    expect([answer.status, answer.body, answer.field('retry-after')]).toEqual([
      503,
      method === 'HEAD' ? '' : 'later',
      '5',
    ])
    expect(answer.field('content-length')).toBe('5')
    expect(telephone.calls).toEqual([])
  })

  it('rules that cannot be read close the route', async () => {
    rule({ access: { allow: 'everybody' } })
    const answer = await ask('GET', {})
    expect([answer.status, answer.field('plugboard-error')]).toEqual([503, 'route_unusable'])
  })
})

it('F5 a body that breaks while a password is verified reaches no backend', async () => {
  const users = [{ name: 'ada', hash: await hashPassword('lovelace', { ln: 10, r: 8, p: 1 }) }]
  rule({ access: { basic: { users } } })
  const authorization = `Basic ${Buffer.from('ada:lovelace').toString('base64')}`
  const head = `POST / HTTP/1.1\r\nHost: test\r\nAuthorization: ${authorization}\r\n`
  const { status } = await rawExchange(harness.port, `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`)
  expect([status, telephone.calls.length, harness.proxy.inFlightCount]).toEqual([400, 0, 0])
  // The password was right, and is known now; a request that breaks behind a whole one does not take its answer.
  const both = await rawExchange(harness.port, `${head}Content-Length: 1\r\n\r\nxGET zz\r\n\r\n`)
  expect([both.status, both.body.toString()]).toEqual([200, 'hello'])
})
