// The spans of requests, as a receiver gets them, and the trace context that a telephone gets.

import { traceParentText } from '@vera-stack/shared/trace/trace-parent.ts'
import { describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import type { FakeCall } from '../../../test/support/harness/fake-telephone.ts'
import { type HarnessOptions, harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { type CutTelephone, useProxy } from '../../../test/support/harness/use-proxy.ts'
import type { ReceivedSpan } from '../../../test/support/http/otlp-receiver.ts'
import { type RawResponse, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { SPAN, TRACE, useTracing } from '../../../test/support/http/use-tracing.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { resolveRouteOptions } from '../../routes/options/route-options.ts'

useLeakCheck()

const SAMPLED = `00-${TRACE}-${SPAN}-01`
const UNSAMPLED = `00-${TRACE}-${SPAN}-00`

const traced = useTracing('plugboard')

let second: CutTelephone
const options = (sample: number, more: HarnessOptions = {}): HarnessOptions => ({
  tracing: { tracing: traced.tracing, sample, random: () => 0.5 },
  ...more,
})
const connectTwo: Parameters<typeof useProxy>[1] = async harness => {
  // Round robin starts with the first line.
  harness.routes = [
    harnessRoute({ host: 'test', policy: { balancing: 'round_robin', retryStatuses: [503] } }),
  ]
  const first = await harness.telephone(['web'], { line: { telephone: 'first' } })
  first.handler = call => call.respond(200, 'first')
  second = await harness.telephone(['web'], { line: { telephone: 'second' } })
  second.handler = call => call.respond(200, 'second')
  return first
}
const proxy = useProxy(() => options(1), connectTwo)

function ask(
  fields: readonly string[] = [],
  method = 'GET',
  path = '/a?token=hunter2',
): Promise<RawResponse> {
  const lines = ['Host: test', ...fields].map(line => `${line}\r\n`).join('')
  return rawExchange(proxy.harness.port, `${method} ${path} HTTP/1.1\r\n${lines}\r\n`, method)
}

/** Resolves with the spans of all finished requests, in the order of their ends. */
async function spans(): Promise<readonly ReceivedSpan[]> {
  await traced.tracing.stop()
  return traced.receiver.spans
}
const ofKind = (all: readonly ReceivedSpan[], kind: string) => all.filter(span => span.kind === kind)
const context = (call: FakeCall | undefined) => [call?.fields('traceparent'), call?.fields('tracestate')]

describe('a traced request', () => {
  it('has a SERVER span below the client, and a CLIENT span that the telephone gets', async () => {
    await ask([`TraceParent: ${SAMPLED}`, 'tracestate: a=1', 'Tracestate: b=2'])
    const [client, server] = await spans()
    expect(server).toMatchObject({
      traceId: TRACE,
      parentSpanId: SPAN,
      traceState: 'a=1,b=2',
      kind: 'server',
      name: 'GET test',
      isError: false,
      attributes: {
        'http.request.method': 'GET',
        'http.response.status_code': 200,
        'http.route': 'test',
        'url.scheme': 'http',
        'url.path': '/a',
        'server.address': 'test',
        'client.address': '127.0.0.1',
        'network.protocol.version': '1.1',
        'plugboard.service': 'web',
        'plugboard.telephone': 'first',
      },
    })
    expect(client).toMatchObject({
      traceId: TRACE,
      parentSpanId: server?.spanId,
      kind: 'client',
      name: 'GET',
      isError: false,
      attributes: { 'http.response.status_code': 200, 'server.address': 'first', 'plugboard.service': 'web' },
    })
    expect(client?.attributes).not.toHaveProperty('http.request.resend_count')
    const [call] = proxy.telephone.calls
    expect(context(call)).toEqual([[traceParentText(TRACE, client?.spanId ?? '', 1)], ['a=1,b=2']])
    expect(call?.opening.traced).toBe(true)
    expect(proxy.harness.accessLog).toMatchObject([{ traceId: TRACE }])
    expect(JSON.stringify(traced.receiver.spans)).not.toContain('hunter2')
  })

  it('has no secret of the path, of the request id or of the user agent', async () => {
    await proxy.restart(options(1, { reportsUserAgent: true }), connectTwo)
    const secret = 'hunter2hunter2'
    const fields = [`X-Request-ID: token=${secret}${'x'.repeat(30)}`, `User-Agent: a?token=${secret}`]
    await ask(fields, 'GET', `/a;jsessionid=${secret}`)
    const [server] = ofKind(await spans(), 'server')
    expect(server?.attributes).toMatchObject({
      'url.path': '/a;jsessionid=***',
      'plugboard.request_id': 'token=***',
      'user_agent.original': 'a?token=***',
    })
  })

  it.each([
    ['no context', []],
    ['a context that is not valid', [`traceparent: ${SAMPLED}-x`, 'tracestate: a=1']],
    ['two contexts', [`traceparent: ${SAMPLED}`, `Traceparent: ${SAMPLED}`, 'tracestate: a=1']],
    ['a state alone', ['tracestate: a=1']],
  ])('starts a trace when the client sends %s', async (_, fields) => {
    await ask(fields)
    const [client, server] = await spans()
    expect(server?.traceId).toMatch(/^[0-9a-f]{32}$/)
    expect([server?.traceId === TRACE, server?.parentSpanId]).toEqual([false, undefined])
    // The ids are random, so the flag of level 2 is set.
    const sent = traceParentText(server?.traceId ?? '', client?.spanId ?? '', 3)
    expect(context(proxy.telephone.calls[0])).toEqual([[sent], []])
    expect(proxy.harness.accessLog).toMatchObject([{ traceId: server?.traceId }])
  })

  it('drops a tracestate that is not valid, and keeps the random flag', async () => {
    await ask([`traceparent: 00-${TRACE}-${SPAN}-02`, 'tracestate: a=1,a=2'])
    const [client] = await spans()
    expect(context(proxy.telephone.calls[0])).toEqual([[traceParentText(TRACE, client?.spanId ?? '', 3)], []])
  })

  it('uses a context that Connection names', async () => {
    await ask([`traceparent: ${SAMPLED}`, 'Connection: close, traceparent'])
    expect(ofKind(await spans(), 'server')).toMatchObject([{ traceId: TRACE, parentSpanId: SPAN }])
  })

  it('forwards no context when a rule of the route removes it', async () => {
    const removed = resolveRouteOptions({ requestHeaders: { remove: ['traceparent'] } })
    proxy.harness.routes = [harnessRoute({ host: 'test', options: removed })]
    await ask([`traceparent: ${SAMPLED}`])
    expect(context(proxy.telephone.calls[0])).toEqual([[], []])
  })

  it('has the version 2 of a request over HTTP/2', async () => {
    await proxy.restart(options(1, { http2Cleartext: true }), connectTwo)
    const request = { ':authority': 'test', ':path': '/a', ':method': 'GET', traceparent: SAMPLED }
    expect((await proxy.http2().ask(request)).status).toBe(200)
    expect(ofKind(await spans(), 'server')).toMatchObject([
      { traceId: TRACE, parentSpanId: SPAN, attributes: { 'network.protocol.version': '2' } },
    ])
  })

  it('has the name HTTP for a method that is not registered', async () => {
    await ask([], 'PROPFIND')
    const [client, server] = await spans()
    expect([client?.name, server?.name]).toEqual(['HTTP', 'HTTP test'])
    expect(server?.attributes).toMatchObject({
      'http.request.method': '_OTHER',
      'http.request.method_original': 'PROPFIND',
    })
  })
})

describe('the attempts of a request', () => {
  it('have a span each, in one trace, and the second one has the resend count 1', async () => {
    proxy.telephone.handler = call => call.stream.reset('backend_closed')
    expect((await ask()).body.toString()).toBe('second')
    const all = await spans()
    const [failed, sent] = ofKind(all, 'client')
    const [server] = ofKind(all, 'server')
    expect(failed).toMatchObject({
      isError: true,
      parentSpanId: server?.spanId,
      attributes: { 'error.type': 'backend_closed', 'plugboard.telephone': 'first' },
    })
    expect(failed?.attributes).not.toHaveProperty('http.request.resend_count')
    expect(sent).toMatchObject({
      isError: false,
      parentSpanId: server?.spanId,
      attributes: { 'http.request.resend_count': 1, 'plugboard.telephone': 'second' },
    })
    expect(server).toMatchObject({ isError: false, attributes: { 'plugboard.retries': 1 } })
    const ids = [proxy.telephone, second].map(({ calls }) => calls[0]?.field('traceparent')?.slice(36, 52))
    expect(ids).toEqual([failed?.spanId, sent?.spanId])
  })

  it('have the status of a response that is not relayed', async () => {
    proxy.telephone.handler = call => call.respond(503)
    expect((await ask()).status).toBe(200)
    expect(ofKind(await spans(), 'client')).toMatchObject([
      { isError: true, attributes: { 'http.response.status_code': 503, 'error.type': '503' } },
      { isError: false, attributes: { 'http.response.status_code': 200, 'http.request.resend_count': 1 } },
    ])
  })

  it('keep the first span when no other line takes the request', async () => {
    proxy.telephone.handler = call => call.respond(503, 'first')
    second.handler = undefined
    second.cut()
    await eventually('one line is left', () =>
      [...proxy.harness.registry.lines()].length === 1 ? true : undefined,
    )
    expect((await ask()).body.toString()).toBe('first')
    const all = await spans()
    expect(ofKind(all, 'client')).toMatchObject([{ attributes: { 'http.response.status_code': 503 } }])
    expect(ofKind(all, 'server')).toMatchObject([{ isError: true, attributes: { 'error.type': '503' } }])
  })

  it('name the replica that holds the tunnel', async () => {
    await proxy.restart(options(1, { replicaId: asReplicaId('other') }), connectTwo)
    await ask()
    const all = await spans()
    for (const span of all) expect(span.attributes).toMatchObject({ 'plugboard.peer': 'r1' })
    expect(all).toHaveLength(2)
  })
})

it('a copy of a request is in its trace, directly below the SERVER span', async () => {
  const canary = { name: 'canary', select: { version: '2.*' }, match: { header: { 'X-Canary': 'yes' } } }
  const copied = Promise.withResolvers<FakeCall>()
  await proxy.restart(options(1), async harness => {
    const mirror = { to: 'canary', percent: 100 }
    harness.routes = [harnessRoute({ host: 'test', policy: { subsets: [canary], mirror } })]
    const stable = await harness.telephone(['web'], { line: { telephone: 'stable' } })
    stable.handler = call => void call.ended.then(() => call.respond(200))
    const copies = await harness.telephone(['web'], { line: { telephone: 'canary', version: '2.0' } })
    copies.handler = call => {
      call.respond(200)
      copied.resolve(call)
    }
    return stable
  })
  await ask([`traceparent: ${SAMPLED}`])
  const copy = await copied.promise
  const [server, ...more] = ofKind(await spans(), 'server')
  expect(more).toEqual([])
  expect(context(copy)).toEqual([[traceParentText(TRACE, server?.spanId ?? '', 1)], []])
  expect(copy.opening.traced).toBe(true)
  expect(ofKind(traced.receiver.spans, 'client')).toHaveLength(1)
})

describe('the end of a trace', () => {
  it('has the code of a request without a route, and a status 4xx is no error of the server', async () => {
    proxy.harness.routes = []
    expect((await ask()).status).toBe(404)
    const [server, ...others] = await spans()
    expect(others).toEqual([])
    expect(server).toMatchObject({
      name: 'GET',
      isError: false,
      attributes: { 'http.response.status_code': 404, 'error.type': 'route_not_found' },
    })
  })

  it('has a status 4xx of a backend as an error of the attempt alone', async () => {
    proxy.telephone.handler = call => call.respond(418)
    await ask()
    expect(await spans()).toMatchObject([
      { kind: 'client', isError: true, attributes: { 'error.type': '418' } },
      { kind: 'server', isError: false, attributes: { 'http.response.status_code': 418 } },
    ])
  })

  it('has the code of a response that was cut', async () => {
    proxy.telephone.handler = call => {
      call.stream.respond({ status: 200, statusText: '', fields: ['Content-Length', '10'] })
      call.stream.write(Buffer.from('half'))
      setImmediate(() => call.stream.reset('backend_closed'))
    }
    await ask().catch(() => undefined)
    await eventually('the request is logged', () => proxy.harness.accessLog[0])
    expect(await spans()).toMatchObject([
      { kind: 'client', isError: true, attributes: { 'error.type': 'backend_closed' } },
      { kind: 'server', isError: true, attributes: { 'error.type': 'backend_closed' } },
    ])
  })

  it('has no status when the client closes the connection first', async () => {
    const arrived = Promise.withResolvers<void>()
    proxy.telephone.handler = () => arrived.resolve()
    const connection = await proxy.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
    await arrived.promise
    connection.destroy()
    await eventually('the request is logged', () => proxy.harness.accessLog[0])
    const [client, server] = await spans()
    expect(client).toMatchObject({ isError: true, attributes: { 'error.type': 'cancelled' } })
    expect(server?.attributes).not.toHaveProperty('http.response.status_code')
  })

  it('is the end of the stream of an upgraded connection', async () => {
    proxy.telephone.handler = undefined
    const connection = await proxy.send(
      'GET /ws HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
    )
    const call = await proxy.telephone.nextCall()
    const fields = ['Upgrade', 'websocket', 'Connection', 'Upgrade']
    call.stream.respond({ status: 101, statusText: '', fields })
    await connection.readHead()
    await connection.send('ping')
    await call.untilReceived(4)
    expect(proxy.harness.accessLog).toEqual([])
    connection.destroy()
    call.stream.end()
    await eventually('the request is logged', () => proxy.harness.accessLog[0])
    expect(await spans()).toMatchObject([
      { kind: 'client', isError: false, attributes: { 'http.response.status_code': 101 } },
      { kind: 'server', isError: false, attributes: { 'http.response.status_code': 101 } },
    ])
  })
})

describe('the decision', () => {
  it.each([
    ['a valid context', [`Traceparent: ${SAMPLED}`, 'tracestate: a=1', 'tracestate: b=2']],
    ['a context that is not valid', ['traceparent: 00-x', 'tracestate: ,,']],
    ['two contexts', [`traceparent: ${SAMPLED}`, `traceparent: ${UNSAMPLED}`]],
  ])('leaves %s of a request that is not traced as it is', async (_, fields) => {
    await proxy.restart(options(0.5), connectTwo)
    await ask(fields)
    const sent = proxy.telephone.calls[0]?.opening.fields ?? []
    for (const line of fields) {
      const [name = '', value = ''] = line.split(': ')
      expect(sent.flatMap((text, index) => (text === name ? [sent[index + 1]] : []))).toContain(value)
    }
    expect(proxy.telephone.calls[0]?.opening.traced).toBeUndefined()
    expect(await spans()).toEqual([])
  })

  it('is made by the sampled flag of a trusted proxy', async () => {
    const trustedProxies = ['127.0.0.1']
    await proxy.restart(options(0.001, { trustedProxies }), connectTwo)
    await ask([`traceparent: ${SAMPLED}`])
    await proxy.restart(options(1, { trustedProxies }), connectTwo)
    await ask([`traceparent: ${UNSAMPLED}`])
    expect(proxy.telephone.calls[0]?.field('traceparent')).toBe(UNSAMPLED)
    expect(ofKind(await spans(), 'server')).toMatchObject([{ traceId: TRACE, parentSpanId: SPAN }])
  })

  it('is made by the share when a trusted proxy sends no valid context', async () => {
    await proxy.restart(options(1, { trustedProxies: ['127.0.0.1'] }), connectTwo)
    await ask([`traceparent: ${UNSAMPLED}x`])
    expect(ofKind(await spans(), 'server')).toHaveLength(1)
  })
})
