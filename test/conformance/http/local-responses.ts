// The responses of the proxy itself: each code on the wire, its form, and the data that it must not contain.

import type { Socket } from 'node:net'
import { TUNNEL_WEBSOCKET_OPTIONS, webSocketTransport } from '@vera-stack/shared/net/websocket-transport.ts'
import type { AnnouncedOutage } from '@vera-stack/shared/protocol/control/control.ts'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { FakeTelephone } from '../../support/harness/fake-telephone.ts'
import { field, RawConnection, type RawResponse } from '../../support/http/raw-connection.ts'
import { ask, edge, get, HOST } from './edge.ts'

const UUID = /^[0-9a-f-]{36}$/

/** Expects a problem with this code, in the form that every problem has. `members`: the members that differ from this form. */
function expectProblem(
  response: RawResponse,
  status: number,
  code: string,
  retryAfter = false,
  members: Readonly<Record<string, unknown>> = {},
): void {
  expect([response.status, field(response.headers, 'plugboard-error')], response.head).toEqual([status, code])
  expect(field(response.headers, 'content-type')).toBe('application/problem+json')
  expect(field(response.headers, 'cache-control')).toBe('no-store')
  const requestId = field(response.headers, 'x-request-id')
  expect(requestId).toMatch(UUID)
  const problem = JSON.parse(response.body.toString()) as Record<string, unknown>
  expect(problem).toEqual({
    type: 'about:blank',
    title: response.statusText,
    status,
    code,
    requestId,
    detail: expect.stringMatching(/^[A-Z][^\n]{5,120}\.$/),
    ...members,
  })
  expect(field(response.headers, 'retry-after')).toEqual(
    retryAfter ? expect.stringMatching(/^\d+$/) : undefined,
  )
  // No stack, no path of our files, no secret.
  expect(response.head + response.body.toString()).not.toMatch(
    /node:|\.ts\b|127\.0\.0\.1|localhost|eyJ|vsk_|edge-0/,
  )
}

/** Connects a fake Telephone for `faked.test`, which the test controls. `outage`: its service is unhealthy. */
async function fakeTelephone(outage?: AnnouncedOutage): Promise<FakeTelephone & { cut(): void }> {
  const socket = new WebSocket(`ws://127.0.0.1:${edge.port}/_plugboard/tunnel`, 'plugboard.v1', {
    headers: { authorization: `Bearer ${edge.token}` },
    ...TUNNEL_WEBSOCKET_OPTIONS,
  })
  const name = `fake-${Math.random().toString(36).slice(2)}`
  let tcp: Socket | undefined
  socket.once('upgrade', response => {
    tcp = response.socket
  })
  // In the same turn as 'open', because the first message may follow at once.
  const opened = new Promise<FakeTelephone>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('open', () => {
      const transport = webSocketTransport(socket, tcp!)
      resolve(new FakeTelephone(transport, { name, instance: name, startedAt: Date.now() }))
    })
  })
  const telephone = await opened
  await telephone.ready()
  const down = outage === undefined ? {} : ({ health: 'down', outage } as const)
  const [result] = await telephone.announce({ service: 'faked', ...down })
  expect(result?.accepted).toBe(true)
  return Object.assign(telephone, { cut: () => socket.terminate() })
}

describe('codes', () => {
  it('route_not_found: no mount matches', async () => {
    expectProblem(await ask(get('/', '', 'unknown.test')), 404, 'route_not_found')
    expectProblem(await ask(get('/else', '', 'mounted.test')), 404, 'route_not_found')
  })

  it('no_telephone: the service of the route has no line', async () => {
    expectProblem(await ask(get('/', '', 'nobody.test')), 503, 'no_telephone', true)
  })

  it('service_unhealthy: the Telephone is connected, but the health check fails', async () => {
    const telephone = await fakeTelephone({ detail: '/healthz returned 500 at 127.0.0.1', sinceMs: 1 })
    expectProblem(await ask(get('/', '', 'faked.test')), 503, 'service_unhealthy', true)
    telephone.cut()
    await telephone.closed
  })

  it('telephone_lost: the tunnel broke before a response', async () => {
    const telephone = await fakeTelephone()
    const asked = ask(`POST / HTTP/1.1\r\nHost: faked.test\r\nContent-Length: 0\r\n\r\n`)
    await telephone.nextCall()
    telephone.cut()
    expectProblem(await asked, 502, 'telephone_lost')
    await telephone.closed
  })

  it('loop_detected: the request has passed this server before', async () => {
    const via = field((await ask(get())).headers, 'via')
    expectProblem(await ask(get('/', `Via: ${via}\r\n`)), 508, 'loop_detected')
  })

  it('backend_unreachable: the Telephone could not connect', async () => {
    expectProblem(await ask(get('/', '', 'dead.test')), 502, 'backend_unreachable')
  })

  it.each([
    ['without a byte', '', 'end'],
    ['by a reset', '', 'reset'],
    ['in the middle of a head', 'HTTP/1.1 200 OK\r\nX', 'end'],
  ])('backend_closed: the backend closed the connection %s', async (_name, bytes, how) => {
    edge.backend.handler = request => {
      const { socket } = request.connection
      if (bytes !== '') request.say(bytes)
      if (how === 'end') socket.end()
      else socket.resetAndDestroy()
    }
    expectProblem(await ask(get()), 502, 'backend_closed')
    expectProblem(await ask(`POST / HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`), 502, 'backend_closed')
  })

  it('backend_protocol_error: the backend sent invalid HTTP', async () => {
    edge.backend.handler = request => request.say('hello\r\n\r\n')
    expectProblem(await ask(get()), 502, 'backend_protocol_error')
  })

  it('backend_timeout: no response head in time', async () => {
    edge.backend.handler = () => undefined
    expectProblem(await ask(get('/', '', 'hurried.test')), 504, 'backend_timeout')
  })

  it('payload_too_large: above the limit of the service, by Content-Length or by the received bytes', async () => {
    const head = 'POST / HTTP/1.1\r\nHost: hurried.test\r\n'
    expectProblem(await ask(`${head}Content-Length: 1001\r\n\r\n`), 413, 'payload_too_large')
    expect(edge.backend.requests).toHaveLength(0)
    const chunk = `3e9\r\n${'x'.repeat(1001)}\r\n`
    expectProblem(await ask(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk}`), 413, 'payload_too_large')
    for (const request of edge.backend.requests) expect(await request.ended).toBe('aborted')
    const whole = await ask(`${head}Content-Length: 1000\r\n\r\n${'x'.repeat(1000)}`)
    expect(whole.status).toBe(200)
  })

  it('rate_limited: more requests of one address than its service accepts in a second', async () => {
    const connection = await RawConnection.open(edge.port)
    // All requests arrive at once, so Plugboard reads them well within one second.
    await connection.send(get('/', '', 'rare.test').repeat(20))
    const responses: RawResponse[] = []
    for (let index = 0; index < 20; index += 1) responses.push(await connection.readResponse())
    connection.destroy()
    expect(responses[0]!.status).toBe(200)
    const refused = responses.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(10)
    const quota = {
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      'violated-policies': ['maxRequestsPerSecond'],
    }
    for (const response of refused) expectProblem(response, 429, 'rate_limited', true, quota)
  })

  it('overloaded: too many requests on one connection wait at once', async () => {
    const responses: (() => void)[] = []
    edge.backend.handler = request => {
      responses.push(() => request.respond(200, 'ok'))
      if (responses.length === 64) for (const response of responses) response()
    }
    const connection = await RawConnection.open(edge.port)
    await connection.send(get().repeat(65))
    for (let index = 0; index < 64; index += 1) expect((await connection.readResponse()).status).toBe(200)
    expectProblem(await connection.readResponse(), 503, 'overloaded', true)
    connection.destroy()
  })

  it.each(['overloaded', 'draining'] as const)('%s: the only Telephone reports it', async reason => {
    const telephone = await fakeTelephone()
    telephone.handler = call => queueMicrotask(() => call.stream.reset(reason))
    expectProblem(await ask(get('/', '', 'faked.test')), 503, reason, true)
    telephone.cut()
    await telephone.closed
  })

  it('bad_request, method_not_allowed and the like are problems too', async () => {
    expectProblem(await ask(get('/%00')), 400, 'bad_request')
    expectProblem(await ask(`CONNECT a:1 HTTP/1.1\r\n${HOST}\r\n`), 405, 'method_not_allowed')
    expectProblem(await ask(get('/', 'X: y\r\n'.repeat(200))), 431, 'headers_too_large')
    expectProblem(await ask(get('/', 'Expect: x\r\n')), 417, 'expectation_failed')
  })
})

describe('form', () => {
  it.each([
    ['text/html,application/xhtml+xml,*/*;q=0.8', true],
    ['text/html;q=0.5, application/json', false],
    ['*/*', false],
    ['application/json', false],
  ])('responds to Accept: %s with a page: %s', async (accept, html) => {
    const response = await ask(get('/<b>', `Accept: ${accept}\r\n`, 'unknown.test'))
    const type = field(response.headers, 'content-type')
    expect(type).toBe(html ? 'text/html; charset=utf-8' : 'application/problem+json')
    expect(field(response.headers, 'plugboard-error')).toBe('route_not_found')
    expect(response.body.toString()).toContain(field(response.headers, 'x-request-id'))
    expect(response.body.toString()).not.toContain('<b>')
    if (html) expect(field(response.headers, 'content-security-policy')).toContain("default-src 'none'")
  })

  it('responds to HEAD without a body', async () => {
    const response = await ask('HEAD / HTTP/1.1\r\nHost: unknown.test\r\n\r\n', 'HEAD')
    expect([response.status, response.body.length]).toEqual([404, 0])
  })

  it('keeps the connection open after a problem that does not affect it', async () => {
    const connection = await RawConnection.open(edge.port)
    await connection.send(get('/', '', 'unknown.test'))
    expect((await connection.readResponse()).status).toBe(404)
    await connection.send(get('/next'))
    expect((await connection.readResponse()).body.toString()).toBe('GET /next ')
    connection.destroy()
  })
})
