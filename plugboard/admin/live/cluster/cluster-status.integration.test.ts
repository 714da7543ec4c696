import { expect, test } from 'vitest'
import type { AdminApiHarness } from '../../../../test/support/admin-api/admin-api.ts'
import { SAMPLE_STATE } from '../../../../test/support/admin-api/sample-state.ts'
import { useAdminApi } from '../../../../test/support/admin-api/use-admin-api.ts'

let api: AdminApiHarness
const database = useAdminApi(created => {
  api = created
})
const status = async () => (await api.call('GET', '/v1/cluster/status')).body
const other = () => ({ ...SAMPLE_STATE, id: 'r2', wallTime: Date.now() })
const openLink = (replicaId: string) => ({
  ...{ replicaId, link: 'open' as const, rttMs: 0.4, leaseMs: 2900, appliedSequence: 7 },
})

test('shows each replica in its own view, with its links, and names the ones that did not respond', async () => {
  api.ownState = { ...SAMPLE_STATE, links: [openLink('r2')] }
  api.remote.push({
    replicaId: 'r2',
    // A newer version may add keys.
    respond: name => (name === 'state' ? { ...other(), links: [openLink('r1')], mood: 'new' } : undefined),
  })
  api.missing.push({ id: 'r3', reason: 'its version does not support this query' })
  const { items, missingReplicas, disagreements } = await status()
  expect(items).toMatchObject([
    { id: 'r1', self: true, phase: 'ready', links: [{ replicaId: 'r2', rttMs: 0.4 }] },
    { id: 'r2', self: false, process: { cpuPercent: 3.5 }, links: [{ replicaId: 'r1' }] },
  ])
  // Digests of settings stay between the replicas.
  expect(items[1]).not.toHaveProperty('settings')
  expect(items[1]).not.toHaveProperty('mood')
  expect(missingReplicas).toEqual([{ id: 'r3', reason: 'its version does not support this query' }])
  expect(disagreements).toEqual([])
})

test('lists certificates of files and of the authority, with failed orders first', async () => {
  const { store } = database().open()
  const order = { owner: 'one', leaseMs: 60_000, atOnce: 9, perHour: 9, perToken: 9, unusable: false }
  for (const host of ['a.test', 'b.test']) await store.certificates.begin({ host, ...order })
  const renewAt = new Date('2027-01-15T00:00:00.000Z')
  const notAfter = new Date('2027-02-20T00:00:00.000Z')
  await store.certificates.succeed({ host: 'b.test', chain: 'c', sealedKey: 'k', notAfter, renewAt }, 'one')
  await store.certificates.fail('a.test', 'one', 'the challenge failed', 60_000)
  const file = {
    ...{
      names: ['c.test'],
      issuer: 'Test CA',
      origin: 'file' as const,
      notAfter: '2027-01-01T00:00:00.000Z',
    },
  }
  const ordered = {
    ...{ names: ['b.test'], issuer: 'CA 2', origin: 'authority' as const, notAfter: notAfter.toISOString() },
  }
  api.ownState = { ...SAMPLE_STATE, certificates: [file, ordered] }
  api.remote.push({ replicaId: 'r2', respond: () => ({ ...other(), certificates: [ordered] }) })
  const { certificates } = await status()
  expect(certificates).toEqual([
    {
      ...{ names: ['a.test'], issuer: null, origin: 'authority', notAfter: null, renewAt: null },
      ...{ lastError: 'the challenge failed', nextAttemptAt: expect.any(String), replicas: [] },
    },
    { ...file, renewAt: null, lastError: null, nextAttemptAt: null, replicas: ['r1'] },
    {
      ...{ ...ordered, renewAt: renewAt.toISOString(), lastError: null, nextAttemptAt: null },
      replicas: ['r1', 'r2'],
    },
  ])
})

test('a renewal that failed comes before a file that ends earlier', async () => {
  const { store } = database().open()
  const order = { owner: 'one', leaseMs: 60_000, atOnce: 9, perHour: 9, perToken: 9, unusable: false }
  await store.certificates.begin({ host: 'd.test', ...order })
  const notAfter = new Date(Date.now() + 86_400_000)
  const renewAt = new Date(Date.now() - 1000)
  await store.certificates.succeed({ host: 'd.test', chain: 'c', sealedKey: 'k', notAfter, renewAt }, 'one')
  await store.certificates.begin({ host: 'd.test', ...order })
  await store.certificates.fail('d.test', 'one', 'the challenge failed', 60_000)
  const earlier = new Date(Date.now() + 3_600_000).toISOString()
  const file = { names: ['e.test'], issuer: 'Test CA', origin: 'file' as const, notAfter: earlier }
  api.ownState = { ...SAMPLE_STATE, certificates: [file] }
  const { certificates } = await status()
  // The tests of this file share the orders in the database.
  const hosts = (certificates as { names: string[] }[]).flatMap(({ names }) => names)
  expect(hosts).toContain('e.test')
  expect(hosts.indexOf('d.test')).toBeGreaterThanOrEqual(0)
  expect(hosts.indexOf('d.test')).toBeLessThan(hosts.indexOf('e.test'))
})

test('needs the scope status:read', async () => {
  const { key } = await api.key(['routes:read'])
  expect((await api.call('GET', '/v1/cluster/status', { key })).status).toBe(403)
})
