// Two replicas on one Postgres count together for one limit, the count survives their restart, and a replica of an older version
// counts for itself.

import { join } from 'node:path'
import { expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { useCluster } from '../support/programs/cluster.ts'

const cluster = useCluster(2, { replicaArgs: ['--no-access-log'] })
const LIMITED = 'limited.localhost'
const LIMIT = 1000
const OLDER = join(import.meta.dirname, '../support/older-release/plugboard.ts')
/** Shorter than the time limit of a test. */
const WAIT_MS = 20_000

/** Sends one request. Returns the requests that the replica still admits. */
async function request(index: number): Promise<number> {
  const { status, headers } = await send({ port: cluster.places[index]!.port, host: LIMITED, path: '/' })
  const remaining = /;r=(\d+)/.exec(String(headers.ratelimit))?.[1]
  expect([status, remaining]).toEqual([200, expect.stringMatching(/^\d+$/)])
  return Number(remaining)
}

/** Resolves when the replica counts at least this many requests that it has not admitted itself. */
async function untilForeign(index: number, ownBefore: number, count: number): Promise<void> {
  let own = ownBefore
  await eventually(
    `replica ${index + 1} counts ${count} requests of others`,
    async () => {
      own += 1
      return LIMIT - (await request(index)) - own >= count ? true : undefined
    },
    WAIT_MS,
  )
}

/** Resolves when this replica shows the exchange with the other one as wanted. */
const untilShare = (index: number, problem: RegExp | undefined) =>
  eventually(
    `replica ${index + 1} shows ${problem ?? 'no problem'}`,
    async () => {
      const [other] = (await cluster.status(index)).filter(({ self }) => self !== true)
      const problems = ((other?.disagreements ?? []) as string[]).filter(text => text.includes('rate limits'))
      if (problem !== undefined) return problems.some(text => problem.test(text)) || undefined
      return (problems.length === 0 && typeof other?.shareAgeMs === 'number') || undefined
    },
    WAIT_MS,
  )

it('count together, and keep the count when both restart', async () => {
  await cluster.untilLinked()
  for (const index of [0, 1]) await untilShare(index, undefined)
  await cluster.replicas[0]!.call('POST', '/v1/routes', {
    mount: LIMITED,
    service: null,
    options: {
      respond: { status: 200 },
      rateLimits: [{ name: 'plan', limit: LIMIT, windowSeconds: 86_400, key: [] }],
    },
  })
  for (const { port } of cluster.places) {
    await eventually('the route is live', async () =>
      (await send({ port, host: LIMITED, path: '/' })).status === 200 ? true : undefined,
    )
  }
  // A twentieth of the burst is sent at once; the rest may stay unreported.
  for (let count = 0; count < 200; count += 1) await request(0)
  await untilForeign(1, 1, 150)
  const { limits } = await cluster.replicas[1]!.call<{ limits: object }>('GET', '/v1/status')
  expect(limits).toMatchObject({ keys: 1, evictions: 0, rejected: 0 })

  // Both counts were in the memory of these processes only, and in the database.
  await Promise.all(cluster.replicas.map(({ child }) => child.stop()))
  await Promise.all([cluster.startReplica(0), cluster.startReplica(1)])
  for (const index of [0, 1]) expect(await request(index)).toBeLessThan(LIMIT - 200)
}, 60_000)

it('count separately while one of them has an older version, and show it', async () => {
  await cluster.replicas[1]!.child.stop()
  await cluster.startReplica(1, { program: OLDER })
  await cluster.untilLinked()
  await untilShare(0, /its version does not share them/)
  const remaining = await request(0)
  for (let count = 0; count < 120; count += 1) await request(1)
  expect(await request(0)).toBe(remaining - 1)
}, 60_000)

it('count together again when the older one is updated', async () => {
  await cluster.replicas[1]!.child.stop()
  await cluster.startReplica(1)
  await cluster.untilLinked()
  for (const index of [0, 1]) await untilShare(index, undefined)
}, 60_000)
