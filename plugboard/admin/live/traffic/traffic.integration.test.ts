// The charts of traffic over HTTP: the last hours of all replicas, and the live stream of the dashboard.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { afterEach, describe, expect, test } from 'vitest'
import { AdminApiHarness, type CallOptions } from '../../../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../../../test/support/admin-api/use-admin-api.ts'
import { eventually } from '../../../../test/support/deadline.ts'
import { readEvents, type SentEvent } from '../../../../test/support/http/event-stream.ts'
import { ManualClock } from '../../../../test/support/manual-clock.ts'
import type { TrafficTotals } from '../../../metrics/traffic-totals.ts'
import type { RoutePoints } from '../../../observe/traffic/route-traffic.ts'
import { SERVICE_HISTORY, TrafficHistory } from '../../../observe/traffic/traffic-history.ts'
import { NO_TRAFFIC, type TrafficPoint, wirePoint } from '../../../observe/traffic/traffic-point.ts'

let api: AdminApiHarness
let counts: Map<string, number>
let clock: ManualClock
const database = useAdminApi(created => {
  api = created
  counts = new Map()
  clock = new ManualClock(0, Math.floor(Date.now() / 60_000) * 60_000 - 60_000)
  const counters = () =>
    [...counts].map(([service, requests]) => ({
      historyKey: service,
      addTo({ classes }: TrafficTotals) {
        classes[0]! += requests
      },
    }))
  api.observation.traffic.history = new TrafficHistory({ ...SERVICE_HISTORY, counters, clock })
})
afterEach(() => api.observation.traffic.history?.stop())

const send = (service: string, requests: number) => {
  counts.set(service, (counts.get(service) ?? 0) + requests)
  clock.advance(1000)
}

describe('the last hours', () => {
  test('are the sums of all replicas, by service, with nulls where no replica has data', async () => {
    while (clock.wallTime() < Date.now() - 2000) send('shop', 3)
    const now = Math.floor(systemClock.wallTime() / 1000)
    api.remote.push({
      replicaId: 'r2',
      respond: (name, params) => {
        expect([name, params]).toMatchObject(['traffic', { resolution: 1, count: 10 }])
        const { from, service } = params as { from: number; service: string | null }
        expect([from >= now - 12, service]).toEqual([true, 'shop'])
        const point = [1, 0, 0, 2, 5, 6, 10, 20, 30, 1, 2, 3]
        return { points: Array.from({ length: 10 }, (_, index) => (index < 5 ? point : null)), newer: 1 }
      },
    })
    api.missing.push({ id: 'r3', reason: 'there is no link to it' })
    const { body } = await api.call('GET', '/v1/traffic?resolution=1&service=shop&points=10')
    expect(body.success.slice(0, 5)).toEqual([4, 4, 4, 4, 4])
    expect(body.success[6]).toBe(3)
    // The second in progress.
    expect(body.success.at(-1)).toBeNull()
    expect([body.serverError[0], body.serverError[6], body.requestBytes[0]]).toEqual([2, 0, 5])
    expect([body.p50Ms[0], body.p50Ms[6], body.backendMs[0], body.waitMs[0]]).toEqual([10, null, 3, 1])
    expect([body.resolution, body.missingReplicas]).toEqual([1, api.missing])
    expect(Date.parse(body.from) / 1000).toBeGreaterThanOrEqual(now - 12)
  })

  test('have one list of each number with all intervals', async () => {
    const { body } = await api.call('GET', '/v1/traffic')
    expect(body.resolution).toBe(10)
    expect(
      Object.values(body)
        .filter(Array.isArray)
        .map(list => list.length),
    ).toEqual([...Array.from({ length: 12 }, () => 720), 0])
  })

  test.each(['?resolution=5', '?points=0', '?points=1441', '?service=', '?other=1'])(
    'refuse %s',
    async query => {
      expect((await api.call('GET', `/v1/traffic${query}`)).status).toBe(400)
    },
  )

  test('count a replica as missing whose response cannot be read', async () => {
    api.remote.push({ replicaId: 'r2', respond: () => ({ points: [[-1]] }) })
    const { body } = await api.call('GET', '/v1/traffic')
    expect(body.missingReplicas).toMatchObject([{ id: 'r2' }])
  })
})

describe('the last minutes of routes', () => {
  const id = '0d3f4a5e-0000-4000-8000-000000000001'
  const other = '0d3f4a5e-0000-4000-8000-000000000002'
  const point = (requests: number, failed: number, p95Ms: number): TrafficPoint => ({
    classes: [requests - failed, 0, 0, failed],
    requestBytes: 0,
    responseBytes: 0,
    quantiles: [p95Ms / 2, p95Ms, p95Ms],
    parts: [0, 0, p95Ms / 2],
  })
  const own = new Map<string, RoutePoints>()
  const begin = () => {
    own.clear()
    const read = (asked: string) => own.get(asked)
    api.observation.traffic.routes = { read }
  }
  const padded = (points: readonly (TrafficPoint | undefined)[]) => [
    ...Array.from({ length: 60 - points.length }, () => undefined),
    ...points,
  ]

  test('are the sums of all replicas, for the routes that exist', async () => {
    begin()
    own.set(id, padded([point(4, 1, 10), NO_TRAFFIC]))
    api.remote.push({
      replicaId: 'r2',
      respond: (name, params) => {
        expect([name, params]).toMatchObject(['routeTraffic', { ids: [id, other] }])
        return {
          routes: {
            [id]: padded([undefined, point(6, 0, 30)]).map(each =>
              each === undefined ? null : wirePoint(each),
            ),
          },
        }
      },
    })
    const { body } = await api.call('GET', `/v1/traffic/routes?ids=${id.toUpperCase()},${other},${id}`)
    expect(body.items.map((each: { id: string }) => each.id)).toEqual([id])
    const [item] = body.items
    expect([item.counted, item.requests.length]).toEqual([true, 60])
    expect([item.requests.slice(-3), item.serverErrors.slice(-3)]).toEqual([
      [null, 4, 6],
      [null, 1, 0],
    ])
    expect(item.p95Ms).toBeGreaterThan(10)
    expect(item.p95Ms).toBeLessThanOrEqual(30)
    expect(Date.now() - Date.parse(body.from)).toBeLessThan(620_000)
  })

  test('are not known when one replica counts the route together with others', async () => {
    begin()
    own.set(id, padded([point(4, 1, 10)]))
    api.remote.push({ replicaId: 'r2', respond: () => ({ routes: { [id]: 'shared' } }) })
    const { body } = await api.call('GET', `/v1/traffic/routes?ids=${id}`)
    expect(body.items).toEqual([{ id, counted: false, requests: [], serverErrors: [], p95Ms: null }])
  })

  test('are those of other replicas too when this one does not measure its requests', async () => {
    api.observation.traffic.routes = undefined
    api.remote.push({ replicaId: 'r2', respond: () => ({ routes: { [id]: [[1, 0, 0, 0, 0, 0]] } }) })
    const { body } = await api.call('GET', `/v1/traffic/routes?ids=${id}`)
    expect(body.items[0].requests[0]).toBe(1)
  })

  test.each([
    '',
    '?ids=',
    '?ids=x',
    `?ids=${id},`,
    `?ids=${Array.from({ length: 101 }, () => id).join(',')}`,
  ])('refuse %s', async query => {
    expect((await api.call('GET', `/v1/traffic/routes${query}`)).status).toBe(400)
  })
})

describe('the live stream', () => {
  const open = async (query = '', options: CallOptions = {}) =>
    await api.app.fetch(api.request('GET', `/v1/live${query}`, options), {
      incoming: { socket: { remoteAddress: '127.0.0.1' } },
    })
  const has =
    (name: string, count = 1) =>
    (events: readonly SentEvent[]) =>
      events.filter(({ event }) => event === name).length >= count

  test('has the traffic of each second, of all requests and of the services that were named', async () => {
    const response = await open('?services=shop,cart')
    const reading = readEvents(response, has('traffic', 2))
    send('shop', 2)
    send('other', 5)
    const events = await reading
    expect(events.find(({ event }) => event === 'replicas')?.data).toEqual({ watched: ['r1'], missing: [] })
    expect(events.filter(({ event }) => event === 'traffic').map(({ data }) => data)).toMatchObject([
      { replicaId: 'r1', total: [2, 0, 0, 0, 0, 0], services: { shop: [2, 0, 0, 0, 0, 0] } },
      { replicaId: 'r1', total: [5, 0, 0, 0, 0, 0], services: { shop: [0, 0, 0, 0, 0, 0] } },
    ])
  })

  test('has traffic without the database', async () => {
    const { store } = database().open()
    const away = { ...store, adminKeys: { ...store.adminKeys }, changes: { ...store.changes } }
    const { history } = api.observation.traffic
    api = await AdminApiHarness.create(away)
    api.observation.traffic.history = history
    await api.call('GET', '/v1/status')
    const fail = () => Promise.reject(new VeraError('database_unavailable'))
    away.adminKeys.findByPrefix = fail
    away.changes.continuation = fail
    const reading = readEvents(await open(), has('traffic'))
    send('shop', 3)
    expect((await reading).find(({ event }) => event === 'traffic')?.data).toMatchObject({ replicaId: 'r1' })
  })

  test('has the services whose lines changed, together', async () => {
    const reading = readEvents(await open(), has('lines'))
    await eventually('the stream follows lines', () => (api.lineListeners.size > 0 ? true : undefined))
    for (const service of ['a', 'b', 'a']) for (const listener of api.lineListeners) listener(service)
    expect((await reading).at(-1)).toMatchObject({
      event: 'lines',
      data: { services: ['a', 'b'], more: false },
    })
    await eventually('the stream has ended', () => (api.lineListeners.size === 0 ? true : undefined))
  })

  test('bounds the names of services of one event', async () => {
    const reading = readEvents(await open(), has('lines'))
    await eventually('the stream follows lines', () => (api.lineListeners.size > 0 ? true : undefined))
    for (let at = 0; at < 500; at += 1) for (const listener of api.lineListeners) listener(`s${at}`)
    const { data } = (await reading).at(-1)!
    expect([data.services.length, data.more]).toEqual([200, true])
  })

  test('has changes from now on, or after Last-Event-ID, for keys that may read them', async () => {
    const reading = readEvents(await open(), has('change'))
    const created = await api.call('POST', '/v1/services', { body: { name: 'shop' } })
    api.applied(1)
    const [change] = (await reading).filter(({ event }) => event === 'change')
    expect(change?.data).toMatchObject({ entity: 'service', action: 'created', entityId: created.body.id })

    await api.call('POST', '/v1/services', { body: { name: 'cart' } })
    const continued = await readEvents(
      await open('', { headers: { 'last-event-id': change!.id } }),
      has('change'),
    )
    expect(continued.find(({ event }) => event === 'change')?.data).toMatchObject({ after: { name: 'cart' } })
    expect((await open('', { headers: { 'last-event-id': 'x' } })).status).toBe(400)

    const { key } = await api.key(['status:read'])
    const limited = readEvents(await open('', { key }), has('traffic'))
    await api.call('POST', '/v1/services', { body: { name: 'third' } })
    api.applied(2)
    send('shop', 1)
    expect((await limited).map(({ event }) => event)).not.toContain('change')
  })

  test('ends when its key is revoked, and needs the scope status:read', async () => {
    const { key, id } = await api.key(['status:read'])
    const reading = readEvents(await open('', { key }), () => false)
    await database().open().store.adminKeys.revoke(id, { actor: 'test' })
    api.applied(1)
    await reading
    expect((await open('', { key: (await api.key(['routes:read'])).key })).status).toBe(403)
  })

  test.each(['/v1/live', '/v1/requests/stream', '/v1/changes/stream'])(
    '%s ends at once for HEAD',
    async path => {
      const head = () =>
        api.app.fetch(api.request('HEAD', path), { incoming: { socket: { remoteAddress: '127.0.0.1' } } })
      const { length } = [...api.listeners]
      // More than the streams that one key may have at once.
      for (let sent = 0; sent < 60; sent += 1) {
        const response = await head()
        expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
        expect(response.body).toBeNull()
      }
      await eventually('all streams have ended', () => (api.listeners.size === length ? true : undefined))
    },
  )

  test('refuses more services than it sends', async () => {
    const names = Array.from({ length: 101 }, (_, at) => `s${at}`)
    expect((await open(`?services=${names.join(',')}`)).status).toBe(400)
    expect((await open('?services=a,,b')).status).toBe(400)
  })
})
