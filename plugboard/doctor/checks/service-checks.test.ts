import { describe, expect, it } from 'vitest'
import type { EjectionsBody, OutageBody, ReplicaBody } from '../../admin/api-types.ts'
import { checkRunningSettings } from './configuration-checks.ts'
import { checkAdminKeys, checkTokens } from './credential-checks.ts'
import { checkChanges, checkLinks } from './replica-checks.ts'
import { checkEjections, checkHealth, checkRoutes, checkTelephones } from './service-checks.ts'

const outage: OutageBody = {
  service: 'shop',
  routes: 1,
  mounts: ['shop.test'],
  lines: 0,
  reason: 'never_connected',
  since: '2026-11-20T12:00:00.000Z',
  observed: false,
  detail: 'No telephone has served the service since the replicas started.',
}
const noEjections: EjectionsBody = {
  items: [],
  services: [],
  subsets: [],
  breakers: [],
  missingReplicas: [],
}

describe('the checks of services', () => {
  it('fail for a service without a telephone, and name it with the reason', () => {
    const finding = checkTelephones({ items: [outage], total: 1, missingReplicas: [] })
    expect(finding).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('1 service has no telephone that takes requests: "shop". shop: No'),
      remedy: expect.stringContaining('telephone check'),
    })
    expect(checkTelephones({ items: [], total: 0, missingReplicas: [] }).state).toBe('ok')
  })

  it('warn about processes that are down', () => {
    const finding = checkHealth([{ service: 'shop', telephone: 'shop-1', detail: 'GET /health: 500' }])
    expect(finding).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining('Telephone "shop-1" of "shop": GET /health: 500.'),
      remedy: expect.stringContaining('plugboard service show shop'),
    })
    expect(checkHealth([]).state).toBe('ok')
  })

  it('warn about ejected processes, and not about those that serve again', () => {
    const ejection = {
      service: 'shop',
      telephone: 'shop-1',
      instance: 'i1',
      replicaId: 'r1',
      state: 'ejected' as const,
      reason: 'error_responses' as const,
      since: '2026-11-20T12:00:00.000Z',
      until: null,
      ejections: 1,
      failures: [],
    }
    const finding = checkEjections({ ...noEjections, items: [ejection] })
    expect(finding.detail).toBe(
      'Plugboard sends no or fewer requests to 1 process: "shop-1 of shop (on r1)".',
    )
    expect(checkEjections({ ...noEjections, items: [{ ...ejection, state: 'serving' }] }).state).toBe('ok')
  })

  it('name a process, a subset and a breaker once, with the replicas', () => {
    const on = (...ids: string[]) => ids.map(replicaId => ({ service: 'shop', replicaId }))
    const ejected = (instance: string, ...ids: string[]) =>
      on(...ids).map(place => ({
        ...place,
        telephone: 'web',
        instance,
        state: 'ejected' as const,
        reason: 'error_responses' as const,
        since: '2026-11-20T12:00:00.000Z',
        until: null,
        ejections: 1,
        failures: [],
      }))
    const items = [...ejected('i1', 'r2', 'r1'), ...ejected('i2', 'r1', 'r2', 'r3', 'r4')]
    expect(checkEjections({ ...noEjections, items }).detail).toContain(
      '2 processes: "web of shop (on r1, r2)", "web of shop (on 4 replicas)".',
    )
    const since = '2026-11-20T12:00:00.000Z'
    const shares = { percent: 10, currentPercent: 0, stops: 1, since, until: null, atStop: null, now: null }
    const subset = { subset: 'canary', state: 'stopped' as const, ...shares }
    const breaker = { state: 'open' as const, since, errorPercent: 60, requests: 20, until: null }
    expect(
      checkEjections({
        ...noEjections,
        subsets: on('r1', 'r2').map(place => ({ ...place, ...subset })),
        breakers: on('r1', 'r2').map(place => ({ ...place, ...breaker })),
      }).detail,
    ).toContain('1 subset: "canary of shop (on r1, r2)"; 1 circuit breaker: "shop (on r1, r2)".')
  })

  it('cannot tell about ejections on replicas that sent no response', () => {
    const missingReplicas = [{ id: 'r2', reason: 'there is no link to it' }]
    expect(checkEjections({ ...noEjections, missingReplicas }).state).toBe('unknown')
  })

  it('fail for routes without a service, and for options that cannot be read', () => {
    const faults = { withoutService: [], unusable: [], checked: 2, total: 2 }
    expect(checkRoutes(faults)).toMatchObject({
      state: 'ok',
      detail: expect.stringContaining('2 routes lead'),
    })
    expect(checkRoutes({ ...faults, withoutService: ['a.test'] }).detail).toContain(
      '1 route of 2 leads to no service: "a.test"',
    )
    expect(checkRoutes({ ...faults, unusable: ['a.test', 'b.test'] })).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('respond with 503: "a.test", "b.test"'),
    })
  })
})

describe('the checks of credentials', () => {
  const day = 86_400_000
  const token = (left: number, ttl: number) => ({
    id: 't1',
    name: 'shop-1',
    expiresAt: new Date(left * day),
    ttlSeconds: (ttl * day) / 1000,
  })

  it('warn about a token that ends within 7 days', () => {
    expect(checkTokens([token(8, 30)], 0).state).toBe('ok')
    expect(checkTokens([token(6, 30)], 0)).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining('"shop-1". The first one ends in 6 d.'),
      remedy: expect.stringContaining('plugboard token revoke t1'),
    })
  })

  it('accept a short token that its telephone renews in time', () => {
    expect(checkTokens([token(0.5, 1)], 0).state).toBe('ok')
    expect(checkTokens([token(0.2, 1)], 0).state).toBe('warning')
  })

  it('warn when the only admin key is on this machine, and fail without one', () => {
    expect(checkAdminKeys(1, '/data/secrets/admin.key')).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining('/data/secrets/admin.key'),
      remedy: expect.stringContaining('plugboard key create'),
    })
    expect(checkAdminKeys(2, '/data/secrets/admin.key').state).toBe('ok')
    expect(checkAdminKeys(1, undefined).state).toBe('ok')
    expect(checkAdminKeys(0, undefined)).toMatchObject({
      state: 'failed',
      remedy: expect.stringContaining('plugboard key reset'),
    })
  })
})

describe('the checks of replicas', () => {
  const self: ReplicaBody = {
    id: 'r1',
    name: 'r1',
    address: '',
    version: '0',
    startedAt: null,
    appliedSequence: 20,
    tunnels: 0,
    streams: 0,
    self: true,
    publicUrl: null,
    state: 'ready',
    link: null,
    rttMs: null,
    forwardedStreams: 0,
    leaseMs: null,
    lines: 0,
    shareAgeMs: null,
    disagreements: [],
  }
  const other: ReplicaBody = { ...self, id: 'r2', self: false }

  it('fail for a lost replica, and warn about a disagreement', () => {
    expect(checkLinks([self, other]).state).toBe('ok')
    expect(checkLinks([self, { ...other, state: 'lost' }])).toMatchObject({
      state: 'failed',
      detail: 'This replica has lost 1 replica: "r2".',
    })
    const disagreements = ['It is 3 changes behind this replica.', 'There is no link to it.']
    expect(checkLinks([self, { ...other, disagreements }])).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining('"r2". r2: There is no link to it.'),
    })
  })

  it('fail for a replica that lacks changes, and warn about lost notifications', () => {
    expect(checkChanges([self, other], 30, true).state).toBe('ok')
    expect(checkChanges([self, { ...other, appliedSequence: 9 }], 20, true)).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('r2 is 11 changes behind.'),
    })
    expect(checkChanges([self], 20, false)).toMatchObject({
      state: 'warning',
      remedy: expect.stringContaining('session mode'),
    })
    expect(checkChanges([self], undefined, true).state).toBe('unknown')
  })
})

it('the check of the settings warns about limits that are too low', () => {
  expect(checkRunningSettings(undefined).state).toBe('ok')
  expect(checkRunningSettings({ isProblem: false, detail: 'Enough.' }).state).toBe('ok')
  expect(checkRunningSettings({ isProblem: true, detail: 'maxTunnels from 10 to 5.' })).toMatchObject({
    state: 'warning',
    detail: expect.stringContaining('maxTunnels'),
  })
})
