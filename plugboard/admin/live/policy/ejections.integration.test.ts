import { expect, test } from 'vitest'
import type { AdminApiHarness } from '../../../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../../../test/support/admin-api/use-admin-api.ts'
import { harnessRoute } from '../../../../test/support/harness/proxy-harness.ts'
import type { ListedEjection, ListedServiceEjections } from '../../../telephones/outliers/ejection-list.ts'
import type { ListedTelephone } from '../../api-types.ts'
import type { OpenBreakerBody, StoppedSubsetBody } from '../../bodies/policy/ejection.ts'

let api: AdminApiHarness
useAdminApi(created => {
  api = created
})

const ejection = (replicaId: string): ListedEjection => ({
  service: 'shop',
  telephone: 'shop-1',
  instance: 'i1',
  replicaId,
  state: 'ejected',
  reason: 'consecutive_failures',
  since: '2026-11-20T12:00:00.000Z',
  until: '2026-11-20T12:00:10.000Z',
  ejections: 1,
  failures: [{ at: '2026-11-20T12:00:00.000Z', failure: '503' }],
})
const counts = (replicaId: string): ListedServiceEjections => ({
  service: 'shop',
  replicaId,
  consecutiveFailures: 1,
  errorResponses: 0,
  trialFailures: 0,
  halfOpened: 0,
  readmitted: 0,
  paused: 0,
  pausedSince: null,
})
const subset: StoppedSubsetBody = {
  service: 'shop',
  replicaId: 'r1',
  subset: 'canary',
  state: 'stopped',
  percent: 10,
  currentPercent: 0,
  stops: 1,
  since: '2026-11-20T12:00:00.000Z',
  until: '2026-11-20T12:01:00.000Z',
  atStop: { errorPercent: 40, restErrorPercent: 0.5 },
  now: null,
}
const breaker: OpenBreakerBody = {
  service: 'shop',
  replicaId: 'r1',
  state: 'open',
  since: '2026-11-20T12:00:00.000Z',
  errorPercent: 80,
  requests: 20,
  until: '2026-11-20T12:00:10.000Z',
}
const telephone = (instance: string): ListedTelephone => ({
  id: `tunnel-${instance}`,
  name: 'shop-1',
  instance,
  agent: 'telephone/0.1.0',
  remoteAddress: '10.0.0.1',
  connectedAt: '1970-01-01T00:00:00.000Z',
  tokenId: 't1',
  tokenExpiresAt: null,
  streams: 3,
  rttMs: null,
  replicaId: 'r1',
  services: ['shop', 'other'].map(service => ({
    service,
    mounts: [],
    health: 'up',
    weight: 100,
    version: '',
    labels: {},
    outage: null,
    override: null,
    ejections: [],
    subsetStops: [],
  })),
})

test('lists the ejections of all replicas, and names a replica that sent no response', async () => {
  api.ejections.items.push(ejection('r1'))
  api.ejections.services.push(counts('r1'))
  api.remote.push({
    replicaId: 'r2',
    // A newer version may add keys.
    respond: name =>
      name === 'ejections'
        ? { items: [{ ...ejection('r2'), mood: 'new' }], services: [counts('r2')], more: 1 }
        : undefined,
  })
  api.missing.push({ id: 'r3', reason: 'there is no link to it' })
  // The other replica is of an older version, which does not send stopped subsets and breakers.
  api.ejections.subsets.push(subset)
  api.ejections.breakers.push(breaker)
  expect((await api.call('GET', '/v1/ejections')).body).toEqual({
    items: [ejection('r1'), ejection('r2')],
    services: [counts('r1'), counts('r2')],
    subsets: [subset],
    breakers: [breaker],
    missingReplicas: [{ id: 'r3', reason: 'there is no link to it' }],
  })
})

test('a telephone has the ejections of its process by all replicas, at the service that they concern', async () => {
  api.ejections.items.push(ejection('r1'))
  api.remote.push({
    replicaId: 'r2',
    respond: name =>
      name === 'ejections'
        ? { items: [ejection('r2')], services: [] }
        : { items: [{ ...telephone('i3'), replicaId: 'r2' }], more: false },
  })
  api.telephones.push(telephone('i1'), telephone('i2'))
  const { items } = (await api.call('GET', '/v1/telephones')).body as { items: ListedTelephone[] }
  const seen = items.map(({ instance, services }) => [
    instance,
    ...services.map(({ ejections }) => ejections.map(({ replicaId, state }) => `${state} ${replicaId}`)),
  ])
  expect(seen).toEqual([
    ['i1', ['ejected r1', 'ejected r2'], []],
    ['i2', [], []],
    ['i3', [], []],
  ])
})

test('a telephone has the stops of its subset by all replicas', async () => {
  const subsets = [{ name: 'canary', select: { version: '2.*', labels: { track: 'canary' } }, percent: 10 }]
  api.services.push(harnessRoute({ host: 'shop.test', service: 'shop', policy: { subsets } }).service)
  api.ejections.subsets.push(subset, { ...subset, service: 'other' }, { ...subset, subset: 'beta' })
  const reduced = { ...subset, replicaId: 'r2', state: 'reduced' as const, until: null }
  const over = { ...subset, replicaId: 'r3', state: 'serving' as const, until: null }
  api.remote.push({
    replicaId: 'r2',
    respond: name =>
      name === 'ejections'
        ? { items: [], services: [], subsets: [reduced, over] }
        : { items: [], more: false },
  })
  const versions = [
    ['i1', { version: '2.1', labels: { track: 'canary' } }],
    ['i2', { version: '2.1' }],
    ['i3', { version: '1.9', labels: { track: 'canary' } }],
  ] as const
  for (const [instance, more] of versions) {
    const row = telephone(instance)
    api.telephones.push({ ...row, services: row.services.map(each => ({ ...each, ...more })) })
  }
  const { items } = (await api.call('GET', '/v1/telephones')).body as { items: ListedTelephone[] }
  expect(items.map(({ services }) => services.map(({ subsetStops }) => subsetStops))).toEqual([
    [
      [
        { subset: 'canary', replicaId: 'r1', state: 'stopped', until: subset.until },
        { subset: 'canary', replicaId: 'r2', state: 'reduced', until: null },
      ],
      [],
    ],
    [[], []],
    [[], []],
  ])
})

test('a replica responds to others with its own ejections', () => {
  api.ejections.items.push(ejection('r1'))
  expect(api.cluster.respond('ejections', {})).toEqual({
    items: [ejection('r1')],
    services: [],
    subsets: [],
    breakers: [],
  })
})
