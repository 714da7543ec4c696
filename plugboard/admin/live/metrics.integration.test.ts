// `GET /metrics` of the admin port: its scope, its type, and gzip.

import { expect, test } from 'vitest'
import type { AdminApiHarness } from '../../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../../test/support/admin-api/use-admin-api.ts'

let api: AdminApiHarness
useAdminApi(created => {
  api = created
})

test('needs the scope metrics:read', async () => {
  for (const [scopes, status] of [
    [['metrics:read'], 200],
    [['metrics:*'], 200],
    [['admin'], 200],
    [['status:read'], 403],
    [['routes:*'], 403],
  ] as const) {
    const { key } = await api.key([...scopes])
    expect((await api.call('GET', '/metrics', { key })).status, scopes[0]).toBe(status)
  }
  expect((await api.call('GET', '/metrics', { key: null })).status).toBe(401)
})

test('a key with the scope can be created, and the scope cannot be written', async () => {
  const created = await api.call('POST', '/v1/keys', { body: { name: 'scraper', scopes: ['metrics:read'] } })
  expect(created.status).toBe(201)
  const refused = await api.call('POST', '/v1/keys', { body: { name: 'writer', scopes: ['metrics:write'] } })
  expect(refused.status).toBe(400)
})

test('has the type of the Prometheus text, and gzip when it is accepted', async () => {
  const plain = await api.app.fetch(
    new Request('http://localhost/metrics', { headers: { authorization: `Bearer ${api.adminKey}` } }),
  )
  expect(plain.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(plain.headers.get('content-encoding')).toBeNull()
  const zipped = await api.app.fetch(
    new Request('http://localhost/metrics', {
      headers: { authorization: `Bearer ${api.adminKey}`, 'accept-encoding': 'gzip' },
    }),
  )
  expect(zipped.headers.get('content-encoding')).toBe('gzip')
})
