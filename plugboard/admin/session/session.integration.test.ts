// Sessions of the dashboard through the admin API: start, use, end, and requests of other pages.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AdminApiHarness, type CallResponse } from '../../../test/support/admin-api/admin-api.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import type { Store } from '../../database/store/store.ts'
import { prefixOf } from '../access/api-key-format.ts'
import { DashboardSessions } from './dashboard-sessions.ts'

const ORIGIN = 'http://127.0.0.1:4001'
const HOUR_MS = 3_600_000

let database: TestDatabase
let store: Store
let clock: ManualClock
let api: AdminApiHarness
beforeAll(async () => {
  database = await createTestDatabase()
  store = database.open().store
})
beforeEach(async () => {
  clock = new ManualClock(1000, Date.now())
  api = await AdminApiHarness.create(store, { clock, sessions: new DashboardSessions({ clock }) })
})
afterAll(() => database.drop())

const cookieOf = ({ headers }: CallResponse): string => headers.get('set-cookie')?.split(';')[0] ?? ''

/** Returns the cookie of a new session. */
async function login(key = api.adminKey, headers: Record<string, string> = {}): Promise<string> {
  const started = await api.call('POST', '/v1/session', { key, headers: { origin: ORIGIN, ...headers } })
  expect(started.status).toBe(201)
  return cookieOf(started)
}

/** Sends a request as the dashboard does. */
const call = (method: string, path: string, cookie: string, headers: Record<string, string> = {}) => {
  const own = { 'sec-fetch-site': 'same-origin', ...(method === 'GET' ? {} : { origin: ORIGIN }) }
  return api.call(method, path, { key: null, headers: { cookie, ...own, ...headers } })
}

describe('a session', () => {
  test('starts with a key, and acts with its scopes and its name', async () => {
    const { key, id } = await api.key(['routes:read'])
    const started = await api.call('POST', '/v1/session', { key, headers: { origin: ORIGIN } })
    expect(started.headers.get('set-cookie')).toMatch(
      /^plugboard-session=[\w.-]+; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    )
    expect(started.body.key).toEqual({ id, name: 'test', scopes: ['routes:read'] })
    const cookie = cookieOf(started)
    expect((await call('GET', '/v1/routes', cookie)).status).toBe(200)
    expect((await call('GET', '/v1/services', cookie)).status).toBe(403)
    const { body } = await call('GET', '/v1/session', `theme=dark; ${cookie}`)
    expect(body).toMatchObject({ key: { id }, expiresAt: started.body.expiresAt, replicaId: 'r1' })
  })

  test('has a cookie for https alone where the browser uses https', async () => {
    const headers = { host: 'admin.test', origin: 'https://admin.test' }
    const started = await api.call('POST', '/v1/session', { headers })
    const field = started.headers.get('set-cookie')
    expect(field).toMatch(/^__Host-plugboard-session=.*; Path=\/; .*; Secure$/)
    expect((await call('GET', '/v1/session', cookieOf(started), headers)).status).toBe(200)
  })

  test('ends after 12 hours, or with its key', async () => {
    const cookie = await login()
    clock.advance(12 * HOUR_MS - 1000)
    expect((await call('GET', '/v1/session', cookie)).status).toBe(200)
    clock.advance(2000)
    expect((await call('GET', '/v1/session', cookie)).body.detail).toContain('has ended')

    const { key } = await api.key(['admin'], new Date(clock.wallTime() + HOUR_MS))
    const started = await api.call('POST', '/v1/session', { key })
    expect(Date.parse(started.body.expiresAt)).toBeLessThanOrEqual(clock.wallTime() + HOUR_MS)
  })

  test('ends at once when its key is revoked', async () => {
    const { key, id } = await api.key(['admin'])
    const cookie = await login(key)
    expect((await call('GET', '/v1/routes', cookie)).status).toBe(200)
    await api.call('POST', `/v1/keys/${id}/revoke`)
    const refused = await call('GET', '/v1/routes', cookie)
    expect([refused.status, refused.body.detail]).toEqual([401, 'The API key has been revoked.'])
  })

  test('is removed from the browser by DELETE', async () => {
    const cookie = await login()
    const ended = await call('DELETE', '/v1/session', cookie)
    expect(ended.status).toBe(204)
    expect(ended.headers.get('set-cookie')).toBe(
      'plugboard-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict',
    )
  })

  test('starts no other session and no link', async () => {
    const cookie = await login()
    expect((await call('POST', '/v1/session', cookie)).status).toBe(403)
    expect((await call('POST', '/v1/session/links', cookie)).status).toBe(403)
  })

  test('writes as its key', async () => {
    const { key, id } = await api.key(['admin'])
    const cookie = await login(key)
    const created = await api.call('POST', '/v1/services', {
      key: null,
      headers: { cookie, origin: ORIGIN, 'sec-fetch-site': 'same-origin' },
      body: { name: 'from-the-dashboard' },
    })
    expect(created.status).toBe(201)
    const { body } = await api.call('GET', '/v1/changes?entity=service&limit=1')
    expect(body.items[0]).toMatchObject({ actor: `admin-key:${id}` })
  })

  test('lasts for five minutes without the database, for operations from memory', async () => {
    const away = { ...store, adminKeys: { ...store.adminKeys } }
    api = await AdminApiHarness.create(away, { clock, sessions: new DashboardSessions({ clock }) })
    const cookie = await login()
    await call('GET', '/v1/status', cookie)
    away.adminKeys.findByPrefix = () => Promise.reject(new VeraError('database_unavailable'))
    for (const path of ['session', 'traffic', 'limits', 'doctor', 'outages'])
      expect((await call('GET', `/v1/${path}`, cookie)).status, path).toBe(200)
    expect((await call('GET', '/metrics', cookie)).status).toBe(200)
    expect((await call('GET', '/v1/services/none/processes', cookie)).status).toBe(404)
    expect((await call('GET', '/v1/routes', cookie)).status).toBe(503)
    clock.advance(5 * 60_000)
    expect((await call('GET', '/v1/session', cookie)).status).toBe(503)
  })
})

describe('a database that does not respond', () => {
  test('delays operations from memory by a second, and a late revocation still ends the session', async () => {
    const frozen = { ...store, adminKeys: { ...store.adminKeys } }
    api = await AdminApiHarness.create(frozen, { clock, sessions: new DashboardSessions({ clock }) })
    const cookie = await login()
    await call('GET', '/v1/status', cookie)
    const row = await store.adminKeys.findByPrefix(prefixOf(api.adminKey))
    const found = Promise.withResolvers<typeof row>()
    const asked = Promise.withResolvers<void>()
    frozen.adminKeys.findByPrefix = () => {
      asked.resolve()
      return found.promise
    }
    const reading = call('GET', '/v1/status', cookie)
    await asked.promise
    clock.advance(1000)
    expect((await reading).status).toBe(200)

    found.resolve({ ...row!, revokedAt: new Date() })
    frozen.adminKeys.findByPrefix = () => Promise.reject(new VeraError('database_unavailable'))
    expect((await call('GET', '/v1/status', cookie)).status).toBe(503)
  })
})

describe('the cookie of a session', () => {
  test('counts only in requests of the dashboard', async () => {
    const cookie = await login()
    for (const site of ['same-site', 'cross-site', 'none'])
      expect((await call('GET', '/v1/routes', cookie, { 'sec-fetch-site': site })).status).toBe(403)
    // A page of the same host on another port.
    const other = { origin: 'http://127.0.0.1:4000', 'sec-fetch-site': 'same-site' }
    expect((await call('POST', '/v1/services', cookie, other)).status).toBe(403)
    const bare = await api.call('DELETE', '/v1/session', { key: null, headers: { cookie } })
    expect([bare.status, bare.body.detail]).toEqual([
      403,
      expect.stringContaining('only in requests of the dashboard'),
    ])
  })

  test('needs Referer of the same origin where the browser sends no Sec-Fetch-Site', async () => {
    const cookie = await login()
    const get = async (referer?: string) => {
      const headers = { cookie, host: 'plug.lan:4001', ...(referer === undefined ? {} : { referer }) }
      return (await api.call('GET', '/v1/routes', { key: null, headers })).status
    }
    expect(await get('http://plug.lan:4001/dashboard/')).toBe(200)
    expect(await get()).toBe(403)
    expect(await get('http://plug.lan:4000/')).toBe(403)
    expect(await get('http://plug.lan:40010/')).toBe(403)
    expect(await get('plug.lan:4001')).toBe(403)
  })

  test('has the prefix __Host- over https: another cookie there can be of a page on plain http', async () => {
    const secure = (await login(api.adminKey, { host: 'admin.test', origin: 'https://admin.test' })).replace(
      /^.*?=/,
      '',
    )
    const get = async (name: string, headers: Record<string, string>) =>
      (await call('GET', '/v1/session', `${name}=${secure}`, { host: 'admin.test', ...headers })).status
    const https = { referer: 'https://admin.test/dashboard/' }
    expect(await get('__Host-plugboard-session', https)).toBe(200)
    expect(await get('plugboard-session', https)).toBe(401)
    // Without Referer: a browser sends Sec-Fetch-Site to this host over https only.
    expect(await get('__Host-plugboard-session', {})).toBe(200)
    expect(await get('plugboard-session', {})).toBe(401)
    const local = { host: 'localhost:4001', referer: 'http://localhost:4001/dashboard/' }
    expect(await get('plugboard-session', local)).toBe(200)
    const both = `plugboard-session=${secure}; __Host-plugboard-session=forged`
    expect((await call('GET', '/v1/session', both, { host: 'admin.test', ...https })).status).toBe(401)
  })

  test('gets 401 when it is forged, and the valid one of several counts', async () => {
    const cookie = await login()
    expect((await call('GET', '/v1/routes', `${cookie}x`)).status).toBe(401)
    expect((await call('GET', '/v1/routes', 'plugboard-session=')).status).toBe(401)
    expect((await call('GET', '/v1/routes', `plugboard-session=planted; ${cookie}`)).status).toBe(200)
  })

  test('gives way to a key in Authorization', async () => {
    const cookie = await login()
    const { key } = await api.key(['services:read'])
    expect((await api.call('GET', '/v1/routes', { key, headers: { cookie } })).status).toBe(403)
  })
})

describe('a one-time link', () => {
  const linkCode = async (key = api.adminKey): Promise<string> => {
    const { body, status } = await api.call('POST', '/v1/session/links', { key })
    expect(status).toBe(201)
    return new URL(body.path, ORIGIN).hash.slice('#code='.length)
  }

  test('starts one session of the key that made it', async () => {
    const { key, id } = await api.key(['status:read'])
    const code = await linkCode(key)
    const cookie = await login(code)
    expect((await call('GET', '/v1/session', cookie)).body.key).toMatchObject({ id, scopes: ['status:read'] })
    const again = await api.call('POST', '/v1/session', { key: code })
    expect([again.status, again.body.detail]).toEqual([401, expect.stringContaining('plugboard dashboard')])
  })

  test('starts one session of several requests at once', async () => {
    const code = await linkCode()
    const all = await Promise.all(
      Array.from({ length: 5 }, () => api.call('POST', '/v1/session', { key: code })),
    )
    expect(all.map(({ status }) => status).sort()).toEqual([201, 401, 401, 401, 401])
  })

  test('is no credential of other operations', async () => {
    const code = await linkCode()
    expect((await api.call('GET', '/v1/routes', { key: code })).status).toBe(401)
    expect((await api.call('POST', '/v1/session', { key: code })).status).toBe(201)
  })

  test('does not work when its key has been revoked', async () => {
    const { key, id } = await api.key(['admin'])
    const code = await linkCode(key)
    await api.call('POST', `/v1/keys/${id}/revoke`)
    expect((await api.call('POST', '/v1/session', { key: code })).status).toBe(401)
  })

  test('that is guessed delays its address', async () => {
    const guess = (at: number) =>
      api.call('POST', '/v1/session', { key: `vsl_${String(at).padStart(32, '0')}` })
    const statuses: number[] = []
    for (let at = 0; at < 30; at += 1) statuses.push((await guess(at)).status)
    expect(statuses.filter(status => status === 401)).toHaveLength(20)
    expect(statuses.filter(status => status === 429)).toHaveLength(10)
  })
})
