// The processes of a service on two real replicas: both show the same processes, with the requests that each replica has sent. The
// command line shows them in `service show`, and an open circuit breaker in `status`.

import { expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { HOST, SERVICE } from '../support/programs/stack.ts'

const cluster = useCluster(2)

interface Processes {
  readonly items: readonly {
    readonly telephone: string
    readonly state: string
    readonly requests: number
    readonly sharePercent: number
    readonly version: string
    readonly replicas: readonly { readonly replicaId: string; readonly tunnelsOn: readonly string[] }[]
  }[]
  readonly replicas: readonly {
    readonly replicaId: string
    readonly picks: readonly { readonly telephone: string | null }[]
  }[]
  readonly missingReplicas: readonly object[]
}
const read = (index: number) =>
  cluster.replicas[index]!.call<Processes>('GET', `/v1/services/${SERVICE}/processes`)
const ask = async (index: number, path = '/hello'): Promise<number> =>
  (await send({ port: cluster.places[index]!.port, host: HOST, path })).status
const cli = (index: number, ...args: string[]) => cluster.replicas[index]!.cli(...args)

it('shows the processes on both replicas, with the sums of their requests', async () => {
  await cluster.untilLinked()
  for (const [index, name] of ['left', 'right'].entries()) {
    const args = [
      '--name',
      name,
      '--tunnels',
      '1',
      '--no-follow-replicas',
      '--service-version',
      `${index + 1}.0`,
    ]
    await cluster.startTelephone(index, { args })
  }
  for (const index of [0, 1]) {
    await eventually('the replica has both processes', async () => {
      const { items } = await read(index)
      return items.length === 2 && items.every(({ replicas }) => replicas.length === 2) ? true : undefined
    })
    await eventually('the replica serves the route', async () =>
      (await ask(index)) === 200 ? true : undefined,
    )
    for (let count = 0; count < 10; count += 1) expect(await ask(index)).toBe(200)
  }
  for (const index of [0, 1]) {
    const { items, replicas, missingReplicas } = await read(index)
    expect(missingReplicas).toEqual([])
    expect(items.map(({ telephone, version, state }) => [telephone, version, state])).toEqual([
      ['left', '1.0', 'serving'],
      ['right', '2.0', 'serving'],
    ])
    expect(items[0]!.requests + items[1]!.requests).toBeGreaterThanOrEqual(22)
    expect(items[0]!.sharePercent + items[1]!.sharePercent).toBeCloseTo(100)
    expect(items[0]!.replicas[0]!.tunnelsOn).toEqual(['replica-1'])
    expect(replicas).toHaveLength(2)
    for (const { picks } of replicas) expect(['left', 'right']).toContain(picks[0]!.telephone)
  }
  const { output, code } = await cli(1, 'service', 'show', SERVICE)
  expect(code).toBe(0)
  expect(output).toMatch(
    /\nprocesses \(on all replicas\); > is the next one by peak_ewma\nTELEPHONE +STATE +WEIGHT/,
  )
  expect(output).toMatch(/\n[> ] left +serving +100 +.* 1\.0 +- +replica-1\n/)
  expect(output).toMatch(/\ntraffic policy on each replica\nREPLICA +NEXT/)
})

it('shows an open circuit breaker in the status and in the service', async () => {
  const breaker = { errorPercent: 50, minRequests: 2, windowMs: 60_000, openMs: 600_000 }
  const policy = ['--policy', `breaker=${JSON.stringify(breaker)}`, '--policy', 'retries=0']
  expect((await cli(0, 'service', 'set', SERVICE, ...policy)).code).toBe(0)
  await eventually('the breaker of the second replica opens', async () =>
    (await ask(1, '/answer?status=500')) === 503 ? true : undefined,
  )
  const status = await cli(0, 'status')
  expect(status.output).toMatch(
    /open circuit breakers \(1\)\nSERVICE +REPLICA +STATE\napp +replica-2 +open since \d+s, 100 % failed, next attempt in (?:9|10)m\n/,
  )
  const { output } = await cli(0, 'service', 'show', SERVICE)
  expect(output).toMatch(/\nreplica-2 .* open since \d+s, 100 % failed, next attempt in (?:9|10)m$/m)
})
