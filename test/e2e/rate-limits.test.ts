// Rate limits on three real replicas (acceptance test T7). The short form checks the fields of responses with a parser of
// structured fields, the time in Retry-After, and that replicas share a limit. `npm run soak -- rate-limits` also offers three
// times the limit for a minute, spread over the replicas in different ways.

import { type BareItem, type Item, parseList } from 'structured-headers'
import { expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { type HttpResponse, send } from '../support/http/http-client.ts'
import { countOutcomes, sendAtRate } from '../support/http/open-loop.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { SERVICE } from '../support/programs/stack.ts'
import { SOAK_MS } from '../support/soak.ts'

const stack = useCluster(3)
let routes = 0

/** Adds a route with one limit, and resolves with its host when all replicas serve it. */
async function limited(limit: object): Promise<string> {
  if (routes === 0) {
    for (const index of [0, 1, 2]) await stack.startTelephone(index)
    await stack.untilLinked()
  }
  routes += 1
  const mount = `limited-${routes}.localhost`
  const options = { rateLimits: [{ name: 'per-client', key: [{ header: 'X-Client' }], ...limit }] }
  await stack.replicas[0]!.call('POST', '/v1/routes', { mount, service: SERVICE, options })
  for (const { port } of stack.replicas) {
    await eventually(`${mount} is served`, async () => {
      // A client of its own, so that the count of the test stays untouched.
      const { status } = await ask(mount, port, { client: 'first' })
      return status === 200 ? true : undefined
    })
  }
  return mount
}

const ask = (
  host: string,
  port: number,
  { client = 'test', path = '/hello' }: { client?: string; path?: string } = {},
): Promise<HttpResponse> => send({ port, host, path, headers: { 'x-client': client } })

/** Returns the name and the parameters of a field with one policy. */
function policyOf(response: HttpResponse, field: 'ratelimit' | 'ratelimit-policy') {
  const [[name, parameters], ...others] = parseList(String(response.headers[field])) as [Item, ...Item[]]
  expect(others).toEqual([])
  return { name, ...Object.fromEntries(parameters) } as { name: BareItem } & Record<string, BareItem>
}

it('states the limit and the rest in structured fields, and the same wait in t and Retry-After', async () => {
  const host = await limited({ limit: 3, windowSeconds: 60 })
  const { port } = stack.replicas[0]!
  for (const r of [2, 1, 0]) {
    const response = await ask(host, port)
    expect(response.status).toBe(200)
    expect(policyOf(response, 'ratelimit-policy')).toEqual({ name: 'per-client', q: 3, w: 60 })
    expect(policyOf(response, 'ratelimit')).toEqual({ name: 'per-client', r, t: expect.any(Number) })
  }
  const rejected = await ask(host, port)
  expect(rejected.status).toBe(429)
  const { t, ...rest } = policyOf(rejected, 'ratelimit')
  expect(rest).toEqual({ name: 'per-client', r: 0 })
  expect(rejected.headers['retry-after']).toBe(String(t))
  expect(t).toBeGreaterThan(0)
  expect(t).toBeLessThanOrEqual(20)
  expect(JSON.parse(rejected.text)).toMatchObject({
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    code: 'rate_limited',
    'violated-policies': ['per-client'],
  })
})

it('names the unit of a limit that counts bytes', async () => {
  const host = await limited({ limit: 10_000, windowSeconds: 3600, count: 'responseBytes' })
  const response = await ask(host, stack.replicas[0]!.port)
  expect(policyOf(response, 'ratelimit-policy')).toMatchObject({ q: 10_000, qu: 'content-bytes' })
})

it('admits the next request after the time in Retry-After', async () => {
  const host = await limited({ limit: 1, windowSeconds: 1, scope: 'replica' })
  const { port } = stack.replicas[0]!
  const rejected = await eventually('a request is rejected', async () => {
    const [left, right] = await Promise.all([ask(host, port), ask(host, port)])
    return [left, right].find(({ status }) => status === 429)
  })
  const seconds = Number(rejected.headers['retry-after'])
  expect(seconds).toBe(1)
  // The wait that the response asks for is the property under test.
  await new Promise(resolve => setTimeout(resolve, seconds * 1000))
  expect((await ask(host, port)).status).toBe(200)
})

it('a client that has used up its quota on one replica is rejected by the others', async () => {
  const burst = 100
  const host = await limited({ limit: burst, windowSeconds: 3600 })
  const [first, ...others] = stack.replicas
  const responses = await Promise.all(Array.from({ length: burst + 5 }, () => ask(host, first!.port)))
  let admitted = responses.filter(({ status }) => status === 200).length
  expect(admitted).toBe(burst)
  for (const { port } of others) {
    await eventually('another replica rejects', async () => {
      const { status } = await ask(host, port)
      if (status === 200) admitted += 1
      return status === 429 ? true : undefined
    })
  }
  expect(admitted).toBeLessThan(burst * 2)
})

it('an attacker who sends to all replicas at once gets at most the limit and one burst for each replica', async () => {
  const [limit, burst] = [20, 10]
  const host = await limited({ limit, burst, windowSeconds: 3600 })
  const ports = stack.replicas.flatMap(({ port }) => Array.from({ length: 3 * burst }, () => port))
  const responses = await Promise.all(ports.map(port => ask(host, port)))
  const admitted = responses.filter(({ status }) => status === 200).length
  expect(admitted).toBeLessThanOrEqual(limit + 3 * burst)
  for (const { port } of stack.replicas) expect((await ask(host, port)).status).toBe(429)
})

interface Offered {
  /** Times of the admitted responses since the start, ms. */
  readonly admittedMs: readonly number[]
  readonly rejected: number
  readonly elapsedMs: number
}

/** Sends requests at a constant rate to each replica. */
async function offer(host: string, perSecond: readonly number[], durationMs: number): Promise<Offered> {
  const headers = { 'x-client': 'test' }
  const loads = perSecond.map((rate, index) => {
    const { port } = stack.replicas[index]!
    return sendAtRate({ port, host, headers, perSecond: rate, durationMs })
  })
  const responses = (await Promise.all(loads)).flat()
  const { 200: admitted = 0, 429: rejected = 0, ...others } = countOutcomes(responses)
  expect(others).toEqual({})
  const admittedMs = responses.filter(({ outcome }) => outcome === 200).map(({ atMs }) => atMs)
  expect(admittedMs).toHaveLength(admitted)
  return { admittedMs, rejected, elapsedMs: Math.max(...responses.map(({ atMs }) => atMs)) }
}

/** Returns the largest number of admitted requests in a window of one second. */
function worstWindow(timesMs: readonly number[]): number {
  const sorted = [...timesMs].sort((left, right) => left - right)
  let first = 0
  let most = 0
  for (const [last, time] of sorted.entries()) {
    while (time - sorted[first]! >= 1000) first += 1
    most = Math.max(most, last - first + 1)
  }
  return most
}

it('three replicas together admit a limit once, not three times', async () => {
  const host = await limited({ limit: 50, burst: 5 })
  const { admittedMs, rejected, elapsedMs } = await offer(host, [50, 50, 50], SOAK_MS > 0 ? SOAK_MS : 2000)
  // Without sharing, the replicas admit nearly all of the 300 requests. The bound allows for the delays of a busy machine.
  expect(rejected).toBeGreaterThan(0)
  expect(admittedMs.length).toBeLessThanOrEqual(50 * (elapsedMs / 1000 + 2) + 3 * 5)
})

it.runIf(SOAK_MS > 0).each([
  ['even', [100, 100, 100]],
  ['70/20/10', [210, 60, 30]],
  ['one replica', [300, 0, 0]],
] as const)(
  'admits the limit within one per cent when three times the limit is offered: %s',
  async (_, rates) => {
    const host = await limited({ limit: 100 })
    const { admittedMs, elapsedMs } = await offer(host, rates, SOAK_MS)
    const allowed = (100 * elapsedMs) / 1000 + 100
    expect(Math.abs(admittedMs.length / allowed - 1)).toBeLessThan(0.01)
    expect(worstWindow(admittedMs)).toBeLessThanOrEqual(210)
  },
)

it.runIf(SOAK_MS > 0)('rejects no request while less than the limit is offered on one replica', async () => {
  const host = await limited({ limit: 100 })
  expect((await offer(host, [95, 0, 0], SOAK_MS)).rejected).toBe(0)
})
