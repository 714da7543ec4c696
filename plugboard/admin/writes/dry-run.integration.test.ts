import { beforeEach, expect, it } from 'vitest'
import type { AdminApiHarness, CallOptions } from '../../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../../test/support/admin-api/use-admin-api.ts'

let api: AdminApiHarness
useAdminApi(created => {
  api = created
})

let name: string
let count = 0
beforeEach(async () => {
  count += 1
  name = `shop-${count}`
  await api.call('POST', '/v1/services', { body: { name } })
  await api.call('POST', '/v1/routes', { body: { mount: `${name}.test`, service: name } })
})

const any = { 'if-match': '*' }
const dry = (method: string, path: string, options: CallOptions = {}) =>
  api.call(method, `${path}?dryRun=true`, options)

async function latest(): Promise<number> {
  return (await api.call('GET', '/v1/changes?limit=1')).body.items[0].sequence
}

it('responds to each write with the row as it would be, and changes no row', async () => {
  const { id: tokenId } = (await api.call('POST', '/v1/tokens', { body: { name, services: [name] } })).body
  const { id: keyId } = (await api.call('POST', '/v1/keys', { body: { name, scopes: ['routes:read'] } })).body
  const { kid } = (await api.call('POST', '/v1/signing-keys/rotate')).body
  const before = await latest()

  const created = await dry('POST', '/v1/services', { body: { name: `${name}-new`, policy: { retries: 1 } } })
  expect(created).toMatchObject({
    status: 200,
    body: { name: `${name}-new`, policy: { retries: 1 }, version: 1 },
  })
  expect(created.headers.get('location')).toBeNull()
  expect(await dry('POST', '/v1/routes', { body: { mount: 'new.test', service: name } })).toMatchObject({
    status: 200,
    body: { mount: 'new.test', service: name },
  })
  const path = `/v1/routes/${name}.test`
  expect(await dry('PATCH', path, { body: { options: { stripMount: true } }, headers: any })).toMatchObject({
    status: 200,
    body: { options: { stripMount: true }, version: 2 },
  })
  expect((await dry('DELETE', path, { headers: any })).status).toBe(204)
  expect(
    await dry('PATCH', `/v1/services/${name}`, { body: { name: `${name}-2` }, headers: any }),
  ).toMatchObject({
    status: 200,
    body: { name: `${name}-2` },
  })
  expect(await dry('POST', `/v1/tokens/${tokenId}/revoke`)).toMatchObject({
    status: 200,
    body: { state: 'revoked' },
  })
  expect(await dry('POST', `/v1/keys/${keyId}/revoke`)).toMatchObject({
    status: 200,
    body: { state: 'revoked' },
  })
  expect((await dry('POST', '/v1/signing-keys/rotate')).status).toBe(200)
  expect((await dry('DELETE', `/v1/signing-keys/${kid}`)).status).toBe(204)
  expect((await dry('POST', `/v1/changes/${before}/undo`)).status).toBe(409)
  expect((await dry('POST', '/v1/routes/prune', { body: { unusedFor: '1h' } })).body.dryRun).toBe(true)

  expect(await latest()).toBe(before)
  expect((await api.call('GET', path)).body).toMatchObject({ version: 1, options: {} })
  expect((await api.call('GET', `/v1/tokens/${tokenId}`)).body.state).toBe('active')
})

it('gives no ETag, because the version does not exist', async () => {
  const path = `/v1/routes/${name}.test`
  const body = { options: { stripMount: true } }
  expect((await dry('PATCH', path, { body, headers: any })).etag).toBe('')
  expect((await api.call('PATCH', path, { body, headers: any })).etag).toBe('"2"')
  await api.call('DELETE', path, { headers: any })
  expect((await dry('POST', `${path}/restore`)).etag).toBe('')
  expect((await api.call('POST', `${path}/restore`)).etag).toBe('"4"')
  const { id } = (await api.call('POST', '/v1/tokens', { body: { name, services: [name] } })).body
  expect((await dry('POST', `/v1/tokens/${id}/revoke`)).etag).toBe('')
  expect((await dry('POST', '/v1/services', { body: { name: 'other' } })).etag).toBe('')
})

it('ignores Idempotency-Key: the real write with the key follows', async () => {
  const options = { body: { name: `${name}-keyed` }, headers: { 'idempotency-key': `"${name}"` } }
  expect((await dry('POST', '/v1/services', options)).status).toBe(200)
  expect((await dry('POST', '/v1/services', options)).headers.get('idempotent-replayed')).toBeNull()
  expect((await api.call('POST', '/v1/services', options)).status).toBe(201)
})

it('shows no secret of a token and of a key', async () => {
  const token = await dry('POST', '/v1/tokens', { body: { name, services: [name] } })
  expect(token.status).toBe(200)
  expect(token.body).not.toHaveProperty('token')
  const key = await dry('POST', '/v1/keys', { body: { name, scopes: ['routes:read'] } })
  expect(key.status).toBe(200)
  expect(key.body).not.toHaveProperty('key')
  expect((await api.call('GET', `/v1/keys/${key.body.id}`)).status).toBe(404)
})

it('finds the conflicts and problems that the real write finds', async () => {
  const conflict = await dry('POST', '/v1/routes', { body: { mount: `${name}.test/x`, service: name } })
  expect(conflict).toMatchObject({ status: 409, body: { code: 'mount_conflict' } })
  expect((await dry('POST', '/v1/services', { body: { name } })).status).toBe(409)
  expect((await dry('DELETE', `/v1/services/${name}`, { headers: any })).body.detail).toContain('1 route')
  const old = await dry('PATCH', `/v1/services/${name}`, {
    body: { policy: {} },
    headers: { 'if-match': '"9"' },
  })
  expect(old.status).toBe(412)
  const missing = await dry('POST', '/v1/routes', { body: { mount: 'new.test', service: 'none' } })
  expect(missing.body).toMatchObject({ code: 'invalid_request', errors: [{ pointer: '/service' }] })
  const { key } = await api.key(['services:read'])
  expect((await dry('POST', '/v1/services', { body: { name: 'other' }, key })).status).toBe(403)
})

it('refuses a misspelled parameter of a write, and changes no row', async () => {
  const refused = await api.call('DELETE', `/v1/routes/${name}.test?dryrun=true`, { headers: any })
  expect(refused.body).toMatchObject({ code: 'invalid_request', errors: [{ parameter: 'dryrun' }] })
  expect((await api.call('GET', `/v1/routes/${name}.test`)).status).toBe(200)
})
