import type { VeraError } from '@vera-stack/shared/errors.ts'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findRoute } from '../../../test/support/postgres/find-route.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { asTokenId } from '../../common/ids/row-ids.ts'
import type { Page, PageRequest, Store, Token } from './store.ts'

let db: TestDatabase
let store: Store
const by = { actor: 'test' }

beforeAll(async () => {
  db = await createTestDatabase()
  store = db.open().store
})
afterAll(() => db.drop())

/** Resolves with the VeraError of a promise that must reject. */
async function failure(work: Promise<unknown>): Promise<VeraError> {
  return await work.then(
    () => expect.fail('it worked'),
    (error: VeraError) => error,
  )
}

async function allPages<Row>(
  list: (request: PageRequest) => Promise<Page<Row>>,
  limit: number,
): Promise<Row[]> {
  const rows: Row[] = []
  let cursor: string | undefined
  do {
    const page = await list({ limit, cursor })
    rows.push(...page.items)
    cursor = page.nextCursor
  } while (cursor !== undefined)
  return rows
}

describe('services', () => {
  test('a service is created, found by name and id, changed and deleted', async () => {
    const created = await store.services.create({ name: 'shop', policy: { retries: 1 } }, by)
    expect(created).toMatchObject({ name: 'shop', policy: { retries: 1 }, version: 1, deletedAt: null })
    expect(await store.services.get('shop')).toEqual(created)
    expect(await store.services.get(created.id)).toEqual(created)
    const changed = await store.services.update('shop', { name: 'store' }, { ...by, ifVersion: 1 })
    expect(changed).toMatchObject({ name: 'store', version: 2, policy: { retries: 1 } })
    const removed = await store.services.remove('store', { ...by, ifVersion: 2 })
    expect(removed.deletedAt).toBeInstanceOf(Date)
    expect(await store.services.find('store')).toBeUndefined()
    expect(await failure(store.services.remove('store', by))).toMatchObject({ code: 'not_found' })
    expect(await store.services.get(created.id)).toEqual(removed)
  })

  test('a name is unique among services that are not deleted, and free after a deletion', async () => {
    const first = await store.services.create({ name: 'unique' }, by)
    expect(await failure(store.services.create({ name: 'unique' }, by))).toMatchObject({
      code: 'conflict',
      field: 'name',
    })
    await store.services.remove(first.id, by)
    const second = await store.services.create({ name: 'unique' }, by)
    expect(second.id).not.toBe(first.id)
    expect(await store.services.get('unique')).toEqual(second)
  })

  test('a change with a stale version is rejected', async () => {
    await store.services.create({ name: 'stale' }, by)
    await store.services.update('stale', { policy: { retries: 2 } }, by)
    const stale = { ...by, ifVersion: 1 }
    for (const work of [
      () => store.services.update('stale', { policy: {} }, stale),
      () => store.services.update('stale', {}, stale),
      () => store.services.remove('stale', stale),
    ]) {
      expect(await failure(work())).toMatchObject({ code: 'precondition_failed' })
    }
    expect(await store.services.get('stale')).toMatchObject({ policy: { retries: 2 }, version: 2 })
    expect(await store.services.update('stale', {}, { ...by, ifVersion: 2 })).toMatchObject({ version: 2 })
  })

  test('invalid names are rejected with the name of the field', async () => {
    for (const name of ['', 'A', 'a b', crypto.randomUUID(), 'nul\0']) {
      expect(await failure(store.services.create({ name }, by))).toMatchObject({
        code: 'invalid_request',
        field: 'name',
      })
    }
    expect(await store.services.find('nul\0').catch((error: VeraError) => error.code)).toBe('invalid_request')
  })

  test('pages contain every row once, in order, while rows are inserted and deleted', async () => {
    const names = Array.from({ length: 25 }, (_, index) => `page-${String(index).padStart(2, '0')}`)
    for (const name of names) await store.services.create({ name }, by)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await store.services.list({ q: 'page-', limit: 10, cursor })
      seen.push(...page.items.map(service => service.name))
      cursor = page.nextCursor
      // Inserts a row that sorts before all rows read so far, and deletes the last row that was read.
      await store.services.create({ name: `a-page-${seen.length}` }, by)
      await store.services.remove(seen.at(-1)!, by)
    } while (cursor !== undefined)
    expect(seen).toEqual(names)
    expect(await failure(store.services.list({ cursor: 'garbage' }))).toMatchObject({ field: 'cursor' })
    for (const limit of [0, 501, 1.5]) {
      expect(await failure(store.services.list({ limit }))).toMatchObject({ field: 'limit' })
    }
  })
})

describe('routes', () => {
  test('a route is created, found by mount and id, moved and deleted', async () => {
    const service = await store.services.create({ name: 'routed' }, by)
    const created = await store.routes.create(
      { mount: 'R.test/api/', service: 'routed', options: { stripMount: true } },
      by,
    )
    expect(created).toMatchObject({
      mount: 'r.test/api',
      host: 'r.test',
      mountPath: '/api',
      serviceId: service.id,
      serviceName: 'routed',
      options: { stripMount: true },
      version: 1,
      claimedBy: null,
    })
    expect(await store.routes.get('r.test/api')).toEqual(created)
    expect(await store.routes.get(created.id)).toEqual(created)
    const other = await store.services.create({ name: 'routed-2' }, by)
    const moved = await store.routes.update(
      created.id,
      { mount: '*.r.test', service: other.id },
      { ...by, ifVersion: 1 },
    )
    expect(moved).toMatchObject({ mount: '*.r.test', serviceName: 'routed-2', version: 2 })
    expect(await failure(store.services.remove('routed-2', by))).toMatchObject({
      code: 'conflict',
      message: `Service "routed-2" still has 1 route(s). Route ${created.id} mounts *.r.test.`,
    })
    expect(await failure(store.routes.remove(created.id, { ...by, ifVersion: 1 }))).toMatchObject({
      code: 'precondition_failed',
    })
    await store.routes.remove('*.r.test', by)
    expect(await findRoute(store, '*.r.test')).toBeUndefined()
    await store.services.remove('routed-2', by)
  })

  test('names the other route and the remedy when a mount lies on, above or beneath another one', async () => {
    await store.services.create({ name: 'terminal' }, by)
    const { id } = await store.routes.create({ mount: 't.test/a/b', service: 'terminal' }, by)
    for (const [mount, how] of [
      ['t.test/a/b', 'is mounted already'],
      ['t.test/a/b/c', 'lies beneath t.test/a/b'],
      ['t.test', 'lies above t.test/a/b'],
    ]) {
      expect(await failure(store.routes.create({ mount: mount!, service: 'terminal' }, by))).toMatchObject({
        code: 'mount_conflict',
        field: 'mount',
        message:
          `${mount} ${how}. Route ${id} mounts t.test/a/b for service "terminal". ` +
          `Choose another mount, or delete the other route: plugboard route rm ${id}`,
      })
    }
  })

  test('invalid mounts and services are rejected with the name of the field', async () => {
    expect(
      await failure(store.routes.create({ mount: 'h/_plugboard/x', service: 'terminal' }, by)),
    ).toMatchObject({
      code: 'invalid_request',
      field: 'mount',
    })
    expect(await failure(store.routes.create({ mount: 'h', service: 'nobody' }, by))).toMatchObject({
      code: 'invalid_request',
      field: 'service',
    })
    expect(await failure(store.routes.get('http://h'))).toMatchObject({
      code: 'invalid_request',
      field: 'mount',
    })
  })

  test('lists by host and by service, in pages', async () => {
    await store.services.create({ name: 'listed' }, by)
    for (const host of ['l1.test', 'l2.test']) {
      for (const path of ['/c', '/a', '/b'])
        await store.routes.create({ mount: host + path, service: 'listed' }, by)
    }
    const mounts = (routes: readonly { mount: string }[]) => routes.map(route => route.mount)
    const all = await allPages(request => store.routes.list({ ...request, service: 'listed' }), 2)
    expect(mounts(all)).toEqual([
      'l1.test/a',
      'l1.test/b',
      'l1.test/c',
      'l2.test/a',
      'l2.test/b',
      'l2.test/c',
    ])
    expect(mounts((await store.routes.list({ host: 'l2.test' })).items)).toEqual(mounts(all).slice(3))
  })
})

describe('claims', () => {
  const scope = { services: ['dev-*'], mounts: ['*.dev.test'] }
  const ownId = crypto.randomUUID()
  const token = { ...scope, reference: { kind: 'own', id: asTokenId(ownId) }, maxClaims: 100 } as const
  beforeAll(() => store.tokens.create({ ...scope, id: asTokenId(ownId), name: 'dev', ttlSeconds: 60 }, by))

  test('service and route are created once, also by many claims at the same time', async () => {
    const claim = { service: 'dev-a', mount: 'a.dev.test/x', token }
    const claims = await Promise.all(Array.from({ length: 10 }, () => store.claimMount(claim)))
    expect(claims.filter(({ created }) => created)).toHaveLength(1)
    expect(new Set(claims.map(({ route }) => route.id)).size).toBe(1)
    const before = await store.changes.latest()
    expect(await store.claimMount(claim)).toMatchObject({
      created: false,
      service: { name: 'dev-a' },
      route: { mount: 'a.dev.test/x', claimedBy: ownId },
    })
    expect(await store.changes.latest()).toBe(before)
    expect((await store.changes.list({ limit: 1 })).items[0]!.actor).toBe(`token:${ownId}`)
  })

  test('a claim of the mount of another service, or of one under it, is a conflict that names that mount', async () => {
    const { route } = await store.claimMount({ service: 'dev-b', mount: 'b.dev.test/x', token })
    for (const mount of ['b.dev.test/x', 'b.dev.test/x/y', 'b.dev.test']) {
      const error = await failure(store.claimMount({ service: 'dev-c', mount, token }))
      expect(error).toMatchObject({ code: 'mount_conflict', field: 'mount' })
      expect(error.message).toContain(`Route ${route.id} of b.dev.test/x mounts it for service "dev-b"`)
      expect(error.message).toContain(`plugboard route rm ${route.id}`)
    }
    expect(await store.services.find('dev-c')).toBeUndefined()
  })

  test('the error names the route and its service only for a token that covers one of them', async () => {
    const { route } = await store.claimMount({ service: 'dev-secret', mount: 'c.dev.test', token })
    const narrow = { ...token, services: ['other'], mounts: ['c.dev.test/t1'] }
    const claim = { service: 'other', mount: 'c.dev.test/t1', token: narrow }
    const error = await failure(store.claimMount(claim))
    expect(error).toMatchObject({ code: 'mount_conflict', field: 'mount' })
    expect(error.message).toBe(
      'Mount c.dev.test/t1 is not free, because it lies beneath the mount c.dev.test. ' +
        'The token does not cover that route. Choose another mount, or ask an administrator of this Plugboard.',
    )
    const holder = { ...narrow, services: ['other', 'dev-secret'] }
    expect((await failure(store.claimMount({ ...claim, token: holder }))).message).toContain(route.id)
  })

  test('a claim outside of the scope, or with an empty scope, is forbidden', async () => {
    const forbidden = { code: 'forbidden' }
    expect(await failure(store.claimMount({ service: 'prod', mount: 'a.dev.test', token }))).toMatchObject(
      forbidden,
    )
    expect(await failure(store.claimMount({ service: 'dev-x', mount: 'a.test', token }))).toMatchObject(
      forbidden,
    )
    const empty = { ...token, services: [], mounts: [] }
    expect(
      await failure(store.claimMount({ service: 'dev-x', mount: 'x.dev.test', token: empty })),
    ).toMatchObject(forbidden)
  })

  test('a claim with a revoked token creates no service and no route', async () => {
    const { id } = await store.tokens.create(
      { name: 'r', services: ['*'], mounts: ['*'], ttlSeconds: 60 },
      by,
    )
    await store.tokens.revoke(id, by)
    const claimWith = (own: string) =>
      store.claimMount({
        service: 'dev-r',
        mount: 'r.dev.test',
        token: { ...token, reference: { kind: 'own', id: asTokenId(own) } },
      })
    expect(await failure(claimWith(id))).toMatchObject({ code: 'token_revoked' })
    expect(await failure(claimWith(crypto.randomUUID()))).toMatchObject({ code: 'token_revoked' })
  })

  test('an outside token with the id of one of our tokens claims for its own subject', async () => {
    await store.tokens.revoke(asTokenId(ownId), by)
    const outside = { kind: 'outside', issuer: 'https://id.test', subject: 'device 7', id: ownId } as const
    const holder = 'https://id.test#sub:device%207'
    const claim = {
      service: 'dev-o',
      mount: 'o.dev.test',
      token: { ...scope, reference: outside, maxClaims: 9 },
    }
    expect(await store.claimMount(claim)).toMatchObject({ created: true, route: { claimedBy: holder } })
    const { items } = await store.changes.list({ limit: 1 })
    expect(items[0]!.actor).toBe(`token:${holder}`)
  })

  describe('at the limit of the token', () => {
    const mounts = (host: string, count: number) =>
      Array.from({ length: count }, (_, index) => `${host}/${index}`)
    const claimAll = (host: string, count: number, token: Parameters<Store['claimMount']>[0]['token']) =>
      Promise.allSettled(
        mounts(host, count).map(mount => store.claimMount({ service: 'dev-limit', mount, token })),
      )
    const claimedBy = async (holder: string) =>
      (await store.tokens.claimCounts([asTokenId(holder)])).get(asTokenId(holder)) ?? 0

    test('concurrent claims are counted one by one, and a claim above the limit is rejected with the reason', async () => {
      const { id } = await store.tokens.create(
        { ...scope, name: 'limited', ttlSeconds: 60, maxClaims: 3 },
        by,
      )
      const token = { ...scope, reference: { kind: 'own', id: asTokenId(id) }, maxClaims: 100 } as const
      const outcomes = await claimAll('limit.dev.test', 10, token)
      const refused = outcomes.flatMap(each => (each.status === 'rejected' ? [each.reason as VeraError] : []))
      expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['token_claim_limit']))
      expect([refused.length, await claimedBy(id)]).toEqual([7, 3])
      expect(refused[0]?.message).toBe(
        `Token ${id} has claimed all 3 routes of its limit. Delete routes that it no longer needs, or raise the limit (token issue --max-claims, tokenMaxClaims).`,
      )
    })

    test('its claimed routes are still found, and a deleted route does not count', async () => {
      const { id } = await store.tokens.create(
        { ...scope, name: 'limited', ttlSeconds: 60, maxClaims: 1 },
        by,
      )
      const token = { ...scope, reference: { kind: 'own', id: asTokenId(id) }, maxClaims: 100 } as const
      const claim = (mount: string) => store.claimMount({ service: 'dev-room', mount, token })
      await claim('room.dev.test/a')
      expect(await claim('room.dev.test/a')).toMatchObject({ created: false })
      expect(await failure(claim('room.dev.test/b'))).toMatchObject({ code: 'token_claim_limit' })
      await store.routes.remove('room.dev.test/a', by)
      expect(await claim('room.dev.test/b')).toMatchObject({ created: true })
    })

    test('a token without its own limit has the default, and an outside token has the limit of the caller', async () => {
      const { id } = await store.tokens.create({ ...scope, name: 'default', ttlSeconds: 60 }, by)
      const own = { ...scope, reference: { kind: 'own', id: asTokenId(id) }, maxClaims: 2 } as const
      await claimAll('default.dev.test', 4, own)
      expect(await claimedBy(id)).toBe(2)
      const subject = (jti: string) =>
        ({ kind: 'outside', issuer: 'https://id.test', subject: 'x', id: jti }) as const
      await claimAll('outside.dev.test', 2, { ...scope, reference: subject('1'), maxClaims: 3 })
      // A renewed token has the same subject, so the claims before count.
      await claimAll('renewed.dev.test', 2, { ...scope, reference: subject('2'), maxClaims: 3 })
      expect(await claimedBy('https://id.test#sub:x')).toBe(3)
    })

    test('a rejected claim creates no service', async () => {
      const { id } = await store.tokens.create({ ...scope, name: 'none', ttlSeconds: 60, maxClaims: 0 }, by)
      const token = { ...scope, reference: { kind: 'own', id: asTokenId(id) }, maxClaims: 100 } as const
      const claim = { service: 'dev-nothing', mount: 'nothing.dev.test', token }
      expect(await failure(store.claimMount(claim))).toMatchObject({ code: 'token_claim_limit' })
      expect(await store.services.find('dev-nothing')).toBeUndefined()
    })
  })

  test('a mount whose host looks like an id is claimed once, and found again', async () => {
    const reference = { kind: 'outside', issuer: 'https://id.test', subject: 's', id: '1' } as const
    const mount = crypto.randomUUID()
    const token = { services: ['*'], mounts: ['*'], reference, maxClaims: 9 }
    const claim = { service: 'dev-u', mount, token }
    expect(await store.claimMount(claim)).toMatchObject({ created: true, route: { mount } })
    expect(await store.claimMount(claim)).toMatchObject({ created: false, route: { mount } })
  })
})

describe('tokens', () => {
  test('a token is issued, renewed, seen and revoked', async () => {
    const id = asTokenId(crypto.randomUUID())
    const input = { id, name: 'laptop', services: ['shop'], mounts: ['*'], ttlSeconds: 3_600 }
    const token = await store.tokens.create(input, by)
    expect(token).toMatchObject({ ...input, version: 1, revokedAt: null, lastSeenAt: null })
    expect(Math.abs(token.expiresAt.getTime() - token.createdAt.getTime() - 3_600_000)).toBeLessThan(1_000)
    const before = await store.changes.latest()
    expect((await store.tokens.renew(asTokenId(id))).expiresAt.getTime()).toBeGreaterThanOrEqual(
      token.expiresAt.getTime(),
    )
    await store.tokens.touch(asTokenId(id))
    await store.tokens.touch(asTokenId('of-an-outside-issuer'))
    expect((await store.tokens.get(asTokenId(id))).lastSeenAt).toBeInstanceOf(Date)
    expect(await store.changes.latest()).toBe(before)
    const revoked = await store.tokens.revoke(asTokenId(id), by)
    expect(revoked.revokedAt).toBeInstanceOf(Date)
    expect(await store.tokens.revoke(asTokenId(id), by)).toEqual(revoked)
    expect(await failure(store.tokens.renew(asTokenId(id)))).toMatchObject({ code: 'token_revoked' })
    expect(await failure(store.tokens.renew(asTokenId(crypto.randomUUID())))).toMatchObject({
      code: 'not_found',
    })
  })

  test('pages have the newest token first, and can have active tokens only', async () => {
    const names = Array.from({ length: 7 }, (_, index) => `list-${index}`)
    const created: Token[] = []
    for (const name of names) {
      const token = await store.tokens.create({ name, services: [], mounts: [], ttlSeconds: 60 }, by)
      created.push(token)
      if (name === 'list-3') await store.tokens.revoke(token.id, by)
    }
    // Two tokens of one millisecond come in the order of their random ids.
    created.sort((one, other) => {
      const later = other.createdAt.getTime() - one.createdAt.getTime()
      return later === 0 ? (other.id < one.id ? -1 : 1) : later
    })
    const newestFirst = created.map(({ name }) => name)
    const listed = async (active: boolean) =>
      (await allPages(request => store.tokens.list({ ...request, active }), 3))
        .map(token => token.name)
        .filter(name => name.startsWith('list-'))
    expect(await listed(false)).toEqual(newestFirst)
    expect(await listed(true)).toEqual(newestFirst.filter(name => name !== 'list-3'))
  })
})

describe('keys', () => {
  const newKey = (kid: string) => ({ kid, publicJwk: { kid }, privateJwk: { kid, d: 'secret' } })
  const unwanted = () => Promise.reject(new Error('a second key was created'))

  test('replicas that start together end with one signing key', async () => {
    let made = 0
    const generate = async () => newKey(`ensure-${++made}`)
    const keys = await Promise.all(Array.from({ length: 8 }, () => store.signingKeys.ensure(generate, by)))
    expect(new Set(keys.map(({ kid }) => kid)).size).toBe(1)
    expect(await store.signingKeys.ensure(unwanted, by)).toEqual(keys[0])
    expect(keys[0]!.privateJwk).toMatchObject({ d: 'secret' })
  })

  test('rotation retires the old key, which still verifies tokens until it is removed', async () => {
    const old = await store.signingKeys.ensure(unwanted, by)
    await store.signingKeys.rotate(newKey('rotated'), by)
    expect((await store.signingKeys.ensure(unwanted, by)).kid).toBe('rotated')
    const listed = await store.signingKeys.list()
    expect(listed.map(({ kid, retiredAt }) => [kid, retiredAt === null])).toEqual([
      ['rotated', true],
      [old.kid, false],
    ])
    expect(JSON.stringify(listed)).not.toContain('secret')
    await store.signingKeys.remove(old.kid, by)
    expect(await failure(store.signingKeys.remove(old.kid, by))).toMatchObject({ code: 'not_found' })
  })

  test('only the check of a credential gets the hash of an admin key', async () => {
    const input = { name: 'ci', prefix: 'vk_abcd', hash: 'the-hash', scopes: ['routes:write'] }
    const key = await store.adminKeys.create(input, by)
    expect(key).toMatchObject({ name: 'ci', scopes: ['routes:write'], expiresAt: null, revokedAt: null })
    expect(await failure(store.adminKeys.create(input, by))).toMatchObject({
      code: 'conflict',
      field: 'prefix',
    })
    await store.adminKeys.touch(key.id)
    expect(await store.adminKeys.findByPrefix('vk_abcd')).toMatchObject({ id: key.id, hash: 'the-hash' })
    expect(await store.adminKeys.findByPrefix('vk_none')).toBeUndefined()
    const revoked = await store.adminKeys.revoke(key.id, by)
    expect(revoked.lastUsedAt).toBeInstanceOf(Date)
    expect(await store.adminKeys.revoke(key.id, by)).toEqual(revoked)
    expect((await store.adminKeys.list({ active: true })).items).toEqual([])
    const shown = [key, revoked, await store.adminKeys.get(key.id), (await store.adminKeys.list()).items]
    expect(JSON.stringify(shown)).not.toContain('the-hash')
  })
})

describe('changes', () => {
  test('have the actor, the action, and the row before and after in the form of the API', async () => {
    const service = await store.services.create({ name: 'logged' }, { actor: 'admin-key:1' })
    const route = await store.routes.create(
      { mount: 'logged.test/a', service: 'logged' },
      { actor: 'admin-key:2' },
    )
    await store.routes.update(route.id, { mount: 'logged.test/b' }, { actor: 'admin-key:2' })
    const { items } = await store.changes.list({ entities: ['route'], entityId: route.id })
    expect(items).toMatchObject([
      { action: 'updated', before: { mountPath: '/a', version: 1 }, after: { mountPath: '/b', version: 2 } },
      {
        action: 'created',
        actor: 'admin-key:2',
        before: null,
        after: { serviceId: service.id, deletedAt: null },
      },
    ])
    expect(await store.changes.list({ actor: 'admin-key:1' })).toMatchObject({
      items: [{ entityId: service.id }],
    })
    const latest = await store.changes.latest()
    expect(items[0]!.sequence).toBe(latest)
    expect((await store.changes.after(latest - 2)).map(({ sequence }) => sequence)).toEqual([
      latest - 1,
      latest,
    ])
  })

  test('have no gap in their sequences after a failed transaction', async () => {
    const before = await store.changes.latest()
    await failure(store.services.create({ name: 'logged' }, by))
    await failure(store.routes.create({ mount: 'logged.test/b/c', service: 'logged' }, by))
    expect(await store.changes.latest()).toBe(before)
    await store.services.create({ name: 'logged-2' }, by)
    expect(await store.changes.latest()).toBe(before + 1)
  })

  test('have pages from the newest to the first, and pruning keeps the newest', async () => {
    const latest = await store.changes.latest()
    const all = await allPages(request => store.changes.list(request), 50)
    expect(all.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: latest }, (_, index) => latest - index),
    )
    expect(await store.changes.prune(10)).toBe(latest - 10)
    expect((await store.changes.list()).items).toHaveLength(10)
    expect(await store.changes.latest()).toBe(latest)
  })
})

describe('replicas', () => {
  const row = {
    id: asReplicaId('one'),
    incarnation: '000000001-a',
    startedAt: new Date(1000),
    address: 'http://h:1',
  }
  const more = { publicUrl: null, version: '1', state: 'ready', appliedSequence: 3 } as const

  test('each heartbeat writes its own row and reads all rows, and a later start owns the row', async () => {
    const first = await store.replicas.beat({ ...row, ...more })
    expect(first.current).toBe(true)
    expect(first.rows).toEqual([
      { ...row, ...more, heartbeat: expect.any(String), heartbeatAgeMs: expect.any(Number) },
    ])
    expect(first.rows[0]?.heartbeatAgeMs).toBeLessThan(10_000)
    await store.replicas.beat({ ...row, ...more, id: asReplicaId('two'), publicUrl: 'http://two' })
    const later = { ...row, ...more, incarnation: '000000002-a', state: 'leaving' as const }
    expect((await store.replicas.beat(later)).rows).toMatchObject([{ state: 'leaving' }, { id: 'two' }])
    const stale = await store.replicas.beat({ ...row, ...more })
    expect([stale.current, stale.rows[0]?.incarnation]).toEqual([false, later.incarnation])
    await store.replicas.remove(asReplicaId('one'), row.incarnation)
    await store.replicas.remove(asReplicaId('two'), row.incarnation)
    expect((await store.replicas.beat(later)).rows).toHaveLength(1)
    await store.replicas.remove(asReplicaId('one'), later.incarnation)
  })

  test('a start with a clock that was set back takes the row of a dead replica with a later start', async () => {
    const later = { ...row, ...more, incarnation: '000000002-a' }
    await store.replicas.beat(later)
    expect((await store.replicas.beat({ ...row, ...more })).current).toBe(false)
    const client = new pg.Client({ connectionString: db.url })
    await client.connect()
    await client.query("UPDATE plugboard.replicas SET heartbeat_at = heartbeat_at - interval '3 seconds'")
    await client.end()
    const taken = await store.replicas.beat({ ...row, ...more })
    expect([taken.current, taken.rows.map(({ incarnation }) => incarnation)]).toEqual([
      true,
      [row.incarnation],
    ])
    await store.replicas.remove(asReplicaId('one'), row.incarnation)
  })
})
