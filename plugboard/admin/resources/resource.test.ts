// Tests the common operations with a resource that exists only in this test.

import { OpenAPIHono, z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { beforeEach, expect, test } from 'vitest'
import type { AdminKey } from '../../database/store/store.ts'
import type { AdminEnv } from '../admin-env.ts'
import { problemResponse } from '../http/problem.ts'
import { addResource } from './resource.ts'

interface Row {
  readonly id: string
  readonly version: number
  readonly name: string
  readonly deletedAt: Date | null
}

const body = z.strictObject({ id: z.string(), name: z.string() }).openapi('Thing')
const input = z.strictObject({ name: z.string() })
let rows: Map<string, Row>
let app: OpenAPIHono<AdminEnv>

beforeEach(() => {
  rows = new Map()
  app = new OpenAPIHono<AdminEnv>()
  app.onError(problemResponse)
  app.use(async (c, next) => {
    c.set('key', { id: 'k', scopes: ['admin'] } as unknown as AdminKey)
    c.set('by', { actor: 'test' })
    c.set('log', silentLogger)
    await next()
  })
  const get = (id: string): Promise<Row> => {
    const row = rows.get(id)
    return row === undefined ? Promise.reject(new VeraError('not_found')) : Promise.resolve(row)
  }
  const write = (row: Row): Row => {
    rows.set(row.id, row)
    return row
  }
  const check = (row: Row, ifVersion: number | undefined): void => {
    if (ifVersion !== undefined && ifVersion !== row.version) throw new VeraError('precondition_failed')
  }
  const show = ({ id, name }: Row) => ({ id, name })
  addResource(app, {
    names: {
      path: '/v1/things',
      tag: 'services',
      component: 'Thing',
      operationId: ['Thing', 'Things'],
      one: 'thing',
      many: 'things',
    },
    id: z.string(),
    body,
    store: {
      get,
      list: ({ limit = 100, includeDeleted = false }) => {
        const items = [...rows.values()].filter(row => includeDeleted || row.deletedAt === null)
        const nextCursor = items.length > limit ? 'next' : undefined
        return Promise.resolve({ items: items.slice(0, limit), nextCursor, total: items.length })
      },
    },
    show: all => all.map(show),
    list: { order: 'by age', filters: {} },
    create: {
      input,
      body,
      run: ({ name }) => {
        const row = write({ id: `${rows.size + 1}`, version: 1, name, deletedAt: null })
        return Promise.resolve({ row, body: show(row) })
      },
    },
    change: {
      input,
      run: async ({ read, ifVersion }, { name }) => {
        const row = await read()
        check(row, ifVersion)
        return write({ ...row, name, version: row.version + 1 })
      },
    },
    remove: {
      run: async ({ read, ifVersion }) => {
        const row = await read()
        check(row, ifVersion)
        write({ ...row, deletedAt: new Date(), version: row.version + 1 })
      },
    },
  })
})

async function call(method: string, path: string, headers: Record<string, string> = {}, json?: object) {
  const response = await app.request(path, {
    method,
    headers: { ...headers, ...(json !== undefined && { 'content-type': 'application/json' }) },
    ...(json !== undefined && { body: JSON.stringify(json) }),
  })
  const text = await response.text()
  const content: unknown = text === '' ? undefined : JSON.parse(text)
  return { status: response.status, headers: response.headers, body: content }
}

const add = (name: string) => call('POST', '/v1/things', {}, { name })

test('the response to a creation has the URL and the ETag', async () => {
  const { status, headers, body } = await add('one')
  expect([status, body]).toEqual([201, { id: '1', name: 'one' }])
  expect([headers.get('location'), headers.get('etag')]).toEqual(['/v1/things/1', '"1"'])
})

test('a list is a page with a link to the next page', async () => {
  for (const name of ['one', 'two', 'three']) await add(name)
  const first = await call('GET', '/v1/things?limit=2')
  expect(first.body).toMatchObject({ items: [{ name: 'one' }, { name: 'two' }], next: 'next' })
  expect(first.headers.get('link')).toBe('</v1/things?limit=2&cursor=next>; rel="next"')
  const all = await call('GET', '/v1/things')
  expect([all.body, all.headers.get('link')]).toMatchObject([{ next: null }, null])
})

test('responds to a read with 304 while the row has the ETag of the client', async () => {
  await add('one')
  const { headers } = await call('GET', '/v1/things/1')
  const etag = headers.get('etag') ?? ''
  expect((await call('GET', '/v1/things/1', { 'if-none-match': etag })).status).toBe(304)
  await call('PATCH', '/v1/things/1', { 'if-match': etag }, { name: 'uno' })
  expect((await call('GET', '/v1/things/1', { 'if-none-match': etag })).body).toMatchObject({ name: 'uno' })
})

test('changes and deletes a row only with an If-Match of its version', async () => {
  await add('one')
  const changed = await call('PATCH', '/v1/things/1', { 'if-match': '"1"' }, { name: 'uno' })
  expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"2"'])
  for (const [method, json] of [['PATCH', { name: 'x' }] as const, ['DELETE', undefined] as const]) {
    expect((await call(method, '/v1/things/1', {}, json)).status).toBe(428)
    expect((await call(method, '/v1/things/1', { 'if-match': '"1"' }, json)).status).toBe(412)
  }
  expect((await call('DELETE', '/v1/things/1', { 'if-match': '"2"' })).status).toBe(204)
})

test('finds a deleted row only with includeDeleted', async () => {
  await add('one')
  await call('DELETE', '/v1/things/1', { 'if-match': '*' })
  expect((await call('GET', '/v1/things/1')).body).toMatchObject({
    code: 'not_found',
    detail: 'This thing has been deleted.',
  })
  expect((await call('GET', '/v1/things/1?includeDeleted=true')).status).toBe(200)
  expect((await call('GET', '/v1/things')).body).toMatchObject({ items: [] })
  expect((await call('GET', '/v1/things?includeDeleted=true')).body).toMatchObject({ items: [{ id: '1' }] })
  expect((await call('PATCH', '/v1/things/1', { 'if-match': '*' }, { name: 'x' })).status).toBe(404)
})

test('the document names the operations of the resource', () => {
  const { paths } = app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'things', version: '1' } })
  const operations = Object.values(paths ?? {}).flatMap(path => Object.values(path as object))
  expect(operations.map(({ operationId, summary }) => [operationId, summary])).toEqual([
    ['createThing', 'Add a thing'],
    ['listThings', 'List things, by age'],
    ['getThing', 'Read a thing'],
    ['changeThing', 'Change a thing'],
    ['deleteThing', 'Delete a thing'],
  ])
})
