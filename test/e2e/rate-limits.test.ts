// Rate limits on three real replicas (acceptance test T7). The short form checks the fields of responses with a parser of
// structured fields, the time in Retry-After, and that replicas share a limit. `npm run soak -- rate-limits` also offers three
// times the limit for a minute, spread over the replicas in different ways. rate-limits-faults.test.ts breaks links and replicas.

import { type BareItem, type Item, parseList } from 'structured-headers'
import { expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import type { HttpResponse } from '../support/http/http-client.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { addLimitedRoute, offerLoad, sendAs } from '../support/programs/limited-load.ts'
import { printFigures, SOAK_MS } from '../support/soak.ts'

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
  await addLimitedRoute(stack, mount, limit)
  return mount
}

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
    const response = await sendAs(host, port)
    expect(response.status).toBe(200)
    expect(policyOf(response, 'ratelimit-policy')).toEqual({ name: 'per-client', q: 3, w: 60 })
    expect(policyOf(response, 'ratelimit')).toEqual({ name: 'per-client', r, t: expect.any(Number) })
  }
  const rejected = await sendAs(host, port)
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
  const response = await sendAs(host, stack.replicas[0]!.port)
  expect(policyOf(response, 'ratelimit-policy')).toMatchObject({ q: 10_000, qu: 'content-bytes' })
})

it('admits the next request after the time in Retry-After', async () => {
  const host = await limited({ limit: 1, windowSeconds: 1, scope: 'replica' })
  const { port } = stack.replicas[0]!
  const rejected = await eventually('a request is rejected', async () => {
    const [left, right] = await Promise.all([sendAs(host, port), sendAs(host, port)])
    return [left, right].find(({ status }) => status === 429)
  })
  const seconds = Number(rejected.headers['retry-after'])
  expect(seconds).toBe(1)
  // The wait that the response asks for is the property under test.
  await new Promise(resolve => setTimeout(resolve, seconds * 1000))
  expect((await sendAs(host, port)).status).toBe(200)
})

it('a client that has used up its quota on one replica is rejected by the others', async () => {
  const burst = 100
  const host = await limited({ limit: burst, windowSeconds: 3600 })
  const [first, ...others] = stack.replicas
  const responses = await Promise.all(Array.from({ length: burst + 5 }, () => sendAs(host, first!.port)))
  let admitted = responses.filter(({ status }) => status === 200).length
  expect(admitted).toBe(burst)
  for (const { port } of others) {
    await eventually('another replica rejects', async () => {
      const { status } = await sendAs(host, port)
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
  const responses = await Promise.all(ports.map(port => sendAs(host, port)))
  const admitted = responses.filter(({ status }) => status === 200).length
  expect(admitted).toBeLessThanOrEqual(limit + 3 * burst)
  for (const { port } of stack.replicas) expect((await sendAs(host, port)).status).toBe(429)
})

/** Sends requests at a constant rate to each replica. */
const offer = (host: string, perSecond: readonly number[], durationMs: number, atOnce = 1) =>
  offerLoad({
    ...{ host, durationMs, atOnce },
    perSecond: perSecond.map((rate, index) => [stack.replicas[index]!.port, rate]),
  })

it('three replicas together admit a limit once, not three times', async () => {
  const host = await limited({ limit: 50, burst: 5 })
  const { count, rejected, elapsedMs } = await offer(host, [50, 50, 50], SOAK_MS > 0 ? SOAK_MS : 2000)
  // Without sharing, the replicas admit nearly all of the 300 requests. The bound allows for the delays of a busy machine.
  expect(rejected).toBeGreaterThan(0)
  expect(count).toBeLessThanOrEqual(50 * (elapsedMs / 1000 + 2) + 3 * 5)
})

it.runIf(SOAK_MS > 0).each([
  ['even', [100, 100, 100]],
  ['70/20/10', [210, 60, 30]],
  ['one replica', [300, 0, 0]],
] as const)(
  'admits the limit within one per cent when three times the limit is offered: %s',
  async (_, rates) => {
    const host = await limited({ limit: 100 })
    const admitted = await offer(host, rates, SOAK_MS)
    const { count, elapsedMs } = admitted
    const allowed = Math.round((100 * elapsedMs) / 1000 + 100)
    const worstWindow = admitted.worstWindow()
    printFigures({ count, allowed, worstWindow })
    expect(Math.abs(count / allowed - 1)).toBeLessThan(0.01)
    expect(worstWindow).toBeLessThanOrEqual(210)
  },
)

it.runIf(SOAK_MS > 0)('an attacker who sends to all replicas at once, each second', async () => {
  const [limit, burst] = [10, 10]
  const host = await limited({ limit, burst })
  const admitted = await offer(host, [40, 40, 40], SOAK_MS, 40)
  const { count, elapsedMs } = admitted
  const worstWindow = admitted.worstWindow()
  const allowed = Math.round((limit * elapsedMs) / 1000 + 3 * burst)
  printFigures({ count, allowed, worstWindow })
  expect(worstWindow).toBeLessThanOrEqual(limit + 3 * burst)
  expect(count).toBeLessThanOrEqual(allowed * 1.01)
})

it.runIf(SOAK_MS > 0)('rejects no request while less than the limit is offered on one replica', async () => {
  const host = await limited({ limit: 100 })
  const { count, rejected } = await offer(host, [95, 0, 0], SOAK_MS)
  printFigures({ count, rejected })
  expect(rejected).toBe(0)
})
