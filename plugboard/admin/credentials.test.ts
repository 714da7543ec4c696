// Tokens, admin keys, signing keys over HTTP, and the first admin key of all.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AdminApiHarness } from '../../test/support/admin-api.ts'
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres.ts'
import type { Store } from '../database/store.ts'
import { createApiKey, hashMatches, hashOf, looksLikeApiKey } from './api-key.ts'
import { ensureFirstAdminKey } from './first-admin-key.ts'

let database: TestDatabase
let store: Store
let api: AdminApiHarness
beforeEach(async () => {
  database = await createTestDatabase()
  store = database.open().store
  api = await AdminApiHarness.create(store)
})
afterEach(() => database.drop())

describe('tokens', () => {
  test('are issued once, listed without the JWT, and revoked', async () => {
    const body = { name: 'shop-1', services: ['shop'], mounts: ['a.test'], ttl: '2h' }
    const issued = await api.call('POST', '/v1/tokens', { body })
    expect(issued.status).toBe(201)
    expect(issued.body).toMatchObject({
      name: 'shop-1',
      services: ['shop'],
      mounts: ['a.test'],
      ttlSeconds: 7200,
      state: 'active',
    })
    const path = issued.headers.get('location')!
    const { token, ...row } = issued.body as Record<string, unknown>
    expect(token).toContain(String(row.id))
    expect((await api.call('GET', path)).body).toEqual(row)

    const revoked = await api.call('POST', `${path}/revoke`)
    expect(revoked.body).toMatchObject({ state: 'revoked' })
    expect((await api.call('POST', `${path}/revoke`)).body).toEqual(revoked.body)
    expect((await api.call('GET', '/v1/tokens')).body.items).toHaveLength(1)
    expect((await api.call('GET', '/v1/tokens?active=true')).body.items).toHaveLength(0)
  })

  test('without services and mounts grant nothing, and live thirty days', async () => {
    const { body } = await api.call('POST', '/v1/tokens', { body: { name: 'x' } })
    expect(body).toMatchObject({ services: [], mounts: [], ttlSeconds: 30 * 86_400 })
  })

  test.each(['5s', '4000d', '30', 'soon'])('the lifetime %s is refused', async ttl => {
    const { body } = await api.call('POST', '/v1/tokens', { body: { name: 'x', ttl } })
    expect(body).toMatchObject({ status: 400, errors: [{ pointer: '/ttl' }] })
  })

  test('that are not there are 404', async () => {
    expect((await api.call('GET', '/v1/tokens/nope')).status).toBe(404)
    expect((await api.call('POST', '/v1/tokens/nope/revoke')).status).toBe(404)
  })
})

describe('admin keys', () => {
  test('are shown once and work', async () => {
    const made = await api.call('POST', '/v1/keys', {
      body: { name: 'ci', scopes: ['routes:read'], ttl: '1h' },
    })
    expect(made.body).toMatchObject({ name: 'ci', scopes: ['routes:read'], state: 'active' })
    expect((await api.call('GET', '/v1/routes', { key: made.body.key as string })).status).toBe(200)
    const { key, ...row } = made.body as Record<string, unknown>
    const listed = await api.call('GET', '/v1/keys')
    expect(JSON.stringify(listed.body)).not.toContain(String(key))
    expect(listed.body.items[0]).toMatchObject({ id: row.id, prefix: String(key).slice(0, 14) })
  })

  test('with an unknown scope are refused', async () => {
    const { body } = await api.call('POST', '/v1/keys', { body: { name: 'x', scopes: ['routes:rea'] } })
    expect(body).toMatchObject({ status: 400, errors: [{ pointer: '/scopes/0' }] })
  })

  test('are 256 random bits, stored as a hash, compared in constant time', () => {
    const keys = Array.from({ length: 100 }, () => createApiKey())
    expect(new Set(keys.map(({ prefix }) => prefix)).size).toBe(100)
    for (const { key, hash } of keys) {
      expect(looksLikeApiKey(key)).toBe(true)
      expect(hashMatches(hashOf(key), hash)).toBe(true)
    }
    const [one, two] = keys
    expect(hashMatches(hashOf(one!.key), two!.hash)).toBe(false)
    expect(hashMatches('0'.repeat(64), undefined)).toBe(false)
  })
})

test('signing keys rotate: the newest signs, all are listed, none shows its private half', async () => {
  const first = await api.call('POST', '/v1/signing-keys/rotate')
  const second = await api.call('POST', '/v1/signing-keys/rotate')
  expect([first.status, second.body.state]).toEqual([201, 'signing'])
  const { body } = await api.call('GET', '/v1/signing-keys')
  expect((body.items as { state: string }[]).map(({ state }) => state)).toEqual(['signing', 'retired'])
  expect(JSON.stringify(body)).not.toContain('"d"')
  expect((await api.call('DELETE', `/v1/signing-keys/${String(first.body.kid)}`)).status).toBe(204)
  expect((await api.call('DELETE', '/v1/signing-keys/nope')).status).toBe(404)
})

test('the JWKS is public and may be cached', async () => {
  const { body, headers } = await api.call('GET', '/.well-known/jwks.json', { key: null })
  expect(body.keys).toEqual([{ kty: 'OKP', crv: 'Ed25519', x: 'AA', kid: 'k1', alg: 'EdDSA', use: 'sig' }])
  expect(headers.get('cache-control')).toContain('max-age')
})

describe('the first admin key', () => {
  let content: string | undefined
  const file = {
    read: () => Promise.resolve(content),
    write: (key: string) => {
      content = key
      return Promise.resolve()
    },
  }
  const ensure = () => ensureFirstAdminKey({ adminKeys: store.adminKeys, file, clock: systemClock })
  const works = async (key: string) => (await api.call('GET', '/v1/keys', { key })).status
  beforeEach(() => {
    content = undefined
  })

  test('is made once and kept', async () => {
    const first = await ensure()
    expect(first).toEqual({ key: content, created: true })
    expect(await works(first.key)).toBe(200)
    expect(await ensure()).toEqual({ key: first.key, created: false })
  })

  test('that lies in the file but not in the database (stopped in between, or a new database) is entered', async () => {
    const { key } = createApiKey()
    content = `${key}\n`
    expect(await ensure()).toEqual({ key, created: true })
    expect(await works(key)).toBe(200)
  })

  test('that was revoked, or is no key, is replaced', async () => {
    const { key } = await ensure()
    const row = await store.adminKeys.findByPrefix(key.slice(0, 14))
    await store.adminKeys.revoke(row!.id, { actor: 'test' })
    const second = await ensure()
    expect(second.key).not.toBe(key)
    expect(await works(second.key)).toBe(200)
    content = 'nonsense'
    expect(await works((await ensure()).key)).toBe(200)
  })
})
