// Routes and services over HTTP, on a real database.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AdminApiHarness } from '../../../../test/support/admin-api/admin-api.ts'
import { past } from '../../../../test/support/postgres/past.ts'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres/postgres.ts'
import { asRouteId } from '../../../common/ids/row-ids.ts'
import type { Store } from '../../../database/store/store.ts'

let database: TestDatabase
let store: Store
let api: AdminApiHarness
beforeEach(async () => {
  database = await createTestDatabase()
  store = database.open().store
  api = await AdminApiHarness.create(store)
  await api.call('POST', '/v1/services', { body: { name: 'shop' } })
})
afterEach(() => database.drop())

const addRoute = (mount: string, more: object = {}) =>
  api.call('POST', '/v1/routes', { body: { mount, service: 'shop', ...more } })

describe('routes', () => {
  test('are created, read, changed and deleted', async () => {
    const created = await addRoute('App.Example.com/api/', { options: { stripMount: true } })
    expect(created).toMatchObject({ status: 201, etag: '"1"' })
    expect(created.body).toMatchObject({
      mount: 'app.example.com/api',
      host: 'app.example.com',
      mountPath: '/api',
      service: 'shop',
      options: { stripMount: true },
      claimedBy: null,
      lifetimeSeconds: null,
      lastRequestAt: null,
      lastTelephone: null,
      version: 1,
      deletedAt: null,
    })
    const path = created.headers.get('location')!
    expect((await api.call('GET', path)).body).toEqual(created.body)
    expect((await api.call('GET', '/v1/routes/app.example.com%2Fapi')).body).toEqual(created.body)

    await api.call('POST', '/v1/services', { body: { name: 'shop-v2' } })
    const headers = { 'if-match': created.etag }
    const changed = await api.call('PATCH', path, {
      headers,
      body: { service: 'shop-v2', options: { stripMount: null } },
    })
    expect(changed).toMatchObject({
      status: 200,
      etag: '"2"',
      body: { service: 'shop-v2', options: {}, version: 2 },
    })

    expect((await api.call('DELETE', path, { headers: { 'if-match': changed.etag } })).status).toBe(204)
    expect((await api.call('GET', path)).body).toMatchObject({ code: 'not_found' })
    const deleted = await api.call('GET', `${path}?includeDeleted=true`)
    expect(deleted.body.deletedAt).toMatch(/^\d{4}-/)
  })

  test('without requests are listed, and are deleted only within the limits of the key', async () => {
    await store.routeActivity.record([])
    const used = (await addRoute('used.shop.test')).body
    await addRoute('unused.shop.test')
    await api.call('POST', '/v1/services', { body: { name: 'other' } })
    await addRoute('other.shop.test', { service: 'other' })
    await addRoute('other.test')
    await past(database.url, '2 hours', true)
    await store.routeActivity.record([
      { routeId: asRouteId(used.id as string), servedAgeMs: 1000, telephone: 'laptop' },
    ])
    expect((await api.call('GET', '/v1/routes/used.shop.test')).body).toMatchObject({
      lastTelephone: 'laptop',
      lastRequestAt: expect.stringMatching(/^20/),
    })
    const limits = { services: ['shop'], mounts: ['*.shop.test'] }
    const body = { name: 'limited', scopes: ['routes:*'], limits }
    const { key } = (await api.call('POST', '/v1/keys', { body })).body
    const prune = async (more: object) =>
      (await api.call('POST', '/v1/routes/prune', { key, body: { unusedFor: '1h', ...more } })).body
    const dry = await prune({ dryRun: true })
    expect(dry).toMatchObject({ dryRun: true, more: false })
    expect(dry.recordedSeconds).toBeGreaterThan(7100)
    expect(dry.items.map(({ mount }: { mount: string }) => mount)).toEqual(['unused.shop.test'])
    expect((await prune({})).items).toEqual(dry.items)
    expect((await api.call('GET', '/v1/routes/unused.shop.test')).status).toBe(404)
    expect((await api.call('GET', '/v1/routes')).body.items).toHaveLength(3)
    expect((await prune({ unusedFor: '59m' })).errors).toMatchObject([{ pointer: '/unusedFor' }])
  })

  test('a mount conflict names the other route, the field and the remedy', async () => {
    await addRoute('app.example.com/api')
    const { status, body } = await addRoute('app.example.com/api/v1')
    expect(status).toBe(409)
    expect(body).toMatchObject({ code: 'mount_conflict', errors: [{ pointer: '/mount' }] })
    expect(body.detail).toContain('app.example.com/api')
    expect(body.detail).toMatch(
      /Choose another mount, or delete the other route: plugboard route rm [0-9a-f-]{36}$/,
    )
  })

  test.each([
    ['app.example.com/_plugboard/x', 'mount'],
    ['not a host', 'mount'],
    ['http://app.example.com', 'mount'],
  ])('rejects the mount %j and names its field', async (mount, field) => {
    const { status, body } = await addRoute(mount)
    expect(status).toBe(400)
    expect(body).toMatchObject({ code: 'invalid_request', errors: [{ pointer: `/${field}` }] })
  })

  test('an error names an unknown service', async () => {
    const { body } = await api.call('POST', '/v1/routes', { body: { mount: 'a.test', service: 'nope' } })
    expect(body).toMatchObject({ status: 400, code: 'invalid_request', errors: [{ pointer: '/service' }] })
  })

  test('lists have filters and pages that follow each other', async () => {
    for (const letter of ['a', 'b', 'c', 'd', 'e']) await addRoute(`${letter}.test`)
    await addRoute('e.test/x').then(({ status }) => expect(status).toBe(409))
    const seen: string[] = []
    let path: string | undefined = '/v1/routes?limit=2&service=shop'
    while (path !== undefined) {
      const { body, headers } = await api.call('GET', path)
      seen.push(...(body.items as { mount: string }[]).map(({ mount }) => mount))
      path = /<([^>]+)>; rel="next"/.exec(headers.get('link') ?? '')?.[1]
      expect(path === undefined).toBe(body.next === null)
    }
    expect(seen).toEqual(['a.test', 'b.test', 'c.test', 'd.test', 'e.test'])
    const one = await api.call('GET', '/v1/routes?host=c.test')
    expect(one.body.items).toHaveLength(1)
  })

  test.each([
    ['limit=0', 'limit'],
    ['limit=501', 'limit'],
    ['limit=abc', 'limit'],
    ['cursor=made-up', 'cursor'],
    ['includeDeleted=yes', 'includeDeleted'],
    ['colour=red', 'colour'],
  ])('rejects the query ?%s and names its parameter', async (query, parameter) => {
    const { status, body } = await api.call('GET', `/v1/routes?${query}`)
    expect(status).toBe(400)
    expect(body.errors).toMatchObject([{ parameter }])
  })
})

describe('services', () => {
  test('a policy is merged: keys of the patch change, null removes a key, other keys stay', async () => {
    const policy = { retries: 1, idleTimeoutMs: 5000, hostHeader: { fixed: 'inner.test' } }
    const { etag } = await api.call('POST', '/v1/services', { body: { name: 'web', policy } })
    const { body } = await api.call('PATCH', '/v1/services/web', {
      headers: { 'if-match': etag },
      body: { policy: { retries: 3, idleTimeoutMs: null } },
    })
    expect(body.policy).toEqual({ retries: 3, hostHeader: { fixed: 'inner.test' } })
  })

  test('the keys of a policy must fit together, also after a change of one of them', async () => {
    const hashOn = { status: 400, errors: [{ pointer: '/policy/hashOn' }] }
    for (const policy of [
      { balancing: 'hash' },
      { balancing: 'random', hashOn: 'host' },
      { hashOn: 'host' },
    ]) {
      const { body } = await api.call('POST', '/v1/services', { body: { name: 'web', policy } })
      expect(body).toMatchObject(hashOn)
    }
    const policy = { balancing: 'hash', hashOn: { cookie: 'session' } }
    await api.call('POST', '/v1/services', { body: { name: 'web', policy } })
    const change = async (patch: object) => {
      const request = { headers: { 'if-match': '*' }, body: { policy: patch } }
      return (await api.call('PATCH', '/v1/services/web', request)).body
    }
    expect(await change({ balancing: 'random' })).toMatchObject(hashOn)
    expect(await change({ hashOn: null })).toMatchObject(hashOn)
    expect(await change({ retries: 1 })).toMatchObject({ policy: { ...policy, retries: 1 } })
    expect(await change({ balancing: null, hashOn: null })).toMatchObject({ policy: { retries: 1 } })
  })

  test('an error names each wrong part of a policy', async () => {
    const policy = { retries: 99, balancing: 'best', colour: 'red' }
    const { body } = await api.call('POST', '/v1/services', { body: { name: 'web', policy } })
    const pointers = (body.errors as { pointer: string }[]).map(({ pointer }) => pointer)
    expect(pointers.sort()).toEqual(['/policy/balancing', '/policy/colour', '/policy/retries'])
  })

  test('rejects a used name, and the deletion of a service with routes', async () => {
    const twice = await api.call('POST', '/v1/services', { body: { name: 'shop' } })
    expect(twice.body).toMatchObject({ status: 409, code: 'conflict', errors: [{ pointer: '/name' }] })
    await addRoute('a.test')
    const removed = await api.call('DELETE', '/v1/services/shop', { headers: { 'if-match': '*' } })
    expect(removed.body).toMatchObject({ status: 409, code: 'conflict' })
    expect(removed.body.detail).toContain('a.test')
  })

  test('a search finds parts of names', async () => {
    await api.call('POST', '/v1/services', { body: { name: 'shop-eu' } })
    const { body } = await api.call('GET', '/v1/services?search=eu')
    expect((body.items as { name: string }[]).map(({ name }) => name)).toEqual(['shop-eu'])
  })
})

describe('preconditions', () => {
  test('responds to a matching If-None-Match with 304 and no body', async () => {
    const { etag } = await api.call('GET', '/v1/services/shop')
    for (const tag of [etag, `W/${etag}`, `"9", ${etag}`, '*']) {
      const same = await api.call('GET', '/v1/services/shop', { headers: { 'if-none-match': tag } })
      expect(same).toMatchObject({ status: 304, body: undefined, etag })
    }
    const other = await api.call('GET', '/v1/services/shop', { headers: { 'if-none-match': '"9"' } })
    expect(other.status).toBe(200)
  })

  test.each([
    [undefined, 428, 'precondition_required'],
    ['"7"', 412, 'precondition_failed'],
    ['W/"1"', 412, 'precondition_failed'],
    ['"7", "8"', 412, 'precondition_failed'],
    ['1', 400, 'invalid_request'],
  ])('responds to If-Match %j with %i', async (tag, status, code) => {
    const headers: Record<string, string> = tag === undefined ? {} : { 'if-match': tag }
    const patch = await api.call('PATCH', '/v1/services/shop', { headers, body: { name: 'other' } })
    expect(patch.body).toMatchObject({ status, code })
    const removal = await api.call('DELETE', '/v1/services/shop', { headers })
    expect(removal.body).toMatchObject({ status, code })
    expect((await api.call('GET', '/v1/services/shop')).body.version).toBe(1)
  })

  test.each(['"1"', '*', '"9", "1"'])('accepts a change with If-Match %s', async tag => {
    const headers = { 'if-match': tag }
    const { status } = await api.call('PATCH', '/v1/services/shop', {
      headers,
      body: { policy: { retries: 0 } },
    })
    expect(status).toBe(200)
  })

  test('accepts only one of many changes from the same version', async () => {
    const headers = { 'if-match': '"1"' }
    const responses = await Promise.all(
      Array.from({ length: 20 }, (_, retries) =>
        api.call('PATCH', '/v1/services/shop', { headers, body: { policy: { retries: retries % 10 } } }),
      ),
    )
    const statuses = responses.map(({ status }) => status)
    expect(statuses.filter(status => status === 200)).toHaveLength(1)
    expect(statuses.filter(status => status === 412)).toHaveLength(19)
    expect((await api.call('GET', '/v1/services/shop')).body.version).toBe(2)
  })

  test('merges all concurrent patches of a policy with If-Match *', async () => {
    const keys = ['idleTimeoutMs', 'upgradeIdleTimeoutMs', 'responseHeadTimeoutMs', 'maxStreams']
    const headers = { 'if-match': '*' }
    const responses = await Promise.all(
      keys.map(key => api.call('PATCH', '/v1/services/shop', { headers, body: { policy: { [key]: 7 } } })),
    )
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    const { body } = await api.call('GET', '/v1/services/shop')
    expect(Object.keys(body.policy as object).sort()).toEqual([...keys].sort())
  })
})
