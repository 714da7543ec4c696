// Tests undo and restore over HTTP, with a real Postgres: each kind of change, races, rights and limits.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AdminApiHarness } from '../../../../test/support/admin-api/admin-api.ts'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres/postgres.ts'
import { administer } from '../../../../test/support/postgres/postgres-setup.ts'
import type { Store } from '../../../database/store/store.ts'
import { createApiKey } from '../../access/api-key-format.ts'

let database: TestDatabase
let store: Store
let api: AdminApiHarness
beforeEach(async () => {
  database = await createTestDatabase()
  store = database.open().store
  api = await AdminApiHarness.create(store)
  await api.call('POST', '/v1/services', { body: { name: 'shop', policy: { retries: 1 } } })
})
afterEach(() => database.drop())

const any = { 'if-match': '*' }
const addRoute = async (mount = 'app.test', options: object = { stripMount: true }) =>
  (await api.call('POST', '/v1/routes', { body: { mount, service: 'shop', options } })).body
const change = (path: string, body: object) => api.call('PATCH', path, { body, headers: any })
const remove = (path: string) => api.call('DELETE', path, { headers: any })
const latest = () => store.changes.latest()
const undo = (sequence: number, query = '', key = api.adminKey) =>
  api.call('POST', `/v1/changes/${sequence}/undo${query}`, { key })
const restore = (path: string, key = api.adminKey) => api.call('POST', `${path}/restore`, { key })

async function limitedKey(scopes: readonly string[], limits: { services: string[]; mounts: string[] }) {
  const { key, prefix, hash } = createApiKey()
  await store.adminKeys.create({ name: 'test', prefix, hash, scopes, limits }, { actor: 'test' })
  return key
}

describe('undo', () => {
  test('of a creation deletes the row, and undo of that undo restores it', async () => {
    const { id } = await addRoute()
    const deleted = await undo(await latest())
    expect(deleted.status).toBe(200)
    expect(deleted.body).toMatchObject({
      changes: [{ entity: 'route', entityId: id, action: 'deleted', after: { mount: 'app.test' } }],
      skipped: [],
    })
    expect((await api.call('GET', '/v1/routes/app.test')).status).toBe(404)
    const restored = await undo(await latest())
    expect(restored.body.changes).toMatchObject([{ action: 'restored', before: { mount: 'app.test' } }])
    expect((await api.call('GET', '/v1/routes/app.test')).body).toMatchObject({ id, version: 3 })
  })

  test('of an update writes the previous values of all columns', async () => {
    const before = await addRoute()
    await api.call('POST', '/v1/services', { body: { name: 'other' } })
    await change('/v1/routes/app.test', {
      mount: 'moved.test/x',
      service: 'other',
      options: { stripMount: null, allowHttp: true },
    })
    expect((await undo(await latest())).status).toBe(200)
    const { body } = await api.call('GET', `/v1/routes/${before.id}`)
    expect(body).toMatchObject({ mount: 'app.test', service: 'shop', options: before.options, version: 3 })
  })

  test('of a service writes its name and its policy', async () => {
    await change('/v1/services/shop', { name: 'store', policy: { retries: 3 } })
    expect((await undo(await latest())).status).toBe(200)
    expect((await api.call('GET', '/v1/services/shop')).body.policy).toEqual({ retries: 1 })
    expect((await api.call('GET', '/v1/services/store')).status).toBe(404)
  })

  test('of a deletion without a row creates the row again, with its id and its lifetime', async () => {
    const reference = { kind: 'outside', issuer: 'https://issuer.test', subject: 'ada', id: '1' } as const
    const token = { reference, services: ['*'], mounts: ['*'], maxClaims: 10 }
    const claim = { service: 'claimed', mount: 'claimed.test', lifetimeMs: 60_000, token }
    const { route, service } = await store.claimMount(claim)
    await administer(database.url, 'DELETE FROM plugboard.routes WHERE id = $1', [route.id])
    await administer(database.url, 'DELETE FROM plugboard.services WHERE id = $1', [service.id])
    const alone = await undo((await latest()) - 1)
    expect([alone.status, alone.body.code]).toEqual([409, 'conflict'])
    const { body } = await undo((await latest()) - 1, '?through=latest')
    expect(body.changes).toMatchObject([
      { entity: 'service', entityId: service.id, action: 'created' },
      { entity: 'route', entityId: route.id, action: 'created' },
    ])
    const again = await store.routes.get('claimed.test')
    expect(again).toMatchObject({ id: route.id, lifetimeMs: 60_000, claimedBy: route.claimedBy, version: 2 })
    expect(await store.services.get('claimed')).toMatchObject({ id: service.id, ephemeral: true })
    const rows = await administer(
      database.url,
      'SELECT line_at FROM plugboard.route_activity WHERE route_id = $1',
      [route.id],
    )
    expect(rows).toMatchObject([{ line_at: expect.any(Date) }])
  })

  test('of a row that has changed since gets 412 with the differences', async () => {
    await addRoute()
    const sequence = await latest()
    await change('/v1/routes/app.test', { options: { allowHttp: true, stripMount: null } })
    const { status, body } = await undo(sequence)
    expect([status, body.code]).toEqual([412, 'precondition_failed'])
    expect(body.differences).toEqual([
      { pointer: '/options/stripMount', expected: true, actual: null },
      { pointer: '/options/allowHttp', expected: null, actual: true },
    ])
    expect(body.detail).toContain('/options/stripMount: true → unset')
    await remove('/v1/routes/app.test')
    const gone = (await undo(sequence)).body.differences
    expect(gone).toEqual([{ pointer: '/deletedAt', expected: null, actual: expect.any(String) }])
  })

  test('of an older change works again when the later change is undone', async () => {
    await addRoute('app.test', {})
    await change('/v1/routes/app.test', { options: { stripMount: true } })
    const first = await latest()
    await change('/v1/routes/app.test', { options: { allowHttp: true } })
    expect((await undo(first)).status).toBe(412)
    expect((await undo(first + 1)).status).toBe(200)
    expect((await undo(first)).status).toBe(200)
    expect((await api.call('GET', '/v1/routes/app.test')).body.options).toEqual({})
  })

  test('shows no hash of a password in its differences', async () => {
    const basic = (password: string) => ({ access: { basic: { users: [{ name: 'ada', password }] } } })
    await addRoute('app.test', basic('secret-password-1'))
    const sequence = await latest()
    await change('/v1/routes/app.test', { options: basic('secret-password-2') })
    const { body } = await undo(sequence)
    expect(body.differences).toMatchObject([{ pointer: '/options/access' }])
    expect(JSON.stringify(body)).not.toContain('scrypt')
    expect(JSON.stringify(body)).toContain('***')
  })

  test('fails when the mount or the name is taken now, and changes nothing', async () => {
    await addRoute()
    await remove('/v1/routes/app.test')
    const sequence = await latest()
    await addRoute('app.test')
    const { status, body } = await undo(sequence)
    expect([status, body.code]).toEqual([409, 'mount_conflict'])
    expect(await latest()).toBe(sequence + 1)
  })

  test('of a token, a key or a revocation is refused with the reason', async () => {
    await api.call('POST', '/v1/tokens', { body: { name: 'laptop', services: ['shop'] } })
    const { status, body } = await undo(await latest())
    expect([status, body.code]).toEqual([409, 'conflict'])
    expect(body.detail).toContain('Changes of tokens are final.')
    const { id } = await api.key([])
    await store.adminKeys.revoke(id, { actor: 'test' })
    expect((await undo(await latest())).body.detail).toContain('Changes of API keys are final.')
  })

  test('of a change that does not exist gets 404', async () => {
    expect((await undo((await latest()) + 1)).status).toBe(404)
    expect((await undo(0)).status).toBe(404)
    expect((await undo(999_999_999_999_999, '?through=latest')).status).toBe(404)
    expect((await undo(await latest(), '?through=999999999999999')).status).toBe(400)
    expect((await undo(await latest(), '?through=1')).status).toBe(400)
    expect((await undo(await latest(), '?through=newest')).status).toBe(400)
  })

  test('at most one of two undos at once has an effect', async () => {
    const { id } = await addRoute()
    const sequence = await latest()
    const results = await Promise.all([undo(sequence), undo(sequence), undo(sequence)])
    expect(results.map(({ status }) => status).sort()).toEqual([200, 412, 412])
    const { items } = await store.changes.list({ routeId: id })
    expect(items.map(({ action }) => action)).toEqual(['deleted', 'created'])
  })

  test('against a write at the same time: the row has the change, or the undo, never a mixture', async () => {
    for (let round = 0; round < 5; round += 1) {
      const mount = `h${round}.test`
      const { etag } = await api.call('POST', '/v1/routes', { body: { mount, service: 'shop' } })
      const changed = await change(`/v1/routes/${mount}`, { options: { stripMount: true } })
      const sequence = await latest()
      const [undone, written] = await Promise.all([
        undo(sequence),
        api.call('PATCH', `/v1/routes/${mount}`, {
          body: { options: { allowHttp: true } },
          headers: { 'if-match': changed.etag },
        }),
      ])
      const { options } = (await api.call('GET', `/v1/routes/${mount}`)).body
      expect(etag).not.toBe(changed.etag)
      if (undone.status === 200) expect([written.status, options]).toEqual([412, {}])
      else {
        expect([undone.status, written.status]).toEqual([412, 200])
        expect(options).toEqual({ stripMount: true, allowHttp: true })
      }
    }
  })
})

describe('undo of a range', () => {
  test('undoes the newest change first, in one transaction, and skips final changes', async () => {
    const start = await latest()
    await api.call('POST', '/v1/services', { body: { name: 'blog' } })
    await api.call('POST', '/v1/routes', { body: { mount: 'blog.test', service: 'blog' } })
    const { id } = await api.key([])
    await change('/v1/routes/blog.test', { mount: 'blog.test/new' })
    await api.call('POST', '/v1/routes', { body: { mount: 'blog.test/old', service: 'shop' } })
    const { status, body } = await undo(start + 1, '?through=latest')
    expect(status).toBe(200)
    expect(body.skipped).toMatchObject([{ sequence: start + 3 }])
    const done = (body.changes as { entity: string; action: string }[]).map(({ entity, action }) => [
      entity,
      action,
    ])
    expect(done).toEqual([
      ['route', 'deleted'],
      ['route', 'updated'],
      ['route', 'deleted'],
      ['service', 'deleted'],
    ])
    expect((await store.routes.list()).items).toEqual([])
    expect((await store.adminKeys.get(id)).revokedAt).toBeNull()
  })

  test('changes nothing when one row has changed since', async () => {
    const start = await latest()
    await addRoute('a.test')
    await addRoute('b.test')
    const end = await latest()
    await change('/v1/routes/a.test', { options: { allowHttp: true } })
    const { status, body } = await undo(start + 1, `?through=${end}`)
    expect([status, body.differences]).toMatchObject([412, [{ pointer: '/options/allowHttp' }]])
    expect((await store.routes.list()).items).toHaveLength(2)
    expect(await latest()).toBe(end + 1)
  })
})

describe('rights', () => {
  test('an undo needs the write scope of the area of the row, and no other', async () => {
    await addRoute()
    const sequence = await latest()
    const { key: services } = await api.key(['services:*', 'changes:read'])
    const refused = await undo(sequence, '', services)
    expect([refused.status, refused.body.detail]).toEqual([403, 'The API key lacks the scope routes:write.'])
    const { key: routes } = await api.key(['routes:write'])
    expect((await undo(sequence, '?through=latest', services)).status).toBe(403)
    expect((await undo(sequence, '', routes)).status).toBe(200)
    const changed = await undo(sequence, '', routes)
    expect([changed.status, changed.body.differences]).toEqual([412, undefined])
    expect(changed.body.detail).not.toContain('deletedAt')
  })

  test('an undo stays within the limits of the key, before and after', async () => {
    await addRoute('app.test')
    await change('/v1/routes/app.test', { mount: 'mine.test' })
    const sequence = await latest()
    const key = await limitedKey(['routes:*'], { services: ['shop'], mounts: ['mine.test'] })
    expect(
      (await undo(sequence, '', key)).body.detail.match(/The mount app.test is beyond the limits/g),
    ).toHaveLength(1)
    const wide = await limitedKey(['routes:*'], { services: ['*'], mounts: ['mine.test', 'app.test'] })
    expect((await undo(sequence, '', wide)).status).toBe(200)
    await change('/v1/services/shop', { policy: { retries: 2 } })
    const newest = await latest()
    const other = await limitedKey(['services:*'], { services: ['blog'], mounts: [] })
    expect((await undo(newest, '', other)).body.detail).toContain('The service shop is beyond')
  })
})

describe('restore', () => {
  test('makes a deleted route live again, by id or by mount', async () => {
    const { id } = await addRoute()
    await remove('/v1/routes/app.test')
    const byMount = await restore('/v1/routes/app.test')
    expect([byMount.status, byMount.body, byMount.etag]).toMatchObject([200, { id, deletedAt: null }, '"3"'])
    await remove('/v1/routes/app.test')
    expect((await restore(`/v1/routes/${id}`)).body).toMatchObject({ id, mount: 'app.test', service: 'shop' })
    const again = await restore(`/v1/routes/${id}`)
    expect([again.status, again.body.detail]).toEqual([409, 'The route app.test is not deleted.'])
    expect((await restore('/v1/routes/other.test')).status).toBe(404)
  })

  test('fails when the mount is taken, or the service is deleted', async () => {
    const { id } = await addRoute()
    await remove('/v1/routes/app.test')
    await addRoute('app.test/api')
    expect((await restore(`/v1/routes/${id}`)).body).toMatchObject({ status: 409, code: 'mount_conflict' })
    await remove('/v1/routes/app.test%2Fapi')
    await remove('/v1/services/shop')
    const { body } = await restore(`/v1/routes/${id}`)
    expect(body).toMatchObject({ status: 409, code: 'conflict' })
    expect(body.detail).toContain('Service "shop" has been deleted.')
    expect((await restore('/v1/services/shop')).body).toMatchObject({ name: 'shop', policy: { retries: 1 } })
    expect((await restore(`/v1/routes/${id}`)).status).toBe(200)
  })

  test('of a service fails when another service has its name or alias', async () => {
    const { body } = await api.call('GET', '/v1/services/shop')
    await remove('/v1/services/shop')
    await api.call('POST', '/v1/services', { body: { name: 'blog', policy: { aliases: ['shop'] } } })
    expect((await restore(`/v1/services/${body.id}`)).body).toMatchObject({ status: 409, code: 'conflict' })
    expect((await restore('/v1/services/blog')).body.detail).toBe('The service blog is not deleted.')
  })

  test('stays within the limits of the key', async () => {
    const { id } = await addRoute()
    await remove('/v1/routes/app.test')
    const key = await limitedKey(['routes:*'], { services: ['*'], mounts: ['other.test'] })
    expect((await restore(`/v1/routes/${id}`, key)).status).toBe(403)
    const { key: reader } = await api.key(['routes:read'])
    expect((await restore(`/v1/routes/${id}`, reader)).status).toBe(403)
  })
})
