// Requests of a service with a circuit breaker (`breaker`).

import { expect, it } from 'vitest'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../../test/support/harness/use-proxy.ts'
import { field, type RawResponse, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'

useLeakCheck()

let clock: ManualClock

const proxy = useProxy(() => {
  clock = new ManualClock()
  return { clock }
})

function use(policy: Partial<ServicePolicy> = {}): void {
  const breaker = { errorPercent: 50, minRequests: 2, windowMs: 10_000, openMs: 5000 }
  proxy.harness.routes = [harnessRoute({ host: 'test', policy: { breaker, ...policy } })]
}
const get = (more = ''): Promise<RawResponse> =>
  rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\nHost: test\r\n${more}\r\n`)
const result = ({ status, headers }: RawResponse) => [status, field(headers, 'plugboard-error')]
const respondWith = (status: number) => {
  proxy.telephone.handler = call => call.respond(status, 'x')
}

async function open(): Promise<void> {
  use()
  respondWith(500)
  await get()
  await get()
}

it('rejects requests and upgrades while it is open, with the time in Retry-After', async () => {
  await open()
  clock.advance(1500)
  const response = await get()
  expect(result(response)).toEqual([503, 'circuit_open'])
  expect(field(response.headers, 'retry-after')).toBe('4')
  expect(result(await get('Connection: Upgrade\r\nUpgrade: x\r\n'))).toEqual([503, 'circuit_open'])
  expect(proxy.telephone.calls).toHaveLength(2)
  const { openBreakerCount, counters } = proxy.harness.proxy
  expect([openBreakerCount, counters.breakersOpened, counters.problems.circuit_open]).toEqual([1, 1, 2])
})

it('has a status for operators, from the errors at which it opened to the time of its next attempt', async () => {
  const status = () => proxy.harness.proxy.policyParts.breakers.statusOf(proxy.harness.routes[0]!.service.id)
  use()
  expect(status()).toBeUndefined()
  await open()
  const openedAtMs = clock.now()
  const opening = { changedAtMs: openedAtMs, requests: 2, errors: 2 }
  expect(status()).toEqual({ state: 'open', untilMs: openedAtMs + 5000, ...opening })
  clock.advance(5000)
  expect(status()).toEqual({ state: 'half_open', untilMs: undefined, ...opening })
  respondWith(200)
  for (let count = 0; count < 4; count += 1) await get()
  expect(status()).toMatchObject({ state: 'closed', changedAtMs: clock.now(), requests: 1, errors: 0 })
  const { decisions } = proxy.harness.proxy.policyParts
  expect([...decisions].map(([, counts]) => counts.breakerOpened)).toEqual([1])
})

it('then sends one request at a time, and closes when they succeed', async () => {
  await open()
  clock.advance(5000)
  proxy.telephone.handler = undefined
  proxy.telephone.calls.length = 0
  const trial = get()
  const call = await proxy.telephone.nextCall()
  expect(result(await get())).toEqual([503, 'circuit_open'])
  call.respond(200, 'x')
  expect((await trial).status).toBe(200)
  respondWith(200)
  await get()
  await get()
  expect([(await get()).status, proxy.harness.proxy.openBreakerCount]).toEqual([200, 0])
})

it('lets the next request test the service when the client of the first one disconnects', async () => {
  await open()
  clock.advance(5000)
  proxy.telephone.handler = undefined
  const client = await proxy.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
  const call = await proxy.telephone.nextCall()
  client.destroy()
  await call.aborted
  respondWith(200)
  expect((await get()).status).toBe(200)
})

it.each<[string, number, () => void]>([
  [
    'failed attempts',
    502,
    () => {
      proxy.telephone.handler = call => call.stream.reset('backend_unreachable')
    },
  ],
  [
    'timeouts',
    504,
    () => {
      proxy.telephone.handler = () => clock.advance(1000)
    },
  ],
])('counts %s as failures', async (_, status, fail) => {
  use({ responseHeadTimeoutMs: 500, retries: 0 })
  fail()
  const sent = [await get(), await get()]
  expect(sent.map(response => response.status)).toEqual([status, status])
  expect(result(await get())).toEqual([503, 'circuit_open'])
})

it('counts requests that no telephone takes and cancelled requests as no result', async () => {
  use()
  proxy.telephone.handler = undefined
  for (let sent = 0; sent < 3; sent += 1) {
    const client = await proxy.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
    const call = await proxy.telephone.nextCall()
    client.destroy()
    await call.aborted
  }
  proxy.telephone.cut()
  await proxy.telephone.closed
  for (let sent = 0; sent < 3; sent += 1)
    expect(['no_telephone', 'telephone_lost']).toContain(result(await get())[1])
  expect(proxy.harness.proxy.openBreakerCount).toBe(0)
})

it('sends every request of a service without a breaker', async () => {
  proxy.harness.routes = [harnessRoute({ host: 'test' })]
  respondWith(500)
  for (let sent = 0; sent < 30; sent += 1) expect((await get()).status).toBe(500)
})
