// Tests `Idempotency-Key` with a real Postgres: repetitions, concurrent requests, secrets, and the end of keys.

import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { AdminApiHarness, CallOptions } from '../../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../../test/support/admin-api/use-admin-api.ts'
import { administer } from '../../../test/support/postgres/postgres-setup.ts'

let api: AdminApiHarness
const database = useAdminApi(created => {
  api = created
})

const post = (path: string, body: object, key: string, more: CallOptions = {}) =>
  api.call('POST', path, { body, headers: { 'idempotency-key': key }, ...more })

const query = (text: string, values?: readonly unknown[]) => administer(database().url, text, values)
const latest = async () => (await api.call('GET', '/v1/changes?limit=1')).body.items[0].sequence as number
const freshName = () => `s-${randomUUID().slice(0, 8)}`
const quoted = () => `"${randomUUID()}"`

test('a repetition gets the first response, and changes nothing', async () => {
  const [name, key] = [freshName(), quoted()]
  const first = await post('/v1/services', { name }, key)
  const sequence = await latest()
  await api.call('PATCH', `/v1/services/${name}`, {
    body: { policy: { retries: 3 } },
    headers: { 'if-match': '*' },
  })
  const second = await post('/v1/services', { name }, key)
  expect([second.status, second.body, second.etag]).toEqual([201, first.body, first.etag])
  expect(second.headers.get('location')).toBe(first.headers.get('location'))
  expect(second.headers.get('idempotent-replayed')).toBe('true')
  expect(first.headers.get('idempotent-replayed')).toBeNull()
  expect(await latest()).toBe(sequence + 1)
  // The same text without quotes is the same key.
  expect((await post('/v1/services', { name }, key.slice(1, -1))).status).toBe(201)
})

test('another body, or another path, with the same key gets 422', async () => {
  const [name, key] = [freshName(), quoted()]
  await post('/v1/services', { name }, key)
  const other = await post('/v1/services', { name: freshName() }, key)
  expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused'])
  expect((await post('/v1/tokens', { name }, key)).status).toBe(422)
})

test('of concurrent requests with one key, one creates the row, and all get its response', async () => {
  const [name, key] = [freshName(), quoted()]
  const all = await Promise.all([1, 2, 3, 4, 5].map(() => post('/v1/services', { name }, key)))
  expect(all.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201])
  expect(new Set(all.map(({ body }) => body.id)).size).toBe(1)
  expect((await api.call('GET', `/v1/changes?service=${name}`)).body.items).toHaveLength(1)
})

test('a key belongs to one credential', async () => {
  const key = quoted()
  const { key: other } = await api.key(['services:write'])
  expect((await post('/v1/services', { name: freshName() }, key)).status).toBe(201)
  expect((await post('/v1/services', { name: freshName() }, key, { key: other })).status).toBe(201)
})

test('a request that failed can be sent again', async () => {
  const [service, key, mount] = [freshName(), quoted(), `${freshName()}.test`]
  expect((await post('/v1/routes', { mount, service }, key)).status).toBe(400)
  await api.call('POST', '/v1/services', { body: { name: service } })
  expect((await post('/v1/routes', { mount, service }, key)).status).toBe(201)
  expect((await post('/v1/routes', { mount, service }, key)).status).toBe(201)
})

test('the secrets of tokens and keys are not stored, and a repetition names the created row', async () => {
  for (const [path, body, secret] of [
    ['/v1/tokens', { name: 'laptop' }, 'token'],
    ['/v1/keys', { name: 'deploy', scopes: [] }, 'key'],
  ] as const) {
    const key = quoted()
    const first = await post(path, body, key)
    expect(first.body[secret]).toBeDefined()
    const second = await post(path, body, key)
    expect([second.status, second.body.code]).toEqual([409, 'conflict'])
    expect(second.body.detail).toContain(`has created ${path}/${first.body.id} already`)
    const rows = await query('SELECT * FROM plugboard.idempotency_keys WHERE key = $1', [key.slice(1, -1)])
    expect(rows).toMatchObject([{ body: null, location: `${path}/${first.body.id}` }])
    expect(JSON.stringify(rows)).not.toContain(first.body[secret])
  }
  const mount = `${freshName()}.test`
  const access = { basic: { users: [{ name: 'ada', password: 'secret-password' }] } }
  const key = quoted()
  await post('/v1/routes', { mount, options: { redirect: { to: 'https://a.test' }, access } }, key)
  expect((await query('SELECT body FROM plugboard.idempotency_keys')).join()).not.toContain('secret-password')
})

test('a rotation of the signing key with one key happens once', async () => {
  const key = quoted()
  const rotate = () => api.call('POST', '/v1/signing-keys/rotate', { headers: { 'idempotency-key': key } })
  const [first, second] = [await rotate(), await rotate()]
  expect([second.status, second.body]).toEqual([201, first.body])
})

test('a key ends after 24 hours, and creations delete old keys in bounded batches', async () => {
  const [name, key] = [freshName(), quoted()]
  await post('/v1/services', { name }, key)
  await query("UPDATE plugboard.idempotency_keys SET created_at = now() - interval '25 hours'")
  expect((await post('/v1/services', { name }, key)).body.code).toBe('conflict')
  await query(`
    INSERT INTO plugboard.idempotency_keys (credential, key, fingerprint, location, created_at)
    SELECT gen_random_uuid(), 'k', '', '', now() - interval '2 days' FROM generate_series(1, 150)`)
  const count = async () =>
    (
      await query(
        "SELECT count(*)::int AS old FROM plugboard.idempotency_keys WHERE created_at < now() - interval '1 day'",
      )
    )[0]?.old as number
  const before = await count()
  await post('/v1/services', { name: freshName() }, quoted())
  expect(await count()).toBe(before - 100)
  await post('/v1/services', { name: freshName() }, quoted())
  expect(await count()).toBe(0)
})

test.each(['', '""', '"a', 'a b', '"a", "b"', `"${'a'.repeat(300)}"`, 'ä'])(
  'rejects the malformed key %s with 400, and creates nothing',
  async key => {
    const name = freshName()
    const { status, body } = await post('/v1/services', { name }, key)
    expect([status, body.errors?.[0]?.header]).toEqual([400, 'idempotency-key'])
    expect((await api.call('GET', `/v1/services/${name}`)).status).toBe(404)
  },
)
