import { expect, test } from 'vitest'
import type { AdminApiHarness } from '../../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../../test/support/admin-api/use-admin-api.ts'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { asTunnelId } from '../../registry/line-ids.ts'
import type { ServiceFacts } from './cluster-view.ts'

let api: AdminApiHarness
useAdminApi(created => {
  api = created
})

/** A service with one route; its id is `id-<name>`. */
function addService(name: string): void {
  const route = harnessRoute({ host: `${name}.test`, service: name })
  api.services.push(route.service)
  api.routesOfServices.push(route)
}
const outages = async () => (await api.call('GET', '/v1/outages')).body
const NONE: Omit<ServiceFacts, 'id'> = { lastError: null, lastLine: null, refusal: null }

test('lists no service that has a usable line or no route', async () => {
  addService('web')
  api.services.push(harnessRoute({ host: 'x', service: 'unused' }).service)
  api.lineStates.push({ line: makeLine('r1', 't1', 'web'), state: 'serving' })
  expect(await outages()).toEqual({ items: [], total: 0, missingReplicas: [] })
})

test('an outage of a service without any line begins at the start of the oldest replica', async () => {
  addService('web')
  const startedAt = '1969-12-31T00:00:00.000Z'
  api.remote.push({
    replicaId: 'r2',
    respond: () => ({ startedAt, services: [{ id: 'id-web', ...NONE }] }),
  })
  expect((await outages()).items).toEqual([
    {
      service: 'web',
      routes: 1,
      mounts: ['web.test'],
      lines: 0,
      reason: 'never_connected',
      since: startedAt,
      observed: false,
      detail: 'No telephone has served the service since the replicas started.',
    },
  ])
})

test('has the reason of a disconnection from the replica that held the tunnel', async () => {
  addService('web')
  const last = {
    cause: 'disconnected' as const,
    telephone: 'shop-1',
    replicaId: asReplicaId('r2'),
    tunnelId: asTunnelId('t'),
  }
  api.lastLines.set('id-web', { ...last, atMs: 5000 })
  const end = { reason: 'ping_timeout', detail: 'ping_timeout: no byte for 6 s' }
  const lastLine = { ...last, at: '1970-01-01T00:00:04.900Z', end }
  api.remote.push({
    replicaId: 'r2',
    respond: () => ({
      startedAt: '1970-01-01T00:00:00.000Z',
      services: [{ id: 'id-web', ...NONE, lastLine }],
    }),
  })
  expect((await outages()).items).toMatchObject([
    {
      reason: 'disconnected',
      since: '1970-01-01T00:00:04.900Z',
      observed: true,
      detail: 'The last telephone, "shop-1" on replica r2, has disconnected: ping_timeout: no byte for 6 s.',
    },
  ])
  api.remote.length = 0
  api.missing.push({ id: 'r2', reason: 'there is no link to it' })
  expect((await outages()).items).toMatchObject([
    { reason: 'replica_lost', since: '1970-01-01T00:00:05.000Z' },
  ])
})

test('names lines that are down or have weight 0', async () => {
  addService('web')
  addService('shop')
  const outage = { sinceMs: 0, detail: '/healthz returned 500' }
  const down = { ...makeLine('r1', 't1', 'web'), health: 'down' as const, telephone: 'w', outage }
  api.lineStates.push({ line: down, state: 'down' })
  api.lineStates.push({ line: { ...makeLine('r1', 't1', 'shop'), weight: 0 }, state: 'no_weight' })
  const { items } = await outages()
  expect(items).toMatchObject([
    { service: 'shop', reason: 'no_weight', lines: 1 },
    {
      service: 'web',
      reason: 'unhealthy',
      lines: 1,
      detail:
        'The only line is down (telephone "w"): ' +
        'health check has failed since 1970-01-01T00:00:00Z: /healthz returned 500.',
    },
  ])
})

test('names the telephone whose announcement was refused', async () => {
  addService('web')
  const detail = 'The token does not cover service "web".'
  api.serviceRefusals.set('id-web', { atMs: 9000, telephone: 'shop-1', code: 'forbidden', detail })
  expect((await outages()).items).toMatchObject([
    {
      reason: 'refused',
      detail: `Telephone "shop-1" announced the service, and Plugboard refused it (forbidden): ${detail}`,
    },
  ])
})

test('lists the latest outage first, and a bounded number of them', async () => {
  for (let index = 0; index < 120; index += 1) addService(`s${String(index).padStart(3, '0')}`)
  const last = {
    cause: 'disconnected' as const,
    telephone: 't',
    replicaId: asReplicaId('r1'),
    tunnelId: asTunnelId('t'),
  }
  api.lastLines.set('id-s050', { ...last, atMs: 2000 })
  api.lastLines.set('id-s060', { ...last, atMs: 3000 })
  const { items, total } = await outages()
  expect(total).toBe(120)
  expect(items).toHaveLength(100)
  expect(items.slice(0, 3).map(({ service }: { service: string }) => service)).toEqual([
    's060',
    's050',
    's000',
  ])
})

test('rejects a key without the scope status:read', async () => {
  const { key } = await api.key(['routes:read'])
  expect((await api.call('GET', '/v1/outages', { key })).status).toBe(403)
})
