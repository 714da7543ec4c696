import { expect, test } from 'vitest'
import type { AdminApiHarness } from '../../../../test/support/admin-api/admin-api.ts'
import { SAMPLE_TELEPHONE } from '../../../../test/support/admin-api/sample-telephone.ts'
import { useAdminApi } from '../../../../test/support/admin-api/use-admin-api.ts'

let api: AdminApiHarness
useAdminApi(created => {
  api = created
})
const TUNNEL = { tunnelId: 'tunnel-1', instance: 'i1', replicaId: 'r1', remoteAddress: '10.0.0.1' }
const disconnect = (query = '', key?: string) =>
  api.call('POST', `/v1/telephones/shop-1/disconnect${query}`, key === undefined ? {} : { key })

test('the history has the events of all replicas, the newest first, and counts ends by reason', async () => {
  api.tunnelHistory.connected('shop-1', TUNNEL)
  api.tunnelHistory.disconnected('shop-1', TUNNEL, 'session_lost', '')
  const far = { ...TUNNEL, replicaId: 'r2', at: '2001-01-01T00:00:00.000Z', reason: null, detail: null }
  api.remote.push({
    replicaId: 'r2',
    respond: (name, params) =>
      name === 'tunnelHistory'
        ? {
            items: 'name' in params && params.name === 'shop-1' ? [{ ...far, kind: 'connected' }] : [],
            ends: { 'shop-1': { session_lost: 2, replaced: 1 }, other: { going_away: 1 } },
          }
        : undefined,
  })
  const all = (await api.call('GET', '/v1/telephones/history')).body
  const ends = { 'shop-1': { session_lost: 3, replaced: 1 }, other: { going_away: 1 } }
  expect(all).toEqual({ items: [], ends, missingReplicas: [] })
  const { items } = (await api.call('GET', '/v1/telephones/history?name=shop-1')).body
  expect(items).toMatchObject([
    { kind: 'disconnected', reason: 'session_lost', detail: 'the connection ended without a BYE' },
    { kind: 'connected', replicaId: 'r1' },
    { kind: 'connected', replicaId: 'r2' },
  ])
})

test('a disconnect closes the tunnels on all replicas, with the name of the key as the reason', async () => {
  api.telephones.push(SAMPLE_TELEPHONE)
  const asked: unknown[] = []
  api.remote.push({
    replicaId: 'r2',
    respond: (name, params) => {
      if (name !== 'disconnectTelephone') return undefined
      asked.push(params)
      return { tunnels: 2 }
    },
  })
  const reason = 'A person closed this tunnel with the API key "test".'
  expect((await disconnect()).body).toMatchObject({ tunnels: 3 })
  expect(api.disconnected).toEqual([['shop-1', reason]])
  expect(asked).toEqual([{ name: 'shop-1', detail: reason }])
})

test('a dry run of a disconnect counts the tunnels and closes none', async () => {
  api.telephones.push(SAMPLE_TELEPHONE)
  expect((await disconnect('?dryRun=true')).body).toEqual({ tunnels: 1, missingReplicas: [] })
  expect(api.disconnected).toEqual([])
  expect((await disconnect('?dryrun=true')).status).toBe(400)
})

test('a disconnect needs tokens:write, and stays within the limits of the key', async () => {
  api.telephones.push(SAMPLE_TELEPHONE)
  const { key: reader } = await api.key(['status:read', 'tokens:read'])
  expect((await disconnect('', reader)).status).toBe(403)
  const limited = await api.call('POST', '/v1/keys', {
    body: { name: 'cart', scopes: ['tokens:write'], limits: { services: ['cart'], mounts: [] } },
  })
  const refused = await disconnect('', limited.body.key as string)
  expect([refused.status, refused.body.detail]).toEqual([403, expect.stringContaining('The service shop')])
  expect(api.disconnected).toEqual([])
})

test('a key with limits disconnects nothing when a tunnel beyond them is far down the list, or unknown', async () => {
  const cart = SAMPLE_TELEPHONE.services.map(each => ({ ...each, service: 'cart', mounts: [] }))
  for (let number = 1000; number < 1600; number += 1)
    api.telephones.push({ ...SAMPLE_TELEPHONE, id: `t-${number}`, services: cart })
  const { key } = (
    await api.call('POST', '/v1/keys', {
      body: { name: 'cart-1', scopes: ['tokens:write'], limits: { services: ['cart'], mounts: [] } },
    })
  ).body
  expect((await disconnect('?dryRun=true', key)).body.tunnels).toBe(600)
  api.telephones.push({ ...SAMPLE_TELEPHONE, id: 't-9999' })
  expect((await disconnect('', key)).status).toBe(403)
  api.telephones.pop()
  api.missing.push({ id: 'r2', reason: 'no response' })
  const { status, body } = await disconnect('', key)
  expect([status, body.detail]).toEqual([403, expect.stringContaining('the tunnels on r2 are not known')])
  expect(api.disconnected).toEqual([])
})
