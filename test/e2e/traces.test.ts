// T11: one trace from the client over two replicas and a Telephone to the backend, by real processes; and no span object in a
// replica that sends no traces.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { OtlpReceiver, type ReceivedSpan } from '../support/http/otlp-receiver.ts'
import { countObjects, SNAPSHOT_OPTIONS } from '../support/process/heap-snapshot.ts'
import { useCluster } from '../support/programs/cluster.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CLIENT = 'b7ad6b7169203331'
/** The trace context of a client that does not record its trace. */
const TRACEPARENT = `00-${TRACE}-${CLIENT}-00`
const SERVICE = 'traced'
const MOUNT = 'traced.localhost'
const SPAN_CLASSES = ['SpanImpl', 'RequestTrace']

const receiver = await OtlpReceiver.start()
const toReceiver = ['--otlp-traces-endpoint', receiver.endpoint, '--otlp-headers', 'x-scope-orgid=shop']
const cluster = useCluster(2, { replicaArgs: [...toReceiver, '--trace-sample', '1'] })

/** Each request that the backend has received: its trace context. */
const received: IncomingMessage['headers'][] = []
let respond: (response: ServerResponse) => void
const backend = createServer((request, response) => {
  received.push(request.headers)
  respond(response)
})

beforeAll(async () => {
  await new Promise<void>(resolve => backend.listen(0, '127.0.0.1', resolve))
  await cluster.untilLinked()
  const [first] = cluster.replicas
  await first!.addService(SERVICE, { retryStatuses: [503] })
  await first!.addRoute(MOUNT, SERVICE)
  const { port: target } = backend.address() as AddressInfo
  // Both on the second replica, so that each attempt of the first one passes it.
  const args = ['--tunnels', '1', '--no-follow-replicas', ...toReceiver]
  for (const name of ['left', 'right'])
    await cluster.startTelephone(1, { target, service: SERVICE, name, args })
  respond = response => void response.end('hello')
  await eventually('the first replica serves', async () => ((await ask()).status === 200 ? true : undefined))
  received.length = 0
})
afterAll(async () => {
  backend.closeAllConnections()
  backend.close()
  await receiver.stop()
})

const ask = (headers: Record<string, string> = {}) =>
  send({ port: cluster.places[0]!.port, host: MOUNT, path: '/a?token=hunter2', headers })
const spansOf = (traceId: string): ReceivedSpan[] => receiver.spans.filter(span => span.traceId === traceId)

describe('T11 traces', () => {
  it('T11 a retried request is one trace, in which each span has the right parent', async () => {
    respond = response => {
      respond = later => void later.end('hello')
      response.writeHead(503).end()
    }
    const response = await ask({ traceparent: TRACEPARENT, tracestate: 'a=1' })
    expect([response.status, response.text]).toEqual([200, 'hello'])
    const spans = await eventually('all spans arrive', () => {
      const all = spansOf(TRACE)
      return all.length === 5 ? all : undefined
    })
    const of = (program: string, kind: string) =>
      spans
        .filter(span => span.resource['service.name'] === program && span.kind === kind)
        .sort((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)))
    const [server] = of('plugboard', 'server')
    const [failed, sent] = of('plugboard', 'client')
    const [toFirst, toSecond] = of('telephone', 'client')
    expect(server).toMatchObject({
      parentSpanId: CLIENT,
      name: `GET ${MOUNT}`,
      isError: false,
      resource: { 'service.instance.id': 'replica-1' },
      attributes: { 'http.route': MOUNT, 'http.response.status_code': 200, 'plugboard.peer': 'replica-2' },
    })
    expect(failed).toMatchObject({
      parentSpanId: server?.spanId,
      isError: true,
      attributes: { 'http.response.status_code': 503, 'plugboard.peer': 'replica-2' },
    })
    expect(failed?.attributes).not.toHaveProperty('http.request.resend_count')
    expect(sent).toMatchObject({
      parentSpanId: server?.spanId,
      isError: false,
      attributes: { 'http.request.resend_count': 1, 'plugboard.peer': 'replica-2' },
    })
    expect([toFirst?.parentSpanId, toSecond?.parentSpanId]).toEqual([failed?.spanId, sent?.spanId])
    expect([toFirst?.resource, toSecond?.resource].map(each => each?.['service.instance.id']).sort()).toEqual(
      ['left', 'right'],
    )
    expect(received.map(headers => [headers.traceparent, headers.tracestate])).toEqual([
      [`00-${TRACE}-${toFirst?.spanId}-01`, 'a=1'],
      [`00-${TRACE}-${toSecond?.spanId}-01`, 'a=1'],
    ])
    for (const headers of received) expect(Object.keys(headers).join()).not.toContain('plugboard')
    expect(JSON.stringify(receiver.spans)).not.toContain('hunter2')
    expect(receiver.requests.map(({ headers }) => headers['x-scope-orgid'])).toContain('shop')
  })

  it('T11 a receiver that does not respond delays no request, and a stop only for a moment', async () => {
    const before = receiver.requests.length
    receiver.respond = () => undefined
    const { port: target } = backend.address() as AddressInfo
    const args = ['--tunnels', '1', '--no-follow-replicas', ...toReceiver]
    const telephone = await cluster.startTelephone(1, { target, service: SERVICE, name: 'third', args })
    for (let count = 0; count < 10; count += 1) expect((await ask()).status).toBe(200)
    // Waits for the end of the process, and fails when it takes longer than a stop may take.
    await telephone.child.stop()
    await eventually('the receiver has a request without a response', () =>
      receiver.requests.length > before ? true : undefined,
    )
    receiver.respond = response => void response.end('{}')
  })

  it('T11 a replica that sends no traces has no span object, and forwards the context as it is', async () => {
    const folder = join(cluster.folder, 'replica-1')
    const env = { NODE_OPTIONS: SNAPSHOT_OPTIONS }
    const restart = async (...args: string[]): Promise<Record<string, number>> => {
      await cluster.replicas[0]!.child.stop('SIGKILL')
      const replica = await cluster.startReplica(0, { args, env })
      await eventually('it serves', async () => ((await ask()).status === 200 ? true : undefined))
      // A request in progress, whose spans would be in memory.
      const waiting = Promise.withResolvers<ServerResponse>()
      respond = first => {
        // The snapshot stops the process for longer than a link may be silent. Then the request is sent again.
        respond = later => void later.end('hello')
        waiting.resolve(first)
      }
      received.length = 0
      const response = ask({ traceparent: `00-${TRACE}-${CLIENT}-01` })
      const held = await waiting.promise
      const counts = await countObjects(replica.child, folder, SPAN_CLASSES)
      held.end('hello')
      await response
      return counts
    }
    // Spans of earlier requests may still wait for the receiver.
    expect(await restart()).toEqual({ SpanImpl: expect.any(Number), RequestTrace: 1 })
    expect(await restart('--trace-sample', '0')).toEqual({ SpanImpl: 0, RequestTrace: 0 })
    // The Telephone on the other replica follows the decision of that replica.
    const contexts = new Set(received.map(({ traceparent }) => traceparent))
    expect([...contexts]).toEqual([`00-${TRACE}-${CLIENT}-01`])
  })
})
