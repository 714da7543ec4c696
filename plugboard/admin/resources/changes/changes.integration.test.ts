// Tests the change log over HTTP and as an event stream, and the listener of the admin API.

import { once } from 'node:events'
import { connect } from 'node:net'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AdminApiHarness } from '../../../../test/support/admin-api/admin-api.ts'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres/postgres.ts'
import { administer } from '../../../../test/support/postgres/postgres-setup.ts'
import type { Store } from '../../../database/store/store.ts'
import { type AdminServer, startAdminServer } from '../../admin-server.ts'

let database: TestDatabase
let store: Store
let api: AdminApiHarness
beforeEach(async () => {
  database = await createTestDatabase()
  store = database.open().store
  api = await AdminApiHarness.create(store)
})
afterEach(() => database.drop())

const addService = (name: string) => api.call('POST', '/v1/services', { body: { name } })

interface Event {
  readonly event: string
  readonly id: string
  readonly data: { readonly entity: string; readonly action: string; readonly sequence: number }
}

/** Reads events until `count` have arrived or the stream ends. `found`: gets each event when it arrives. */
async function events(response: Response, count: number, found: Event[] = []): Promise<Event[]> {
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    const blocks = text.split('\n\n')
    text = blocks.pop()!
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1]
      if (data === undefined) continue
      const [event, id] = ['event', 'id'].map(name => new RegExp(`^${name}: (.*)$`, 'm').exec(block)![1]!)
      found.push({ event: event!, id: id!, data: JSON.parse(data) as Event['data'] })
    }
    if (found.length >= count) break
  }
  return found
}

/** Does the same as a restore of a backup of this moment: removes all changes after `sequence`. */
async function restoreTo(sequence: number): Promise<void> {
  await store.changes.prune(1)
  await administer(
    database.url,
    `BEGIN; SET LOCAL session_replication_role = replica;
    UPDATE plugboard.changes SET sequence = ${sequence}, id = gen_random_uuid();
    UPDATE plugboard.change_head SET sequence = ${sequence}, change_id = (SELECT id FROM plugboard.changes);
    COMMIT`,
  )
}

const open = (path: string, options: { key?: string; headers?: Record<string, string> } = {}) =>
  api.app.fetch(api.request('GET', path, options))

test('a change of a route has its mount and the names of its services', async () => {
  for (const name of ['a', 'b']) await addService(name)
  const body = { mount: 'app.test/api', service: 'a' }
  const { etag } = await api.call('POST', '/v1/routes', { body })
  const path = `/v1/routes/${encodeURIComponent('app.test/api')}`
  await api.call('PATCH', path, { body: { service: 'b' }, headers: { 'if-match': etag } })
  const [moved, made] = (await api.call('GET', '/v1/changes?entity=route')).body.items
  expect(made).toMatchObject({ before: null, after: { mount: 'app.test/api', service: 'a' } })
  expect(moved).toMatchObject({ before: { service: 'a' }, after: { mount: 'app.test/api', service: 'b' } })
  const later = await api.call('GET', `/v1/changes?after=${made.sequence}`)
  expect(later.body.items[0]).toEqual(moved)
})

test('the log lists changes with their authors, and has filters and pages', async () => {
  await addService('a')
  await addService('b')
  const { body } = await api.call('GET', '/v1/changes?entity=service')
  expect(body.items).toMatchObject([
    { entity: 'service', action: 'created', before: null, after: { name: 'b' } },
    { entity: 'service', action: 'created', after: { name: 'a' } },
  ])
  const keyId = (await store.adminKeys.list()).items[0]!.id
  expect(body.items[0].actor).toBe(`admin-key:${keyId}`)
  const page = await api.call('GET', '/v1/changes?limit=1')
  expect(page.body.next).not.toBeNull()
})

test('changes after a sequence are listed oldest first', async () => {
  const before = await store.changes.latest()
  await addService('a')
  await addService('b')
  const { body } = await api.call('GET', `/v1/changes?after=${before}`)
  const rows = body.items as { sequence: number }[]
  expect(rows.map(({ sequence }) => sequence)).toEqual([before + 1, before + 2])
  expect((await api.call('GET', '/v1/changes?after=-1')).status).toBe(400)
})

test('filters work in both directions, over pages', async () => {
  const before = await store.changes.latest()
  for (const name of ['a', 'b', 'c']) await addService(name)
  await api.call('POST', '/v1/routes', { body: { mount: 'app.test', service: 'a' } })
  const list = async (query: string) => {
    const { body } = await api.call('GET', `/v1/changes?${query}`)
    return (body.items as { sequence: number }[]).map(({ sequence }) => sequence - before)
  }
  expect(await list('area=services')).toEqual([3, 2, 1])
  expect(await list(`area=services&after=${before + 1}`)).toEqual([2, 3])
  expect(await list(`area=services&before=${before + 3}`)).toEqual([2, 1])
  expect(await list(`after=${before + 1}&before=${before + 4}`)).toEqual([2, 3])
  expect(await list('area=routes&entity=service')).toEqual([])
  expect(await list('action=created&entity=route')).toEqual([4])
  const first = await api.call('GET', `/v1/changes?area=services&after=${before}&limit=2`)
  expect(await list(`area=services&after=${before}&limit=2&cursor=${first.body.next}`)).toEqual([3])
  const actor = encodeURIComponent(first.body.items[0].actor)
  expect(await list(`actor=${actor}&limit=1`)).toEqual([4])
  expect(await list('actor=%25')).toEqual([])
})

test('the history of one route has its deleted rows too, by id and by mount', async () => {
  await addService('a')
  const make = async () =>
    (await api.call('POST', '/v1/routes', { body: { mount: 'app.test', service: 'a' } })).body.id as string
  const remove = () => api.call('DELETE', '/v1/routes/app.test', { headers: { 'if-match': '*' } })
  const first = await make()
  await remove()
  const history = async (query: string) => {
    const { body } = await api.call('GET', `/v1/changes?${query}`)
    return (body.items as { entityId: string; action: string }[]).map(({ entityId, action }) => [
      entityId,
      action,
    ])
  }
  expect(await history('route=app.test')).toEqual([
    [first, 'deleted'],
    [first, 'created'],
  ])
  const second = await make()
  expect(await history('route=app.test')).toEqual([[second, 'created']])
  expect(await history(`route=${first.toUpperCase()}`)).toHaveLength(2)
  expect((await history('route=app.test&service=a')).map(([, action]) => action)).toEqual([
    'created',
    'created',
  ])
  await remove()
  expect(await history('route=app.test')).toHaveLength(2)
  expect((await api.call('GET', '/v1/changes?route=other.test')).status).toBe(404)
  expect((await api.call('GET', '/v1/changes?service=other')).status).toBe(404)
})

test.each([
  'cursor=WzFd',
  'cursor=W10',
  'cursor=WyIxIl0',
  'route=%00',
  'service=%00',
  'actor=%00',
  'after=1e3',
])('a hostile parameter (%s) gets 200 or 400, not 500', async query => {
  expect([200, 400]).toContain((await api.call('GET', `/v1/changes?${query}`)).status)
})

describe('the stream', () => {
  test('begins after the given sequence, and continues as changes are applied', async () => {
    await addService('a')
    const after = (await store.changes.latest()) - 1
    const response = await open(`/v1/changes/stream?after=${after}`)
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const reading = events(response, 3)
    await addService('b')
    api.applied(after + 2)
    await addService('c')
    api.applied(after + 3)
    const found = await reading
    expect(found.map(({ data }) => data.sequence)).toEqual([after + 1, after + 2, after + 3])
    expect(found.map(({ id }) => Number.parseInt(id, 10))).toEqual([after + 1, after + 2, after + 3])
    await expect.poll(() => api.listeners.size).toBe(0)
  })

  test('continues after Last-Event-ID', async () => {
    await addService('a')
    await addService('b')
    const latest = await store.changes.latest()
    const headers = { 'last-event-id': String(latest - 1) }
    const [event] = await events(await open('/v1/changes/stream', { headers }), 1)
    expect(event?.data.sequence).toBe(latest)
    const wrong = await open('/v1/changes/stream', { headers: { 'last-event-id': 'x' } })
    expect([wrong.status, await wrong.json()]).toMatchObject([400, { errors: [{ header: 'last-event-id' }] }])
  })

  test('reports that the database was restored, and continues after the newest change', async () => {
    await addService('a')
    await addService('b')
    const latest = await store.changes.latest()
    const [last] = await events(await open(`/v1/changes/stream?after=${latest - 1}`), 1)
    expect(last).toMatchObject({ event: 'change', data: { sequence: latest } })
    const headers = { 'last-event-id': last!.id }
    const path = (query: string) => `/v1/changes/stream${query}`
    const running = ['', '?area=services'].map(query => ({ query, found: [] as Event[] }))
    const reading = running.map(async ({ query, found }) => events(await open(path(query)), 2, found))
    await expect.poll(() => api.listeners.size).toBe(2)
    await restoreTo(latest - 1)
    const reset = { event: 'reset', data: { reason: 'restored', oldest: latest - 1, newest: latest - 1 } }
    expect((await events(await open(path(''), { headers }), 1))[0]).toMatchObject(reset)
    api.applied(latest - 1)
    await expect.poll(() => running.map(({ found }) => found.length)).toEqual([1, 1])
    // The log grows beyond the sequence of the client again.
    await addService('c')
    for (const query of ['', '?area=services']) {
      const [event] = await events(await open(path(query), { headers }), 1)
      expect(event).toMatchObject({ event: 'reset', data: { reason: 'restored', newest: latest } })
    }
    api.applied(latest)
    for (const found of await Promise.all(reading)) {
      expect(found[0]).toMatchObject(reset)
      expect(found[1]).toMatchObject({ event: 'change', data: { sequence: latest } })
    }
  })

  test('reports that changes were deleted from the log, and ends when its key was revoked by then', async () => {
    const { key, id } = await api.key(['changes:read'])
    await addService('a')
    const after = (await store.changes.latest()) - 1
    await store.adminKeys.revoke(id, { actor: 'test' })
    await addService('b')
    await store.changes.prune(1)
    const latest = after + 3
    const stream = await open(`/v1/changes/stream?after=${after}`)
    const [event] = await events(stream, 1)
    expect(event).toMatchObject({
      event: 'reset',
      data: { reason: 'pruned', oldest: latest, newest: latest },
    })
    expect((await open('/v1/changes/stream', { key })).status).toBe(401)
    expect((await events(await open('/v1/changes/stream?after=0'), 1))[0]?.data.sequence).toBe(latest)
    const list = (query: string) => api.call('GET', `/v1/changes?${query}`)
    expect(await list(`after=${after}`)).toMatchObject({
      status: 412,
      body: {
        code: 'precondition_failed',
        detail: expect.stringContaining(`oldest change of the log is ${latest}`),
      },
    })
    expect(await list(`after=${latest + 1}`)).toMatchObject({
      status: 412,
      body: { detail: expect.stringContaining(`The newest change is ${latest}: the database was restored`) },
    })
    expect((await list('after=0')).body.items).toMatchObject([{ sequence: latest }])
    expect((await list(`after=${latest}`)).body.items).toEqual([])
  })

  test('ends after a restore when the database does not have its key', async () => {
    const { key, id } = await api.key(['changes:read'])
    const reading = events(await open('/v1/changes/stream', { key }), 100)
    const latest = await store.changes.latest()
    await restoreTo(latest - 1)
    await administer(
      database.url,
      `BEGIN; SET LOCAL session_replication_role = replica;
      DELETE FROM plugboard.admin_keys WHERE id = '${id}'; COMMIT`,
    )
    api.applied(latest - 1)
    expect((await reading).map(({ event }) => event)).toEqual(['reset'])
    await expect.poll(() => api.listeners.size).toBe(0)
  })

  test('has the filters of the list, and continues with them after a lost connection', async () => {
    const start = await store.changes.latest()
    const query = `area=services&after=${start}`
    const first = await open(`/v1/changes/stream?${query}`)
    const reading = events(first, 1)
    const { key: other } = await api.key([])
    await addService('a')
    api.applied(await store.changes.latest())
    const [event] = await reading
    expect(event?.data).toMatchObject({ entity: 'service', sequence: start + 2 })
    await api.key([])
    await addService('b')
    const headers = { 'last-event-id': event!.id }
    const again = await events(await open('/v1/changes/stream?area=services', { headers }), 1)
    expect(again.map(({ data }) => data.sequence)).toEqual([start + 4])
    expect((await open('/v1/changes/stream?area=services&area=routes')).status).toBe(400)
    expect((await open('/v1/changes/stream?limit=5')).status).toBe(400)
    expect((await open('/v1/changes/stream?service=other')).status).toBe(404)
    expect((await open('/v1/changes/stream', { key: other })).status).toBe(403)
  })

  test('with filters ends when its key is revoked, and sends no event after that', async () => {
    const { key, id } = await api.key(['changes:read'])
    const response = await open('/v1/changes/stream?area=services', { key })
    await addService('a')
    await store.adminKeys.revoke(id, { actor: 'test' })
    await addService('b')
    const reading = events(response, 100)
    api.applied(await store.changes.latest())
    expect((await reading).map(({ data }) => data.entity)).toEqual(['service'])
    await expect.poll(() => api.listeners.size).toBe(0)
  })

  test('ends when its key is revoked, and when the API stops', async () => {
    const { key, id } = await api.key(['changes:read'])
    const revoked = events(await open('/v1/changes/stream', { key }), 100)
    const stopped = events(await open('/v1/changes/stream'), 100)
    await store.adminKeys.revoke(id, { actor: 'test' })
    api.applied(await store.changes.latest())
    expect((await revoked).at(-1)?.data).toMatchObject({ entity: 'admin_key', action: 'revoked' })
    api.app.stop()
    expect(await stopped).toHaveLength(1)
    expect(api.listeners.size).toBe(0)
  })

  test('of one key cannot use the whole limit of streams', async () => {
    api = await AdminApiHarness.create(store, { maxEventStreams: 4 })
    const { key } = await api.key(['changes:read'])
    const streams = [1, 2, 3].map(() => open('/v1/changes/stream', { key }))
    expect((await Promise.all(streams)).map(({ status }) => status)).toEqual([200, 200, 200])
    const refused = await open('/v1/changes/stream', { key })
    expect([refused.status, await refused.json()]).toMatchObject([429, { code: 'concurrency_limited' }])
    expect((await open('/v1/changes/stream')).status).toBe(200)
    api.app.stop()
  })

  test('is rejected over the limit of streams', async () => {
    api = await AdminApiHarness.create(store, { maxEventStreams: 1 })
    const first = await open('/v1/changes/stream')
    expect((await open('/v1/changes/stream')).status).toBe(503)
    await first.body!.cancel()
    await expect.poll(async () => (await open('/v1/changes/stream?after=x')).status).toBe(400)
    await expect
      .poll(async () => {
        const again = await open('/v1/changes/stream')
        await again.body?.cancel()
        return again.status
      })
      .toBe(200)
    api.app.stop()
  })
})

describe('the listener', () => {
  let server: AdminServer
  beforeEach(async () => {
    server = await startAdminServer({
      app: api.app,
      listen: { host: '127.0.0.1', port: 0 },
      log: silentLogger,
    })
  })

  test('serves the API, and stops with an event stream open', async () => {
    const url = `http://127.0.0.1:${server.address.port}`
    const authorization = `Bearer ${api.adminKey}`
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    expect((await fetch(`${url}/v1/routes`, { headers: { authorization } })).status).toBe(200)
    const big = {
      method: 'POST',
      body: 'x'.repeat(400_000),
      headers: { authorization, 'content-type': 'application/json' },
    }
    expect((await fetch(`${url}/v1/routes`, big)).status).toBe(413)
    const endless = {
      ...big,
      body: ReadableStream.from(Array.from({ length: 100 }, () => Buffer.alloc(10_000, 120))),
    }
    expect((await fetch(`${url}/v1/routes`, { ...endless, duplex: 'half' })).status).toBe(413)
    const untyped = { method: 'POST', body: Buffer.from('{}'), headers: { authorization } }
    expect((await fetch(`${url}/v1/routes`, untyped)).status).toBe(415)
    const name = {
      ...big,
      body: ReadableStream.from([Buffer.from('{"name":"sh'), Buffer.from('op"}')]),
      duplex: 'half',
    } as const
    expect((await fetch(`${url}/v1/services`, name)).status).toBe(201)
    const removal = { method: 'DELETE', headers: { authorization, 'if-match': '*' } }
    expect((await fetch(`${url}/v1/services/shop`, removal)).status).toBe(204)
    const stream = await fetch(`${url}/v1/changes/stream`, { headers: { authorization } })
    const reading = stream.text()
    await server.stop(60_000)
    expect(await reading).toContain(': changes follow')
  })

  test('closes requests that do not end in time', async () => {
    const socket = connect(server.address.port, '127.0.0.1')
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    socket.write('POST /v1/routes HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n')
    await once(socket, 'data')
    socket.destroy()
    await server.stop(10)
  })

  test('rejects with EADDRINUSE when its port is in use', async () => {
    const { port } = server.address
    const listen = { host: '127.0.0.1', port }
    await expect(startAdminServer({ app: api.app, listen, log: silentLogger })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
    await server.stop(1000)
  })
})
