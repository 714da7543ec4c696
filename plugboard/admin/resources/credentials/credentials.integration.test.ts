// Tests tokens, admin keys and signing keys over HTTP, and the creation of the first admin key.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AdminApiHarness, type CallResponse } from '../../../../test/support/admin-api/admin-api.ts'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres/postgres.ts'
import { administer } from '../../../../test/support/postgres/postgres-setup.ts'
import { asTokenId } from '../../../common/ids/row-ids.ts'
import type { AdminKeyStore, Store } from '../../../database/store/store.ts'
import { AdminKeyFile } from '../../../replica/files/admin-key-file.ts'
import { createApiKey, hashMatches, hashOf, looksLikeApiKey } from '../../access/api-key-format.ts'
import { ensureFirstAdminKey, resetAdminKey } from '../../access/first-admin-key.ts'

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
    const { token, plugboardUrl, place, ...row } = issued.body as Record<string, unknown>
    expect(place).toEqual({ service: 'shop', mount: 'a.test' })
    expect(plugboardUrl).toBe('https://proxy.test')
    expect(token).toContain(String(row.id))
    expect((await api.call('GET', path)).body).toEqual(row)

    const revoked = await api.call('POST', `${path}/revoke`)
    expect(revoked.body).toMatchObject({ state: 'revoked' })
    expect((await api.call('POST', `${path}/revoke`)).body).toEqual(revoked.body)
    expect((await api.call('GET', '/v1/tokens')).body.items).toHaveLength(1)
    expect((await api.call('GET', '/v1/tokens?active=true')).body.items).toHaveLength(0)
  })

  test('have the limits that they were issued with, and show their usage', async () => {
    const limits = { tunnels: 3, claims: 2, announcementsPerMinute: 60 }
    const body = { name: 'limited', services: ['*'], mounts: ['*'], limits }
    const issued = await api.call('POST', '/v1/tokens', { body })
    expect(issued.body).toMatchObject({ limits, usage: { tunnels: 0, claims: 0 } })
    const { id } = issued.body as { id: string }
    const { body: plain } = await api.call('POST', '/v1/tokens', {
      body: { name: 'plain', limits: { tunnels: null } },
    })
    expect(plain.limits).toEqual({ tunnels: null, claims: null, announcementsPerMinute: null })

    const token = {
      services: ['*'],
      mounts: ['*'],
      reference: { kind: 'own', id: asTokenId(id) },
      maxClaims: 9,
    } as const
    for (const mount of ['a.test', 'b.test']) await store.claimMount({ service: 'web', mount, token })
    await store.routes.remove('b.test', { actor: 'test' })
    api.telephones.push({
      id: 't',
      name: 'n',
      instance: 'i',
      agent: 'a',
      remoteAddress: '::1',
      connectedAt: new Date().toISOString(),
      services: [],
      tokenId: id,
      tokenExpiresAt: null,
      streams: 0,
      rttMs: null,
      replicaId: 'r',
    })
    expect((await api.call('GET', `/v1/tokens/${id}`)).body.usage).toEqual({ tunnels: 1, claims: 1 })
    const { items } = (await api.call('GET', '/v1/tokens')).body
    expect(items.map((row: { usage: object }) => row.usage)).toEqual([
      { tunnels: 0, claims: 0 },
      { tunnels: 1, claims: 1 },
    ])
  })

  test.each([
    ['tunnels', 0],
    ['tunnels', 1_000_001],
    ['claims', -1],
    ['announcementsPerMinute', 1.5],
    ['streams', 1],
  ])('rejects the limit %s %d', async (name, value) => {
    const { body } = await api.call('POST', '/v1/tokens', {
      body: { name: 'x', limits: { [name]: value } },
    })
    const pointer = name === 'streams' ? '/limits' : `/limits/${name}`
    expect(body).toMatchObject({ status: 400, errors: [{ pointer: expect.stringContaining(pointer) }] })
  })

  test('without services and mounts give no rights, and live thirty days', async () => {
    const { body } = await api.call('POST', '/v1/tokens', { body: { name: 'x' } })
    expect(body).toMatchObject({ services: [], mounts: [], ttlSeconds: 30 * 86_400 })
  })

  test.each(['5s', '4000d', '30', 'soon'])('rejects the lifetime %s', async ttl => {
    const { body } = await api.call('POST', '/v1/tokens', { body: { name: 'x', ttl } })
    expect(body).toMatchObject({ status: 400, errors: [{ pointer: '/ttl' }] })
  })

  test('responds with 404 to an unknown token', async () => {
    expect((await api.call('GET', '/v1/tokens/nope')).status).toBe(404)
    expect((await api.call('POST', '/v1/tokens/nope/revoke')).status).toBe(404)
  })
})

describe('admin keys', () => {
  test('are shown once, and are accepted', async () => {
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

  test('do not expire later than the key that created them', async () => {
    const { key } = await api.key(['keys:*'], new Date(Date.now() + 3_600_000))
    const make = (ttl?: string) =>
      api.call('POST', '/v1/keys', { key, body: { name: 'child', scopes: ['keys:read'], ttl } })
    const refused = await make('2h')
    expect(refused.status).toBe(403)
    expect(refused.body.errors).toMatchObject([{ pointer: '/ttl' }])
    expect((await make('30m')).status).toBe(201)

    const child = await make()
    const parents = (await api.call('GET', '/v1/keys')).body.items as { prefix: string; expiresAt: string }[]
    const parent = parents.find(({ prefix }) => key.startsWith(prefix))
    expect(parent?.expiresAt).toMatch(/^2/)
    expect(child.body.expiresAt).toBe(parent?.expiresAt)
  })

  test('rejects an unknown scope', async () => {
    const { body } = await api.call('POST', '/v1/keys', { body: { name: 'x', scopes: ['routes:rea'] } })
    expect(body).toMatchObject({ status: 400, errors: [{ pointer: '/scopes/0' }] })
  })

  test('have 256 random bits, are stored as a hash, and are compared in constant time', () => {
    const keys = Array.from({ length: 100 }, () => createApiKey())
    expect(new Set(keys.map(({ prefix }) => prefix)).size).toBe(100)
    for (const { key, hash } of keys) {
      expect(looksLikeApiKey(key)).toBe(true)
      expect(hashMatches(hashOf(key), hash)).toBe(true)
    }
    const [one, two] = keys
    expect(hashMatches(hashOf(one!.key), two!.hash)).toBe(false)
    expect(hashMatches('0'.repeat(64), undefined)).toBe(false)
    for (const stored of ['', '0', '0'.repeat(63), '0'.repeat(65), 'é'.repeat(64), `${'0'.repeat(64)}\n`]) {
      expect(hashMatches('0'.repeat(64), stored), stored).toBe(false)
    }
  })
})

describe('revoking keys', () => {
  const revoke = (id: string, key?: string, query = '') =>
    api.call('POST', `/v1/keys/${id}/revoke${query}`, key === undefined ? {} : { key })
  const ownId = async () => (await store.adminKeys.findByPrefix(api.adminKey.slice(0, 14)))!.id

  test('a key revokes only keys whose scopes it has too, and itself', async () => {
    const small = await api.key(['keys:write', 'routes:read'])
    const admin = await api.key(['admin'])
    const wider = await api.key(['routes:*'])
    const unknown = await api.key(['journals:write'])
    const equal = await api.key(['routes:read', 'keys:write'])
    for (const target of [admin, wider, unknown]) {
      expect((await revoke(target.id, small.key)).body).toMatchObject({ status: 403, code: 'forbidden' })
      expect((await api.call('GET', '/v1/status', { key: admin.key })).status).toBe(200)
    }
    expect((await revoke(wider.id, small.key)).body.detail).toContain('it lacks routes:*')
    expect((await revoke(equal.id, small.key)).status).toBe(200)
    expect((await revoke(unknown.id)).status).toBe(200)
    expect((await revoke(small.id, small.key)).status).toBe(200)
    expect((await revoke('nope', admin.key)).status).toBe(404)
  })

  test('the last admin key needs force; expired and revoked keys do not count', async () => {
    await api.key(['admin'], new Date(Date.now() - 1000))
    const second = await api.key(['admin'])
    await api.key(['routes:*', 'keys:*'])
    expect((await revoke(second.id)).status).toBe(200)
    const refused = await revoke(await ownId())
    expect(refused.body).toMatchObject({ status: 409, code: 'conflict' })
    expect(refused.body.detail).toContain('plugboard key reset')
    expect((await revoke(second.id)).status).toBe(200)
    expect((await revoke(await ownId(), api.adminKey, '?force=true')).status).toBe(200)
    expect(await store.adminKeys.countActiveAdmins()).toBe(0)
  })

  test.each(['', '?force=true'])(
    'two admin keys that revoke each other at once leave one (%s)',
    async query => {
      for (let round = 0; round < 5; round += 1) {
        await administer(
          database.url,
          'UPDATE plugboard.admin_keys SET revoked_at = now() WHERE revoked_at IS NULL',
        )
        const [one, two] = [await api.key(['admin']), await api.key(['admin'])]
        const responses = await Promise.all([revoke(one.id, two.key, query), revoke(two.id, one.key, query)])
        expect(await store.adminKeys.countActiveAdmins()).toBe(1)
        const refused = responses.filter(({ status }) => status !== 200)
        // This request runs after the other one, which has revoked its key.
        expect(refused.map(({ body }) => body.code as string)).toEqual(['unauthorized'])
      }
    },
  )

  test('a request whose key is revoked meanwhile changes no row', async () => {
    const { key, id } = await api.key(['admin'])
    const release = Promise.withResolvers<void>()
    const slow: Store = {
      ...store,
      adminKeys: {
        ...store.adminKeys,
        create: async (input, by) => {
          if (input.name === 'back door') await release.promise
          return await store.adminKeys.create(input, by)
        },
      },
    }
    const late = await AdminApiHarness.create(slow)
    const response = late.call('POST', '/v1/keys', { key, body: { name: 'back door', scopes: ['admin'] } })
    await store.adminKeys.revoke(id, { actor: 'test' })
    release.resolve()
    expect((await response).body).toMatchObject({ status: 401, code: 'unauthorized' })
  })
})

describe('keys with limits', () => {
  const limits = { services: ['shop-*'], mounts: ['shop.test', '*.shops.test/api'] }
  const scopes = ['routes:*', 'services:*', 'tokens:*', 'keys:*']
  let key: string
  let id: string
  beforeEach(async () => {
    const made = await api.call('POST', '/v1/keys', { body: { name: 'shop', scopes, limits } })
    expect(made.body).toMatchObject({ limits })
    key = made.body.key as string
    id = made.body.id as string
    await store.services.create({ name: 'shop-eu' }, { actor: 'test' })
    await store.services.create({ name: 'bank' }, { actor: 'test' })
  })
  const call = (method: string, path: string, body?: object) =>
    api.call(method, path, { key, ...(body && { body }), headers: { 'if-match': '*' } })
  const refusal = (response: CallResponse) => {
    expect(response.body).toMatchObject({ status: 403, code: 'forbidden' })
    return (response.body.errors as { pointer?: string }[]).map(({ pointer }) => pointer)
  }

  test('are shown, and absent for keys without limits', async () => {
    expect((await call('GET', `/v1/keys/${id}`)).body).toMatchObject({ limits })
    const rows = (await call('GET', '/v1/keys')).body.items as { limits: unknown }[]
    expect(rows.map(row => row.limits)).toEqual([limits, null])
  })

  test('issue tokens only within their limits', async () => {
    const issue = (services: string[], mounts: string[]) =>
      call('POST', '/v1/tokens', { name: 'x', services, mounts })
    expect(
      (await issue(['shop-eu', 'shop-*', 'shop-eu-*'], ['shop.test/a', 'a.shops.test/api/b'])).status,
    ).toBe(201)
    expect((await issue([], ['*.a.shops.test/api'])).status).toBe(201)
    expect(refusal(await issue(['shop-eu', 'bank', '*'], ['*', 'bank.test', 'a.shops.test']))).toEqual([
      '/services/1',
      '/services/2',
      '/mounts/0',
      '/mounts/1',
      '/mounts/2',
    ])
    expect(refusal(await issue(['shop'], []))).toEqual(['/services/0'])
    expect(refusal(await issue([], ['*.shops.test']))).toEqual(['/mounts/0'])
  })

  test('revoke tokens only within their limits', async () => {
    const foreign = await api.call('POST', '/v1/tokens', { body: { name: 'x', services: ['bank'] } })
    const own = await api.call('POST', '/v1/tokens', { body: { name: 'x', services: ['shop-eu'] } })
    refusal(await call('POST', `/v1/tokens/${foreign.body.id}/revoke`))
    expect((await call('POST', `/v1/tokens/${own.body.id}/revoke`)).status).toBe(200)
  })

  test('change routes only if the route is within their limits before and after the change', async () => {
    const bank = await store.routes.create({ mount: 'bank.test', service: 'bank' }, { actor: 'test' })
    const bankId = (await store.services.get('bank')).id
    const create = (mount: string, service: string | null, options = {}) =>
      call('POST', '/v1/routes', { mount, service, options })
    const made = await create('shop.test/a', 'shop-eu')
    expect(made.status).toBe(201)
    expect(refusal(await create('bank.test/a', 'shop-eu'))).toEqual(['/mount'])
    expect(refusal(await create('shop.test/b', 'bank'))).toEqual(['/service'])
    expect(refusal(await create('shop.test/b', bankId))).toEqual(['/service'])
    expect(refusal(await create('*', null, { redirect: { to: 'https://evil.test' } }))).toEqual(['/mount'])
    expect((await create('shop.test/c', null, { redirect: { to: 'https://x.test' } })).status).toBe(201)
    const path = `/v1/routes/${made.body.id}`
    expect(refusal(await call('PATCH', path, { mount: 'bank.test/a' }))).toEqual(['/mount'])
    expect(refusal(await call('PATCH', path, { service: 'bank' }))).toEqual(['/service'])
    expect((await call('PATCH', path, { mount: 'shop.test/d', options: { stripMount: true } })).status).toBe(
      200,
    )
    refusal(await call('PATCH', `/v1/routes/${bank.id}`, { mount: 'shop.test/e', service: 'shop-eu' }))
    refusal(await call('DELETE', `/v1/routes/${bank.id}`))
    expect((await call('DELETE', path)).status).toBe(204)
  })

  test('change services only if the service is within their limits before and after the change', async () => {
    expect((await call('POST', '/v1/services', { name: 'shop-us' })).status).toBe(201)
    expect(refusal(await call('POST', '/v1/services', { name: 'shops' }))).toEqual(['/name'])
    expect(refusal(await call('PATCH', '/v1/services/shop-us', { name: 'bank-2' }))).toEqual(['/name'])
    refusal(await call('PATCH', '/v1/services/bank', { policy: { retries: 0 } }))
    refusal(await call('PATCH', '/v1/services/bank', { name: 'shop-bank' }))
    refusal(await call('DELETE', '/v1/services/bank'))
    expect((await call('PATCH', '/v1/services/shop-us', { name: 'shop-jp' })).status).toBe(200)
    expect((await call('DELETE', '/v1/services/shop-jp')).status).toBe(204)
  })

  test('create and revoke keys only within their limits, and cannot rotate signing keys', async () => {
    const make = (limits?: object | null) =>
      call('POST', '/v1/keys', {
        name: 'x',
        scopes: ['tokens:write'],
        ...(limits !== undefined && { limits }),
      })
    expect((await make()).body).toMatchObject({ limits })
    expect((await make({ services: ['shop-eu'], mounts: [] })).status).toBe(201)
    expect(refusal(await make(null))).toEqual(['/limits'])
    expect(refusal(await make({ services: ['*'], mounts: [] }))).toEqual(['/limits'])
    expect(refusal(await make({ services: [], mounts: ['shops.test'] }))).toEqual(['/limits'])
    const free = await api.key(['tokens:write'])
    expect((await call('POST', `/v1/keys/${free.id}/revoke`)).status).toBe(403)
    expect((await call('POST', '/v1/signing-keys/rotate')).status).toBe(403)
    expect((await call('POST', `/v1/keys/${id}/revoke`)).status).toBe(200)
  })

  test.each([
    [['admin'], { services: ['a'], mounts: [] }, '/limits'],
    [['tokens:write'], { services: ['a', 'A*'], mounts: [] }, '/limits/services/1'],
    [['tokens:write'], { services: [], mounts: ['a.test/..'] }, '/limits/mounts/0'],
    [['tokens:write'], { services: [] }, '/limits/mounts'],
  ])('rejects the scopes %j with the limits %j', async (scopes, limits, pointer) => {
    const { body } = await api.call('POST', '/v1/keys', { body: { name: 'x', scopes, limits } })
    expect(body).toMatchObject({ status: 400, errors: [{ pointer }] })
  })
})

test('signing keys rotate: the newest one signs, all are listed, and private keys are not shown', async () => {
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
  let folder: string
  let file: AdminKeyFile
  const ensure = () => ensureFirstAdminKey({ adminKeys: store.adminKeys, file, clock: systemClock })
  const works = async (key: string | undefined) => (await api.call('GET', '/v1/keys', { key: key! })).status
  const keyCount = async () => (await store.adminKeys.list()).items.length
  beforeEach(async () => {
    // This database does not have the key of the harness.
    await database.drop()
    database = await createTestDatabase()
    store = database.open().store
    folder = await mkdtemp(join(tmpdir(), 'plugboard-first-key-'))
    file = new AdminKeyFile(folder)
  })
  afterEach(() => rm(folder, { recursive: true }))
  const withApi = async () => {
    api = await AdminApiHarness.create(store)
  }

  test('is created in a database that never had a key, and stays', async () => {
    expect(await ensure()).toEqual({ kind: 'created' })
    const key = await file.read()
    expect(await ensure()).toEqual({ kind: 'present', fileKey: 'active' })
    expect(await file.read()).toBe(key)
    await withApi()
    expect(await works(key)).toBe(200)
  })

  test('is not created again after it was revoked, expired or deleted, with or without its file', async () => {
    await ensure()
    const key = (await file.read())!
    const { id } = (await store.adminKeys.findByPrefix(key.slice(0, 14)))!
    await store.adminKeys.revoke(id, { actor: 'test' }, { force: true })
    expect(await ensure()).toEqual({ kind: 'present', fileKey: 'revoked' })
    await rm(file.path)
    expect(await ensure()).toEqual({ kind: 'present', fileKey: 'absent' })
    await administer(database.url, 'DELETE FROM plugboard.admin_keys')
    expect(await ensure()).toEqual({ kind: 'present', fileKey: 'absent' })
    expect(await keyCount()).toBe(0)
  })

  test('is never read from a file, in a new database or in one that has keys', async () => {
    const stale = createApiKey().key
    await mkdir(join(folder, 'secrets'))
    await writeFile(file.path, `${stale}\n`, { mode: 0o644 })
    expect(await ensure()).toEqual({ kind: 'created' })
    expect(await file.read()).not.toBe(stale)
    expect(await readFile(`${file.path}.old`, 'utf8')).toBe(`${stale}\n`)
    await writeFile(file.path, `${stale}\n`)
    expect(await ensure()).toEqual({ kind: 'present', fileKey: 'unknown' })
    await withApi()
    expect(await works(stale)).toBe(401)
  })

  test('is a single key when several replicas start at once', async () => {
    const folders = ['a', 'b', 'c', 'd'].map(name => new AdminKeyFile(join(folder, name)))
    const outcomes = await Promise.all(
      folders.map(each =>
        ensureFirstAdminKey({ adminKeys: store.adminKeys, file: each, clock: systemClock }),
      ),
    )
    expect(outcomes.filter(({ kind }) => kind === 'created')).toHaveLength(1)
    expect(await keyCount()).toBe(1)
    const keys = await Promise.all(folders.map(each => each.read()))
    expect(keys.filter(key => key !== undefined)).toHaveLength(1)
  })

  test('is not lost when the process ends between the database and the file', async () => {
    const killed = new Error('killed')
    const dying: AdminKeyStore = {
      ...store.adminKeys,
      createFirst: async (input, by) => {
        await store.adminKeys.createFirst(input, by)
        throw killed
      },
    }
    await expect(ensureFirstAdminKey({ adminKeys: dying, file, clock: systemClock })).rejects.toBe(killed)
    expect(await file.read()).toBeUndefined()
    expect(await ensure()).toEqual({ kind: 'created' })
    await withApi()
    expect(await works(await file.read())).toBe(200)
    expect(await readdir(join(folder, 'secrets'))).toEqual(['admin.key'])
  })

  test('is discarded when the process ends before the database has it', async () => {
    const killed = new Error('killed')
    const dying = { ...store.adminKeys, createFirst: () => Promise.reject(killed) }
    await expect(ensureFirstAdminKey({ adminKeys: dying, file, clock: systemClock })).rejects.toBe(killed)
    expect(await ensure()).toEqual({ kind: 'created' })
    expect(await keyCount()).toBe(1)
    expect(await readdir(join(folder, 'secrets'))).toEqual(['admin.key'])
  })

  test('is replaced by a reset, which can revoke all other keys', async () => {
    await ensure()
    const first = await file.read()
    await withApi()
    const ci = await api.key(['routes:read'])
    const reset = (revokeOthers: boolean) =>
      resetAdminKey({ adminKeys: store.adminKeys, name: 'reset', revokeOthers, file, actor: 'test' })
    const second = await reset(false)
    expect(await file.read()).toBe(second.key)
    expect([await works(first), await works(second.key)]).toEqual([200, 200])
    const third = await reset(true)
    expect([await works(first), await works(second.key), await works(third.key)]).toEqual([401, 401, 200])
    expect((await api.call('GET', '/v1/routes', { key: ci.key })).status).toBe(200)
    expect(await store.adminKeys.countActiveAdmins()).toBe(1)
  })
})
