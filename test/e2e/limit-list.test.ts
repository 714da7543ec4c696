// The list of rate limits on two real replicas: each replica counts its own requests, and both list the sums.

import { expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { HOST } from '../support/programs/stack.ts'

const cluster = useCluster(2)

interface LimitPage {
  readonly items: readonly { readonly name: string; readonly admitted: number; readonly replicas: object[] }[]
  readonly shares: readonly { readonly replicaId: string; readonly peerId: string; readonly state: string }[]
  readonly missingReplicas: readonly object[]
}
const list = (index: number) => cluster.replicas[index]!.call<LimitPage>('GET', `/v1/limits?route=${HOST}`)
const ask = async (index: number): Promise<number> =>
  (await send({ port: cluster.places[index]!.port, host: HOST, path: '/hello' })).status

it('adds the decisions of both replicas, and keeps them over a change of the route', async () => {
  await cluster.startTelephone(0)
  await cluster.untilLinked()
  for (const index of [0, 1]) {
    await eventually('the replica serves the route', async () =>
      (await ask(index)) === 200 ? true : undefined,
    )
  }
  const set = (...flags: string[]) => cluster.replicas[0]!.cli('route', 'set', HOST, ...flags)
  expect((await set('--option', `rateLimits=${JSON.stringify(LIMITS)}`)).code).toBe(0)
  for (const index of [0, 1]) {
    await eventually('both replicas have the limits', async () =>
      (await list(index)).items.length === 2 ? true : undefined,
    )
  }
  const statuses = [await ask(0), await ask(0), await ask(0), await ask(1), await ask(1), await ask(1)]
  expect(statuses).toEqual([200, 200, 429, 200, 200, 429])
  for (const index of [0, 1]) {
    const { items, missingReplicas } = await list(index)
    expect(missingReplicas).toEqual([])
    expect(items).toMatchObject([
      { name: 'each', scope: 'replica', admitted: 4, rejected: 2, wouldReject: 0, keys: 2 },
      { name: 'trial', scope: 'cluster', enforce: false, rejected: 0 },
    ])
    expect(items[0]!.replicas).toMatchObject([{ admitted: 2 }, { admitted: 2 }])
  }
  expect((await set('--option', 'allowHttp=true')).code).toBe(0)
  const { output, code } = await cluster.replicas[1]!.cli('limit', 'list', '--keys')
  expect(code).toBe(0)
  expect(output).toMatch(/^LIMIT +OF +QUOTA +ENFORCED +ADMITTED +REJECTED +WOULD REJECT +KEYS +FULLEST KEY\n/)
  expect(output).toMatch(/\neach +app\.localhost +2\/1h, each replica +yes +4 +2 +0 +2 +[\d.]+ %\n/)
  expect(output).toMatch(/\ntrial +app\.localhost +1\/1h +no +/)
  expect(output).toMatch(/\neach +[0-9a-f]{14} +[\d.]+ % +replica-[12]\n/)
})

it('shows that the replicas share their counts', async () => {
  await eventually('both exchanges are open', async () => {
    const { shares } = await list(0)
    return shares.length === 2 && shares.every(({ state }) => state === 'open') ? true : undefined
  })
})

const LIMITS = [
  { name: 'each', limit: 2, windowSeconds: 3600, scope: 'replica' },
  { name: 'trial', limit: 1, windowSeconds: 3600, enforce: false },
]
