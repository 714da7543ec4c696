// The keys of the service policy that limit and start retries: retryBudgetPercent, retryStatuses and tryTimeoutMs.

import { expect, it } from 'vitest'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { type CutTelephone, useProxy } from '../../../test/support/harness/use-proxy.ts'
import { field, type RawResponse, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'

useLeakCheck()

let clock: ManualClock
let first: CutTelephone
let second: CutTelephone

const proxy = useProxy(
  () => {
    clock = new ManualClock()
    return { clock }
  },
  async harness => {
    first = await harness.telephone()
    second = await harness.telephone()
    second.handler = call => call.respond(200, 'second')
    return first
  },
)

function use(policy: Partial<ServicePolicy>): void {
  // Round robin starts with the first line.
  proxy.harness.routes = [harnessRoute({ host: 'test', policy: { balancing: 'round_robin', ...policy } })]
}

const request = (method = 'GET', body = '', more = ''): Promise<RawResponse> =>
  rawExchange(
    proxy.harness.port,
    `${method} / HTTP/1.1\r\nHost: test\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`,
    method,
  )
const errorCode = (response: RawResponse) => field(response.headers, 'plugboard-error')
const counters = () => proxy.harness.proxy.counters
/** The decisions of the service of the route. */
const decisions = () => proxy.harness.proxy.policyParts.decisions.read(proxy.harness.routes[0]!.service.id)

it('repeats a request after a status of retryStatuses, with its body, and aborts the first attempt', async () => {
  use({ retryStatuses: [503] })
  first.handler = call => void call.ended.then(() => call.respond(503, 'x'.repeat(100_000)))
  const response = await request('PUT', 'body')
  expect([response.status, response.body.toString()]).toEqual([200, 'second'])
  expect((await second.calls[0]?.ended)?.body.toString()).toBe('body')
  expect([counters().retries, proxy.harness.accessLog[0]?.code]).toEqual([1, undefined])
  expect(proxy.harness.proxy.inFlightCount).toBe(0)
})

it.each<[string, string, Partial<ServicePolicy>]>([
  ['of another status', 'GET', { retryStatuses: [502, 504] }],
  ['by default', 'GET', {}],
  ['with a method that is not idempotent', 'POST', { retryStatuses: [503] }],
  ['without retries', 'GET', { retryStatuses: [503], retries: 0 }],
])('relays a 503 %s', async (_, method, policy) => {
  use(policy)
  first.handler = call => void call.ended.then(() => call.respond(503, 'first'))
  const response = await request(method, 'body')
  expect([response.status, response.body.toString(), second.calls.length]).toEqual([503, 'first', 0])
  expect(counters().retries).toBe(0)
})

it('relays the last response when every line responds with the status', async () => {
  use({ retryStatuses: [502, 503] })
  first.handler = call => call.respond(503, 'first')
  second.handler = call => call.respond(502, 'the last one')
  const response = await request()
  expect([response.status, response.body.toString()]).toEqual([502, 'the last one'])
  expect([first.calls.length, second.calls.length, counters().retries]).toEqual([1, 1, 1])
  expect(proxy.harness.accessLog).toMatchObject([{ status: 502, code: undefined, bytesOut: 12 }])
})

it('relays a 503 after an informational response, because a byte was relayed', async () => {
  use({ retryStatuses: [503] })
  first.handler = call => {
    call.stream.respond({ status: 103, statusText: '', fields: [] })
    call.respond(503, 'first')
  }
  expect((await request()).status).toBe(503)
  expect(second.calls).toHaveLength(0)
})

it('repeats an upgrade as well', async () => {
  use({ retryStatuses: [503] })
  first.handler = call => call.respond(503, 'first')
  second.handler = call => call.respond(404, 'second')
  const response = await request('GET', '', 'Connection: Upgrade\r\nUpgrade: x\r\n')
  expect([response.status, response.body.toString()]).toEqual([404, 'second'])
})

it('ends an attempt after tryTimeoutMs, and repeats it on another line', async () => {
  use({ tryTimeoutMs: 50 })
  first.handler = undefined
  const response = request()
  const call = await first.nextCall()
  clock.advance(49)
  expect(second.calls).toHaveLength(0)
  clock.advance(1)
  expect((await response).body.toString()).toBe('second')
  expect((await call.aborted).reason).toBe('backend_timeout')
  expect([counters().tryTimeouts, counters().retries]).toEqual([1, 1])
})

it('fails with 504 after the last attempt', async () => {
  use({ tryTimeoutMs: 50 })
  first.handler = undefined
  second.handler = undefined
  const response = request()
  await first.nextCall()
  clock.advance(50)
  await second.nextCall()
  clock.advance(50)
  expect([(await response).status, errorCode(await response)]).toEqual([504, 'backend_timeout'])
  expect(proxy.harness.accessLog).toMatchObject([
    { detail: 'The backend sent no response head within 0.05 s (tryTimeoutMs of the service).' },
  ])
  expect(counters().tryTimeouts).toBe(2)
})

it('measures tryTimeoutMs from the end of the upload', async () => {
  use({ tryTimeoutMs: 50 })
  first.handler = undefined
  const client = await proxy.send('PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\na')
  const call = await first.nextCall()
  await call.untilReceived(1)
  clock.advance(120)
  await client.send('b')
  await call.ended
  clock.advance(49)
  call.respond(200, 'first')
  expect((await client.readResponse()).body.toString()).toBe('first')
  expect([counters().tryTimeouts, second.calls.length]).toEqual([0, 0])
})

it.each(['POST', 'PATCH'])('does not apply tryTimeoutMs to %s', async method => {
  use({ tryTimeoutMs: 50 })
  first.handler = undefined
  const response = request(method, 'body')
  const call = await first.nextCall()
  clock.advance(1000)
  call.respond(200, 'first')
  expect((await response).body.toString()).toBe('first')
})

it('does not apply tryTimeoutMs to a response that has started', async () => {
  use({ tryTimeoutMs: 50 })
  first.handler = undefined
  const client = await proxy.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
  const call = await first.nextCall()
  call.stream.respond({ status: 200, statusText: '', fields: ['Content-Length', '2'] })
  call.stream.write(Buffer.from('a'))
  await client.readUntil('\r\n\r\na')
  clock.advance(1000)
  call.stream.write(Buffer.from('b'))
  expect((await client.readBytes(1)).toString()).toBe('b')
  call.stream.end(undefined)
})

it('gives a retry of an exchange the whole time for its response', async () => {
  use({ responseHeadTimeoutMs: 1000 })
  first.handler = undefined
  second.handler = undefined
  const response = request()
  const call = await first.nextCall()
  clock.advance(900)
  call.stream.reset('refused')
  const retry = await second.nextCall()
  clock.advance(900)
  retry.respond(200, 'second')
  expect((await response).body.toString()).toBe('second')
})

it('repeats no more requests than the retry budget permits, and counts the others', async () => {
  use({ retries: 1 })
  for (const each of [first, second]) each.handler = call => call.stream.reset('backend_closed')
  const responses = []
  for (let sent = 0; sent < 30; sent += 1) responses.push(await request())
  expect(new Set(responses.map(errorCode))).toEqual(new Set(['backend_closed']))
  // The clock stands still, so that all requests are sent in one second.
  expect([counters().retries, counters().retryBudgetExhausted]).toEqual([10, 20])
  expect(decisions()).toMatchObject({ retries: { reset: 10, refused: 0 }, retryBudgetExhausted: 20 })
  clock.advance(1000)
  await request()
  expect(counters().retries).toBe(11)
})

it('repeats requests after a status within the budget too: a share of the requests, not of the attempts', async () => {
  use({ retries: 1, retryStatuses: [503], outlier: false })
  for (const each of [first, second]) each.handler = call => call.respond(503)
  for (let sent = 0; sent < 100; sent += 1) await request()
  expect([counters().retries, counters().retryBudgetExhausted]).toEqual([20, 80])
})

it('repeats requests that no application received without budget', async () => {
  use({ retries: 1, retryBudgetPercent: 0 })
  for (const each of [first, second]) each.handler = call => call.stream.reset('backend_unreachable')
  for (let sent = 0; sent < 15; sent += 1) await request()
  expect([counters().retries, counters().retryBudgetExhausted]).toEqual([15, 0])
})

it('repeats the requests of a lost tunnel without budget, because it ends only once', async () => {
  use({ balancing: 'random', retryBudgetPercent: 0 })
  first.handler = undefined
  const responses = Array.from({ length: 8 }, () => request())
  for (let count = 0; count < 8; count += 1) await first.nextCall()
  first.cut()
  expect((await Promise.all(responses)).map(({ status }) => status)).toEqual(Array(8).fill(200))
  expect(counters().retryBudgetExhausted).toBe(0)
})
