// Tests lists with `q`, `sort` and `total`: from the database, and with the memory of a replica that has all changes. Both must
// give the same rows.

import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AdminApiHarness } from '../../../../test/support/admin-api/admin-api.ts'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres/postgres.ts'
import type { Database } from '../../../database/database.ts'
import { createDirectory, type Directory } from '../../../routes/directory.ts'
import { listRoutes } from './route-list.ts'

interface Listed {
  readonly id: string
  readonly mount: string
  readonly service: string | null
  readonly lastRequestAt: string | null
}

let database: TestDatabase
let opened: Database
let directory: Directory
/** Lists from the database. */
let plain: AdminApiHarness
/** Lists with the memory of a replica. */
let replica: AdminApiHarness
const by = { actor: 'test' }

beforeAll(async () => {
  database = await createTestDatabase()
  opened = database.open()
  const { store } = opened
  for (const name of ['shop', 'blog', 'shop-eu']) await store.services.create({ name }, by)
  for (let index = 0; index < 23; index += 1) {
    const host = index % 3 === 0 ? '*.example.com' : `h${index % 7}.test`
    await store.routes.create({ mount: `${host}/p${index}`, service: index % 2 === 0 ? 'shop' : 'blog' }, by)
  }
  const { items } = await store.routes.list()
  for (const { id } of items.slice(0, 3)) await store.routes.remove(id, by)
  const uses = items
    .slice(3, 12)
    .map(({ id }, index) => ({ routeId: id, servedAgeMs: ((index * 7) % 9) * 1000 }))
  await store.routeActivity.record(uses)
  directory = createDirectory({ database: opened, log: silentLogger })
  await directory.start()
  plain = await AdminApiHarness.create(store)
  replica = await AdminApiHarness.create(store, { directory })
  await directory.waitForSequence(await store.changes.latest())
})
afterAll(async () => {
  await directory.stop()
  await database.drop()
})

/** Follows all pages of a list. */
async function all(
  api: AdminApiHarness,
  query: string,
  limit: number,
): Promise<{ rows: Listed[]; total: number }> {
  const rows: Listed[] = []
  let cursor = ''
  let total = -1
  do {
    const { status, body } = await api.call('GET', `/v1/routes?${query}&limit=${limit}${cursor}`)
    expect({ query, status }).toEqual({ query, status: 200 })
    rows.push(...(body.items as Listed[]))
    if (total !== -1) expect(body.total).toBe(total)
    total = body.total as number
    cursor = body.next === null ? '' : `&cursor=${body.next}`
  } while (cursor !== '')
  return { rows, total }
}

const SORTS = ['mount', 'createdAt', 'updatedAt', 'lastRequestAt'].flatMap(name => [name, `-${name}`])
const FILTERS = [
  '',
  'q=p1',
  'q=example',
  'q=blog',
  'q=nothing',
  'service=shop',
  'host=h1.test',
  'q=p&service=blog',
]

describe.each(SORTS)('sorted by %s', sort => {
  test.each(FILTERS)(
    'with the filters "%s", pages have each row once, from the database and from memory',
    async filters => {
      const query = `sort=${sort}&${filters}`
      const whole = await all(plain, query, 500)
      expect(whole.rows.length).toBe(whole.total)
      expect(new Set(whole.rows.map(({ id }) => id)).size).toBe(whole.total)
      const ids = whole.rows.map(({ id }) => id)
      for (const api of [plain, replica]) {
        for (const limit of [1, 3, 7]) {
          const paged = await all(api, query, limit)
          expect(paged.rows.map(({ id }) => id)).toEqual(ids)
          expect(paged.total).toBe(whole.total)
        }
      }
      const opposite = await all(
        replica,
        `sort=${sort.startsWith('-') ? sort.slice(1) : `-${sort}`}&${filters}`,
        4,
      )
      expect(opposite.rows.map(({ id }) => id)).toEqual(ids.toReversed())
    },
  )
})

test('the order by the last request has routes without a request at its start', async () => {
  const { rows } = await all(replica, 'sort=lastRequestAt', 500)
  const times = rows.map(({ lastRequestAt }) => lastRequestAt ?? '')
  expect(times).toEqual(times.toSorted())
  expect(times.filter(time => time !== '')).toHaveLength(9)
})

test('deleted routes are counted and found too, when they are asked for', async () => {
  const { total } = await all(replica, 'includeDeleted=true', 500)
  expect(total).toBe(23)
  expect((await all(replica, 'includeDeleted=true&q=p&sort=-createdAt', 4)).rows).toHaveLength(23)
  expect((await all(replica, '', 500)).total).toBe(20)
})

test('a new route is found at once, also while the memory of the replica is behind', async () => {
  const { id } = await opened.store.routes.create({ mount: 'fresh.test', service: 'shop' }, by)
  const { rows, total } = await all(replica, 'q=fresh', 5)
  expect([rows.map(row => row.id), total]).toEqual([[id], 1])
  await opened.store.routes.remove(id, by)
  expect((await all(replica, 'q=fresh', 5)).total).toBe(0)
  await directory.waitForSequence(await opened.store.changes.latest())
})

test('the order by the last change has a changed route at its end at once', async () => {
  const [first] = (await all(replica, 'sort=updatedAt', 500)).rows
  await opened.store.routes.update(first!.id, { options: { stripMount: true } }, by)
  await directory.waitForSequence(await opened.store.changes.latest())
  for (const api of [plain, replica]) {
    expect((await all(api, 'sort=updatedAt', 7)).rows.at(-1)?.id).toBe(first!.id)
    expect((await api.call('GET', '/v1/routes?sort=-updatedAt&limit=1')).body.items[0].id).toBe(first!.id)
  }
})

test('a page is not the last one when one of its routes was deleted after it was found in memory', async () => {
  const { store } = opened
  const query = { q: 'example', limit: 2, sort: '-updatedAt' } as const
  const { rows } = await all(plain, 'q=example&sort=-updatedAt', 500)
  // The memory of the replica seems to have all changes, and does not have the deletion yet.
  const changes = { ...store.changes, latest: async () => directory.appliedSequence }
  let isDeleted = false
  const list: typeof store.routes.list = async request => {
    if (!isDeleted) await store.routes.remove(rows[0]!.id, by)
    isDeleted = true
    return await store.routes.list(request)
  }
  const routes = { ...store.routes, list }
  const page = await listRoutes(query, { store: { changes, routes }, directory })
  expect(page.items.map(({ id }) => id)).toEqual([rows[1]!.id, rows[2]!.id])
  expect(page.nextCursor).toBeDefined()
  await directory.waitForSequence(await store.changes.latest())
})

test('services show their routes and their last request, and have q, sort and total', async () => {
  const { body } = await replica.call('GET', '/v1/services?q=sh&sort=-name')
  expect([body.total, body.items]).toMatchObject([
    2,
    [{ name: 'shop-eu', routes: 0, lastRequestAt: null }, { name: 'shop' }],
  ])
  const [, shop] = body.items
  const ofShop = (await all(replica, 'service=shop', 500)).rows
  expect(shop.routes).toBe(ofShop.length)
  const newest = ofShop
    .map(({ lastRequestAt }) => lastRequestAt ?? '')
    .toSorted()
    .at(-1)
  expect(shop.lastRequestAt).toBe(newest)
  expect((await replica.call('GET', '/v1/services?search=blog')).body).toMatchObject({ total: 1 })
  expect((await replica.call('GET', '/v1/services?sort=createdAt&limit=1')).body.items[0].name).toBe('shop')
})

test('routes have filters by rule and by state, with every order', async () => {
  const { body: made } = await plain.call('POST', '/v1/routes', {
    body: { mount: 'ruled.test', service: 'shop', options: { hsts: false } },
  })
  for (const sort of ['mount', '-updatedAt', 'lastRequestAt']) {
    for (const query of ['rule=hsts', 'rule=hsts&state=unused', 'rule=hsts&state=created&q=ruled']) {
      const { body } = await replica.call('GET', `/v1/routes?${query}&sort=${sort}`)
      expect([body.total, body.items.map((row: { id: string }) => row.id)], query).toEqual([1, [made.id]])
    }
    expect((await replica.call('GET', `/v1/routes?state=claimed&rule=hsts&sort=${sort}`)).body.total).toBe(0)
  }
  for (const query of ['rule=x', 'state=x'])
    expect((await plain.call('GET', `/v1/routes?${query}`)).status).toBe(400)
})

test('tokens and keys have q, sort and total', async () => {
  for (const name of ['ada', 'bob']) {
    await plain.call('POST', '/v1/tokens', { body: { name } })
    await plain.call('POST', '/v1/keys', { body: { name, scopes: [] } })
  }
  for (const path of ['/v1/tokens', '/v1/keys']) {
    expect((await plain.call('GET', `${path}?q=ada`)).body).toMatchObject({
      total: 1,
      items: [{ name: 'ada' }],
    })
    const { body } = await plain.call('GET', `${path}?sort=createdAt&limit=1`)
    const next = await plain.call('GET', `${path}?sort=createdAt&limit=500&cursor=${body.next}`)
    expect(next.body.items.at(-1)?.name).toBe('bob')
    expect(next.body.items).toHaveLength(body.total - 1)
  }
})

describe('hostile parameters', () => {
  const cursor = (value: unknown) => `cursor=${Buffer.from(JSON.stringify(value)).toString('base64url')}`
  const id = '0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e'
  test.each([
    'sort=password',
    'sort=--mount',
    'sort=mount;drop',
    'sort=-updatedAt&cursor=e30',
    `sort=-updatedAt&${cursor(['updatedAt', ['2026-01-01T00:00:00Z', id]])}`,
    `sort=updatedAt&${cursor(['app.test', '/', id])}`,
    `sort=-mount&${cursor(['app.test', '/', id])}`,
    `sort=lastRequestAt&${cursor(['-lastRequestAt'])}`,
    `sort=lastRequestAt&${cursor(['lastRequestAt', 'yesterday', id])}`,
    `sort=lastRequestAt&${cursor(['lastRequestAt', null, "' OR 1=1"])}`,
    'q=',
    'q=%00',
    `q=${'a'.repeat(300)}`,
  ])('%s gets 400', async query => {
    for (const api of [plain, replica]) {
      const { status, body } = await api.call('GET', `/v1/routes?${query}`)
      expect([status, body.code]).toEqual([400, 'invalid_request'])
    }
  })

  test.each(["q=' OR 1=1 --", 'q=%25', 'q=_', 'q=\\', 'q=.*', 'q=(', 'q=ü'])(
    '%s is a text and no pattern',
    async query => {
      for (const api of [plain, replica])
        expect(
          (await api.call('GET', `/v1/routes?${encodeURI(query).replaceAll('%25', '%')}`)).body.total,
        ).toBe(0)
    },
  )
})
