// The rules of the database hold for the statements of a bundle as for single rows, and concurrent writers never lose a change.

import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres/postgres.ts'
import type { Store } from '../store.ts'
import type { BundleWrite, CopiedRoute, CopiedService } from './bundle-rows.ts'

let database: TestDatabase
let store: Store
let client: pg.Client
beforeAll(async () => {
  database = await createTestDatabase()
  store = database.open({ maxConnections: 4 }).store
})
afterAll(() => database.drop())
beforeEach(async () => {
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query(`UPDATE plugboard.routes SET deleted_at = now() WHERE deleted_at IS NULL;
    UPDATE plugboard.services SET deleted_at = now() WHERE deleted_at IS NULL`)
  return () => client.end()
})

const by = { actor: 'test' }
const NO_ROWS = { created: [], changed: [], deleted: [] }

function write(parts: {
  services?: Partial<BundleWrite['services']>
  routes?: Partial<BundleWrite['routes']>
}): Promise<unknown> {
  const rows = { services: { ...NO_ROWS, ...parts.services }, routes: { ...NO_ROWS, ...parts.routes } }
  return store.bundles.write(rows, 'bundle-1', by)
}

const service = (name: string) => ({ id: randomUUID(), name, policy: {} })
const route = (mount: string, serviceId: string | null, options = {}) => {
  const slash = mount.indexOf('/')
  const [host, mountPath] = slash === -1 ? [mount, '/'] : [mount.slice(0, slash), mount.slice(slash)]
  return { id: randomUUID(), host, mountPath, serviceId, options }
}

async function copied(): Promise<{ services: CopiedService[]; routes: CopiedRoute[] }> {
  const rows = { services: [] as CopiedService[], routes: [] as CopiedRoute[] }
  await store.bundles.copy({
    sink: { service: row => void rows.services.push(row), route: row => void rows.routes.push(row) },
  })
  return rows
}

/** Resolves with the processes of the server that wait for a lock, once there is one. */
async function waitingWriters(): Promise<number[]> {
  for (;;) {
    const { rows } = await client.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    )
    if (rows.length > 0) return rows.map(({ pid }) => pid)
  }
}

describe('the rules of mounts hold within one statement', () => {
  it.each([
    [['a.test', 'a.test/x'], 'a.test/x lies beneath a.test.'],
    [['a.test/x', 'a.test/x/y/z'], 'a.test/x/y/z lies beneath a.test/x.'],
    [['a.test/x-y', 'a.test/x', 'a.test/x/y'], 'a.test/x/y lies beneath a.test/x.'],
  ])('%j', async (mounts, text) => {
    const shop = service('shop')
    const refused = write({
      services: { created: [shop] },
      routes: { created: mounts.map(mount => route(mount, shop.id)) },
    })
    await expect(refused).rejects.toMatchObject({
      code: 'mount_conflict',
      message: expect.stringContaining(text),
    })
    expect(await copied()).toEqual({ services: [], routes: [] })
  })

  it('and between a statement and the routes before it', async () => {
    const shop = await store.services.create({ name: 'shop' }, by)
    const old = await store.routes.create({ mount: 'a.test/x', service: 'shop' }, by)
    for (const [mount, text] of [
      ['a.test', 'a.test lies above a.test/x.'],
      ['a.test/x/y', 'a.test/x/y lies beneath a.test/x.'],
    ] as const) {
      const refused = write({ routes: { created: [route(mount, shop.id)] } })
      await expect(refused).rejects.toMatchObject({
        code: 'mount_conflict',
        field: 'mount',
        message: expect.stringContaining(`${text} Route ${old.id} mounts a.test/x for service "shop".`),
      })
    }
    await expect(write({ routes: { created: [route('a.test/x', shop.id)] } })).rejects.toMatchObject({
      code: 'mount_conflict',
    })
    await write({ routes: { created: [route('a.test/y', shop.id), route('b.test', shop.id)] } })
  })

  it('also for a client that sets the id of a bundle and moves routes', async () => {
    await store.services.create({ name: 'shop' }, by)
    await store.routes.create({ mount: 'a.test/x', service: 'shop' }, by)
    const { id } = await store.routes.create({ mount: 'b.test', service: 'shop' }, by)
    await client.query("BEGIN; SELECT set_config('plugboard.bundle', 'mine', true)")
    const moved = client.query("UPDATE plugboard.routes SET host = 'a.test' WHERE id = $1", [id])
    await expect(moved).rejects.toMatchObject({ constraint: 'routes_terminal_mounts' })
    await client.query('ROLLBACK')
  })
})

it('refuses a route to a deleted service, and the deletion of a service with routes', async () => {
  const shop = await store.services.create({ name: 'shop' }, by)
  const { id, version } = shop
  await store.services.remove('shop', by)
  await expect(write({ routes: { created: [route('a.test', id)] } })).rejects.toMatchObject({
    code: 'conflict',
  })
  const blog = await store.services.create({ name: 'blog' }, by)
  await store.routes.create({ mount: 'b.test', service: 'blog' }, by)
  const refused = write({ services: { deleted: [{ id: blog.id, version }] } })
  await expect(refused).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('1 route'),
  })
})

it('refuses a name that is the alias of another service', async () => {
  await store.services.create({ name: 'shop', policy: { aliases: ['store'] } }, by)
  await expect(write({ services: { created: [service('store')] } })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('"store" means two services'),
  })
})

it('writes all entries of the change log with one actor, one bundle and no gap', async () => {
  const before = await store.changes.latest()
  const shop = service('shop')
  await write({
    services: { created: [shop] },
    routes: { created: [route('a.test', shop.id), route('b.test', null, { redirect: { to: '/x' } })] },
  })
  const changes = await store.changes.after(before)
  expect(changes.map(({ sequence }) => sequence)).toEqual([before + 1, before + 2, before + 3])
  expect(changes.map(({ action, actor, bundle }) => [action, actor, bundle])).toEqual(
    Array.from({ length: 3 }, () => ['created', 'test', 'bundle-1']),
  )
  await store.services.create({ name: 'single' }, by)
  expect((await store.changes.after(before + 3))[0]?.bundle).toBeNull()
})

it('rejects a change of a row that a single write has changed since, and writes no row', async () => {
  const shop = await store.services.create({ name: 'shop' }, by)
  const { id, version } = await store.routes.create({ mount: 'a.test', service: 'shop' }, by)
  await store.routes.update(id, { options: { stripMount: true } }, by)
  for (const routes of [
    { changed: [{ id, version, serviceId: shop.id, options: { allowHttp: true } }] },
    { deleted: [{ id, version }] },
  ]) {
    const refused = write({ services: { created: [service('other')] }, routes })
    await expect(refused).rejects.toMatchObject({ code: 'precondition_failed' })
  }
  const rows = await copied()
  expect(rows.services.map(({ name }) => name)).toEqual(['shop'])
  expect(rows.routes).toMatchObject([{ options: { stripMount: true }, version: 2 }])
})

it('waits for another writer, and then finds its change', async () => {
  const shop = await store.services.create({ name: 'shop' }, by)
  await client.query('BEGIN')
  await client.query('UPDATE plugboard.services SET policy = \'{"retries": 1}\' WHERE id = $1', [shop.id])
  const change = { id: shop.id, version: shop.version, policy: { retries: 2 } }
  const refused = expect(write({ services: { changed: [change] } })).rejects.toMatchObject({
    code: 'precondition_failed',
  })
  await client.query('COMMIT')
  await refused
  expect(await store.services.get('shop')).toMatchObject({ policy: { retries: 1 }, version: 2 })
})

it('runs before or after each concurrent write, and the change log has no gap', async () => {
  const shop = service('shop')
  const routes = Array.from({ length: 300 }, (_, index) => route(`t${index}.test/api`, shop.id))
  await client.query('BEGIN; SELECT 1 FROM plugboard.change_head FOR UPDATE')
  const first = await store.changes.latest()
  const written = write({ services: { created: [shop] }, routes: { created: routes } })
  const singles = Array.from({ length: 12 }, (_, index) =>
    store.routes.create(
      { mount: `t${index * 20}.test/api/v1`, service: null, options: { redirect: { to: '/x' } } },
      by,
    ),
  )
  const settled = Promise.allSettled([written, ...singles])
  await waitingWriters()
  await client.query('COMMIT')
  const [bundle, ...single] = await settled
  const changes = await store.changes.after(first, 1000)
  expect(changes.map(({ sequence }) => sequence)).toEqual(changes.map((_, index) => first + 1 + index))
  // Each single mount lies beneath a mount of the bundle. So only the bundle succeeds, or only single writes.
  const added = single.filter(({ status }) => status === 'fulfilled').length
  expect([bundle?.status === 'fulfilled' ? 301 : 0, added].filter(count => count > 0)).toEqual([
    changes.length,
  ])
  for (const result of [bundle, ...single]) {
    if (result?.status === 'rejected') expect(result.reason).toMatchObject({ code: 'mount_conflict' })
  }
})

it('leaves no row when the connection breaks under the lock', async () => {
  const shop = service('shop')
  await client.query('BEGIN; SELECT 1 FROM plugboard.change_head FOR UPDATE')
  const written = write({ services: { created: [shop] }, routes: { created: [route('a.test', shop.id)] } })
  const refused = expect(written).rejects.toMatchObject({ code: 'database_unavailable' })
  // The bundle waits for the lock, so all of its rows are in its temporary tables.
  const waiting = await waitingWriters()
  await client.query('SELECT pg_terminate_backend($1)', [waiting[0]])
  await refused
  await client.query('ROLLBACK')
  expect(await copied()).toEqual({ services: [], routes: [] })
})
