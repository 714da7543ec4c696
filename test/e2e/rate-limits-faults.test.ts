// Three real replicas that share a rate limit while their links break and a replica is killed (acceptance test T7). The long form,
// `npm run soak -- rate-limits-faults`, offers three times the limit all the time. A link is one TCP connection, which repeats
// lost packets, so no single message can be lost on it. plugboard/limits/sharing/shared-budgets.test.ts loses messages, in
// simulated time.

import { expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { countOutcomes, sendAtRate } from '../support/http/open-loop.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { AdmittedRequests, addLimitedRoute, sendAs } from '../support/programs/limited-load.ts'
import { printFigures, SOAK_MS } from '../support/soak.ts'

const cluster = useCluster(3, { withRelays: true, replicaArgs: ['--no-access-log'] })
const REPLICAS = [0, 1, 2]
let routes = 0

/** Adds a route with one limit, and resolves with its host. */
async function limited(limit: object): Promise<string> {
  if (routes === 0) {
    for (const index of REPLICAS) await cluster.startTelephone(index)
    await cluster.untilLinked()
  }
  routes += 1
  const mount = `limited-${routes}.localhost`
  await addLimitedRoute(cluster, mount, limit)
  return mount
}

/** Breaks all links between replicas. */
async function partition(): Promise<void> {
  for (const relay of cluster.relays) {
    relay.refuse(true)
    relay.cut()
  }
  await eventually('no replica is linked', async () => {
    const rows = (await Promise.all(REPLICAS.map(index => cluster.status(index)))).flat()
    return rows.some(({ link }) => link === 'open') ? undefined : true
  })
}

async function heal(): Promise<void> {
  for (const relay of cluster.relays) relay.refuse(false)
  await cluster.untilLinked()
}

const QUOTA = 60
/** Counts of windows of an hour and more also survive a restart, in the database. */
const WINDOW_SECONDS = 1800

/** Resolves with the number of admitted requests of this many. */
async function admitted(host: string, index: number, requests: number): Promise<number> {
  const { port } = cluster.places[index]!
  const responses = await Promise.all(Array.from({ length: requests }, () => sendAs(host, port)))
  return responses.filter(({ status }) => status === 200).length
}

const untilRejected = (host: string, index: number) =>
  eventually(`replica ${index + 1} rejects`, async () =>
    (await sendAs(host, cluster.places[index]!.port)).status === 429 ? true : undefined,
  )

it('replicas count separately while their links are broken, and together afterwards', async () => {
  const host = await limited({ limit: QUOTA, windowSeconds: WINDOW_SECONDS })
  await partition()
  for (const index of REPLICAS) expect(await admitted(host, index, QUOTA - 10)).toBe(QUOTA - 10)
  await heal()
  for (const index of REPLICAS) await untilRejected(host, index)
})

it('the counts of a killed replica stay with the others, and it receives them when it starts again', async () => {
  const host = await limited({ limit: QUOTA, windowSeconds: WINDOW_SECONDS })
  expect(await admitted(host, 2, QUOTA)).toBe(QUOTA)
  for (const index of [0, 1]) await untilRejected(host, index)
  await cluster.replicas[2]!.child.stop('SIGKILL')
  for (const index of [0, 1]) expect(await admitted(host, index, 1)).toBe(0)
  await cluster.startReplica(2)
  await cluster.untilLinked()
  await untilRejected(host, 2)
})

const LIMIT = 100

/** A part of the load, from its first millisecond to its last. */
type Part = readonly [fromMs: number, untilMs: number]

/** Sends requests at a constant rate to a replica. */
const load = (host: string, index: number, perSecond: number, durationMs: number) =>
  sendAtRate({
    ...{ port: cluster.places[index]!.port, host, headers: { 'x-client': 'test' } },
    ...{ perSecond, durationMs },
  })

/** Resolves at this time of `startedAt`. The load runs meanwhile. */
const untilMs = (startedAt: number, ms: number) =>
  new Promise(resolve => setTimeout(resolve, Math.max(0, startedAt + ms - performance.now())))

/** Returns the admitted requests in relation to those that the limit allows in this time. */
const relation = (admitted: AdmittedRequests, [fromMs, toMs]: Part) =>
  Math.round((100_000 * admitted.between(fromMs, toMs)) / ((LIMIT * (toMs - fromMs)) / 1000)) / 1000

it.runIf(SOAK_MS > 0)('a partition, and its end: the limit holds before and after it', async () => {
  const host = await limited({ limit: LIMIT })
  const startedAt = performance.now()
  const now = () => performance.now() - startedAt
  const loads = REPLICAS.map(index => load(host, index, 100, 3 * SOAK_MS))
  await untilMs(startedAt, SOAK_MS)
  const cutMs = now()
  await partition()
  const apartMs = now()
  await untilMs(startedAt, apartMs + SOAK_MS / 3)
  const healingMs = now()
  await heal()
  const linkedMs = now()
  const responses = (await Promise.all(loads)).flat()
  expect(Object.keys(countOutcomes(responses)).sort()).toEqual(['200', '429'])
  const admitted = new AdmittedRequests(responses)
  const parts = {
    // The first part has the burst too, which 2 s use up.
    together: relation(admitted, [2000, cutMs]),
    apart: relation(admitted, [apartMs, healingMs]),
    // The others demand a debt of one burst each, which takes 2 s.
    paying: relation(admitted, [linkedMs, linkedMs + 2000]),
    again: relation(admitted, [linkedMs + 5000, 3 * SOAK_MS]),
  }
  printFigures({ ...parts, unit: '% of the limit', healedAfterMs: Math.round(linkedMs - healingMs) })
  expect(Math.abs(parts.together - 100)).toBeLessThan(1)
  expect(parts.apart).toBeGreaterThan(280)
  expect(parts.paying).toBeLessThan(100)
  expect(Math.abs(parts.again - 100)).toBeLessThan(1)
})

it.runIf(SOAK_MS > 0)('a replica is killed, and starts again: the limit holds', async () => {
  const host = await limited({ limit: LIMIT })
  const startedAt = performance.now()
  const now = () => performance.now() - startedAt
  const others = [0, 1].map(index => load(host, index, 150, 2 * SOAK_MS))
  const killed = load(host, 2, 100, SOAK_MS)
  await untilMs(startedAt, SOAK_MS / 2)
  await cluster.replicas[2]!.child.stop('SIGKILL')
  const killedMs = now()
  await untilMs(startedAt, SOAK_MS)
  await cluster.startReplica(2)
  const startedMs = now()
  const started = load(host, 2, 100, 2 * SOAK_MS - startedMs)
  const [survivors, restarted] = [(await Promise.all(others)).flat(), await started]
  expect(Object.keys(countOutcomes([...survivors, ...restarted])).sort()).toEqual(['200', '429'])
  const late = restarted.map(response => ({
    ...response,
    sentMs: response.sentMs + startedMs,
    atMs: response.atMs + startedMs,
  }))
  const admitted = new AdmittedRequests([...survivors, ...(await killed), ...late])
  const allowed = Math.round((LIMIT * admitted.elapsedMs) / 1000 + LIMIT)
  const parts = {
    before: relation(admitted, [2000, killedMs]),
    killed: relation(admitted, [killedMs, startedMs]),
    again: relation(admitted, [startedMs + 5000, 2 * SOAK_MS]),
  }
  const worstWindow = admitted.worstWindow()
  printFigures({ ...parts, unit: '% of the limit', count: admitted.count, allowed, worstWindow })
  expect(Math.abs(admitted.count / allowed - 1)).toBeLessThan(0.01)
  // The requests that the killed replica had not reported, and the burst of its next start.
  expect(worstWindow).toBeLessThanOrEqual(LIMIT + 3 * LIMIT)
})
