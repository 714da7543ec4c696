// Tests the status, the probes, and the list of operations in the OpenAPI document.

import { ERRORS } from '@vera-stack/shared/errors.ts'
import { expect, test } from 'vitest'
import { AdminApiHarness } from '../../../test/support/admin-api/admin-api.ts'
import { SAMPLE_TELEPHONE as telephone } from '../../../test/support/admin-api/sample-telephone.ts'
import { useAdminApi } from '../../../test/support/admin-api/use-admin-api.ts'
import type { Phase } from '../../common/phase.ts'
import { createProxyCounters } from '../../proxy/counters.ts'

let api: AdminApiHarness
const database = useAdminApi(created => {
  api = created
})

test('the status counts telephones by process, tunnels and streams', async () => {
  api.telephones.push(telephone, { ...telephone, id: 'tunnel-2' })
  api.replicas.push({
    id: 'r1',
    name: 'one',
    address: '',
    version: '0',
    startedAt: '1970-01-01T00:00:00.000Z',
    appliedSequence: 7,
    tunnels: 2,
    streams: 6,
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
  })
  const { body } = await api.call('GET', '/v1/status')
  expect(body).toMatchObject({ telephones: 1, tunnels: 2, streams: 6, ready: true, database: 'reachable' })
  expect(body.latestSequence).toBeGreaterThan(0)
  expect(body.tokenRefusals).toEqual({ tunnels: 0, claims: 0, announcements: 0 })
  api.tokenRefusals = { tunnels: 1, claims: 2, announcements: 3 }
  expect((await api.call('GET', '/v1/status')).body.tokenRefusals).toEqual(api.tokenRefusals)
  api.limits = { keys: 3, maxKeys: 10, evictions: 1, rejected: 2, unwritten: 1 }
  expect((await api.call('GET', '/v1/status')).body.limits).toEqual(api.limits)
  // The public port is not open yet, so it has no counters.
  expect(body.traffic).toBeNull()
  const { refusals: _parts, ...counters } = createProxyCounters()
  const counted = { ...counters, openConnections: 3, inFlight: 2, waiting: 1, openBreakers: 1 }
  api.traffic = { ...counted, problems: { no_telephone: 4 }, tls: null }
  expect((await api.call('GET', '/v1/status')).body.traffic).toMatchObject({ openConnections: 3, tls: null })
  const tls = { handshakes: 9, resumed: 2, handshakesFailed: 1, handshakesRefused: 0 }
  api.traffic = { ...api.traffic, tls }
  expect((await api.call('GET', '/v1/status')).body.traffic).toMatchObject({
    tls,
    problems: { no_telephone: 4 },
  })
  expect((await api.call('GET', '/v1/replicas')).body.items).toMatchObject([{ name: 'one', self: true }])
})

test('readiness depends on the phase, liveness does not', async () => {
  let phase: Phase = 'loading'
  api = await AdminApiHarness.create(database().open().store, { phase: () => phase })
  const ready = async () => {
    const { status, body } = await api.call('GET', '/readyz', { key: null })
    return [status, body.status as string]
  }
  expect(await ready()).toEqual([503, 'loading'])
  phase = 'ready'
  expect(await ready()).toEqual([200, 'ready'])
  phase = 'recovering'
  expect(await ready()).toEqual([503, 'recovering'])
  phase = 'draining'
  expect(await ready()).toEqual([503, 'draining'])
  expect((await api.call('GET', '/livez', { key: null })).body).toEqual({ status: 'live' })
})

test('the document describes every operation and every path of the API', async () => {
  const { body } = await api.call('GET', '/openapi.json', { key: null })
  expect(body.openapi).toBe('3.1.0')
  const operations = Object.values(body.paths as Record<string, Record<string, Record<string, unknown>>>)
    .flatMap(path => Object.values(path))
    .map(
      operation => operation as { operationId?: string; responses: Record<string, { description: string }> },
    )
  const ids = operations.map(({ operationId }) => operationId)
  expect(new Set(ids).size).toBe(operations.length)
  expect(ids).not.toContain(undefined)
  const codes = operations.flatMap(({ responses }) =>
    Object.values(responses).flatMap(({ description }) =>
      [...description.matchAll(/`(\w+)`:/g)].map(m => m[1]!),
    ),
  )
  for (const code of codes) expect(ERRORS).toHaveProperty(code)
})

test('the checks of the doctor need the scope status:read', async () => {
  api.checks.push({ id: 'database.clock', state: 'warning', detail: '2 s ahead', remedy: 'ntp' })
  const { status, body } = await api.call('GET', '/v1/doctor', { key: (await api.key(['status:read'])).key })
  expect(status).toBe(200)
  expect(body.items).toEqual(api.checks)
  const other = await api.key(['routes:read'])
  expect((await api.call('GET', '/v1/doctor', { key: other.key })).status).toBe(403)
})
