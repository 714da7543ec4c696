// Requests of elements in pages of other origins: the listed origins, the paths, and the keys that they may use.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AdminApiHarness } from '../../../test/support/admin-api/admin-api.ts'
import { readEvents } from '../../../test/support/http/event-stream.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import { SERVICE_HISTORY, TrafficHistory } from '../../observe/traffic/traffic-history.ts'
import { DASHBOARD_PATH } from '../session/dashboard-sessions.ts'

const APP = 'https://app.test'
const LOCAL = 'http://localhost:3000'

let database: TestDatabase
let api: AdminApiHarness
let key: string
beforeAll(async () => {
  database = await createTestDatabase()
  const embeddingOrigins = new Set([APP, LOCAL])
  api = await AdminApiHarness.create(database.open().store, { embeddingOrigins })
  key = (await api.key(['status:read'])).key
})
afterAll(() => database.drop())

const read = (origin: string, path = '/v1/status', credential: string | null = key) =>
  api.call('GET', path, {
    key: credential,
    headers: { origin, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' },
  })
const preflight = (origin: string, path: string, method = 'GET') =>
  api.app.fetch(
    api.request('OPTIONS', path, {
      key: null,
      headers: {
        origin,
        'sec-fetch-site': 'cross-site',
        'access-control-request-method': method,
        'access-control-request-headers': 'authorization',
      },
    }),
  )

describe('a page of a listed origin', () => {
  test.each(['/v1/status', '/v1/traffic', '/v1/outages', '/v1/replicas', '/v1/telephones'])(
    'reads %s with a key',
    async path => {
      const { status, headers } = await read(APP, path)
      expect(status).toBe(200)
      expect(headers.get('access-control-allow-origin')).toBe(APP)
      expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin')
      expect(headers.get('access-control-allow-credentials')).toBeNull()
      expect(headers.get('vary')).toContain('Origin')
    },
  )

  test('gets the origin that it has sent, and not the other listed one', async () => {
    expect((await read(LOCAL)).headers.get('access-control-allow-origin')).toBe(LOCAL)
  })

  test('can read the reason of a refusal', async () => {
    const { status, headers } = await read(APP, '/v1/status', null)
    expect([status, headers.get('access-control-allow-origin')]).toEqual([401, APP])
  })

  test('follows the event stream', async () => {
    const history = new TrafficHistory({ ...SERVICE_HISTORY, counters: () => [], clock: systemClock })
    api.observation.traffic.history = history
    const headers = { origin: APP, 'sec-fetch-site': 'cross-site' }
    const request = api.request('GET', '/v1/live', { key, headers })
    const response = await api.app.fetch(request, { incoming: { socket: { remoteAddress: '127.0.0.1' } } })
    expect(response.headers.get('access-control-allow-origin')).toBe(APP)
    expect(response.status).toBe(200)
    expect((await readEvents(response, all => all.length > 0))[0]).toMatchObject({ event: 'replicas' })
    history.stop()
  })

  test('gets the permission for GET with Authorization from a preflight', async () => {
    const response = await preflight(APP, '/v1/live')
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-origin')).toBe(APP)
    expect(response.headers.get('access-control-allow-methods')).toBe('GET')
    expect(response.headers.get('access-control-allow-headers')).toBe('Authorization')
    expect(response.headers.get('access-control-allow-credentials')).toBeNull()
  })

  test.each([
    ['POST', '/v1/status'],
    ['DELETE', '/v1/live'],
    ['GET', '/v1/routes'],
    ['GET', '/v1/keys'],
    ['GET', '/v1/session'],
    ['GET', '/metrics'],
  ])('gets 403 without permission for a preflight of %s %s', async (method, path) => {
    const response = await preflight(APP, path, method)
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([403, null])
  })

  test.each([
    ['GET', '/v1/routes'],
    ['GET', '/v1/changes'],
    ['POST', '/v1/routes'],
    ['GET', '/v1/status/'],
    ['GET', '/dashboard/'],
  ])('gets 403 for %s %s', async (method, path) => {
    const body = method === 'POST' ? { mount: 'a.test', service: 'x' } : undefined
    const response = await api.app.fetch(api.request(method, path, { key, body, headers: { origin: APP } }))
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([403, null])
  })

  test.each([
    [['admin'], 'admin'],
    [['status:read', 'routes:write'], 'routes:write'],
    [['status:read', 'services:*'], 'services:*'],
    [['status:read', 'traffic:replay'], 'traffic:replay'],
  ])('gets 403 with a key that has the scopes %j', async (scopes, named) => {
    const other = await api.key(scopes)
    const { status, headers, body } = await read(APP, '/v1/status', other.key)
    expect([status, headers.get('access-control-allow-origin')]).toEqual([403, APP])
    expect(body.detail).toContain(`has the scope ${named},`)
    expect((await api.call('GET', '/v1/status', { key: other.key })).status).toBe(200)
  })

  test('cannot use the session of the dashboard', async () => {
    const login = await api.call('POST', '/v1/session', { headers: { 'x-forwarded-proto': 'http' } })
    const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? ''
    const own = { cookie, 'sec-fetch-site': 'same-origin' }
    expect((await api.call('GET', '/v1/status', { key: null, headers: own })).status).toBe(200)
    // Browsers send no Sec-Fetch-Site over http to another machine.
    for (const site of [{ 'sec-fetch-site': 'same-site' }, {}]) {
      const headers = { cookie, origin: APP, ...site }
      const { status, body } = await api.call('GET', '/v1/status', { key: null, headers })
      expect([status, body.code]).toEqual([401, 'unauthorized'])
    }
  })
})

describe('a page of another origin', () => {
  test.each([
    'https://evil.test',
    'null',
    'http://app.test',
    'https://app.test:8443',
    'https://app.test:443',
    'https://APP.test',
    'https://sub.app.test',
    'https://app.test.evil.test',
    'http://localhost:3001',
    '',
  ])('gets 403 with the origin %j, for requests and for preflights', async origin => {
    const { status, headers, body } = await read(origin)
    expect([status, headers.get('access-control-allow-origin')]).toEqual([403, null])
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
    expect(body.detail).toContain('dashboardOrigins')
    expect((await preflight(origin, '/v1/status')).status).toBe(403)
  })

  test('gets 403 for a script without an origin', async () => {
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }
    const path = `${DASHBOARD_PATH}elements.js`
    const response = await api.app.fetch(api.request('GET', path, { key: null, headers }))
    expect(response.status).toBe(403)
  })
})

test('responses for the page of Plugboard itself vary by origin too', async () => {
  const { headers } = await api.call('GET', '/v1/status', { key })
  expect(headers.get('vary')).toContain('Origin')
  expect(headers.get('access-control-allow-origin')).toBeNull()
  expect((await api.call('GET', '/v1/routes')).headers.get('vary') ?? '').not.toContain('Origin')
})
