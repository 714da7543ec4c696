import { expect, test } from 'vitest'
import type { AdminApiHarness } from '../../../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../../../test/support/admin-api/use-admin-api.ts'
import { asServiceId } from '../../../common/ids/row-ids.ts'
import { resolveServicePolicy } from '../../../routes/options/service-policy.ts'
import type { ServiceProcessesBody } from '../../api-types.ts'
import type { ReplicaProcesses } from '../../bodies/policy/service-processes.ts'

const ID = '0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e'

let api: AdminApiHarness
useAdminApi(created => {
  api = created
})

function setUp(policy: object = {}): void {
  api.services.push({ id: asServiceId(ID), name: 'web', policy: resolveServicePolicy(policy).policy })
  for (const [name, version] of [
    ['a', '1.0'],
    ['b', '2.0'],
  ] as const)
    api.pool.connect({ name, version, respond: () => ({ ms: 10 }) })
  api.pool.run(10_000, 10)
}

const read = async (service = 'web'): Promise<ServiceProcessesBody> =>
  (await api.call('GET', `/v1/services/${service}/processes`)).body
const own = (): ReplicaProcesses =>
  api.processView.respond('service-processes', { service: ID }) as ReplicaProcesses

/** Returns the rows of another replica, on which these values differ. */
function rowsOf(
  replicaId: string,
  change: (row: ReplicaProcesses['processes'][number]) => object = () => ({}),
): ReplicaProcesses {
  const { processes, service } = own()
  return {
    processes: processes.map(row => ({ ...row, replicaId, ...change(row) })),
    service: { ...service, replicaId },
  }
}

test('lists the processes of a service by its name and its id', async () => {
  setUp({ breaker: {} })
  const body = await read()
  expect(body.items.map(({ telephone, version, state }) => [telephone, version, state])).toEqual([
    ['a', '1.0', 'serving'],
    ['b', '2.0', 'serving'],
  ])
  const [a, b] = body.items
  expect(a!.requests + b!.requests).toBeGreaterThan(50)
  expect(a!.sharePercent + b!.sharePercent).toBeCloseTo(100)
  expect(body).toMatchObject({
    service: { id: ID, name: 'web' },
    balancing: 'peak_ewma',
    total: 2,
    replicas: [{ replicaId: 'r1', medianMs: 10 }],
    missingReplicas: [],
  })
  expect((await read(ID)).items).toHaveLength(2)
})

test('merges the rows of all replicas, and names a replica that sent no response', async () => {
  setUp()
  const before = (await read()).items[0]!
  const asked: unknown[] = []
  const remote = rowsOf('r2', ({ telephone }) =>
    telephone === 'a' ? { state: 'ejected', responseMs: 30, streams: 4 } : {},
  )
  api.remote.push({
    replicaId: 'r2',
    respond: (name, params) => {
      asked.push([name, params])
      // A newer version may add keys.
      return {
        ...remote,
        service: { ...remote.service, mood: 'new', picks: [], waiting: { queue: 1, hold: 0, x: 1 } },
      }
    },
  })
  api.missing.push({ id: 'r3', reason: 'there is no link to it' })
  const { items, replicas, missingReplicas } = await read()
  expect(asked).toEqual([['service-processes', { service: ID }]])
  expect(items).toHaveLength(2)
  expect(items[0]).toMatchObject({
    state: 'ejected',
    streams: before.streams + 4,
    requests: 2 * before.requests,
    sharePercent: before.sharePercent,
    responseMs: 20,
    replicas: [
      { replicaId: 'r1', state: 'serving' },
      { replicaId: 'r2', state: 'ejected' },
    ],
  })
  expect(items[1]).toMatchObject({ state: 'serving', responseMs: 10 })
  expect(replicas.map(({ replicaId, waiting }) => [replicaId, waiting.queue])).toEqual([
    ['r1', 0],
    ['r2', 1],
  ])
  expect(missingReplicas).toEqual([{ id: 'r3', reason: 'there is no link to it' }])
})

test('lists a process that only another replica sees', async () => {
  setUp()
  const remote = rowsOf('r2')
  const [first] = remote.processes
  remote.processes.push({ ...first!, telephone: 'z', instance: 'instance-z' })
  api.remote.push({ replicaId: 'r2', respond: () => remote })
  const { items } = await read()
  expect(items.map(({ telephone, weight }) => [telephone, weight])).toEqual([
    ['a', 100],
    ['b', 100],
    ['z', 0],
  ])
})

test('responds with 404 for an unknown service, and needs the scope status:read', async () => {
  const { status, body } = await api.call('GET', '/v1/services/none/processes')
  expect([status, body.code]).toEqual([404, 'not_found'])
  setUp()
  const { key } = await api.key(['services:read'])
  expect((await api.call('GET', '/v1/services/web/processes', { key })).status).toBe(403)
})

test('a replica does not respond about a service that it does not have, or about something else', () => {
  expect(() => api.processView.respond('service-processes', { service: ID })).toThrow()
  expect(api.processView.respond('other', {})).toBeUndefined()
})
