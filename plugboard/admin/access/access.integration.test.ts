// Authentication, authorization, and the error responses to requests that the API cannot use.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AdminApiHarness } from '../../../test/support/admin-api/admin-api.ts'
import { rawExchange } from '../../../test/support/http/raw-connection.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import type { Store } from '../../database/store/store.ts'
import { startAdminServer } from '../admin-server.ts'
import { createApiKey } from './api-key-format.ts'
import { allowedHosts } from './request-guard.ts'

let database: TestDatabase
let store: Store
let api: AdminApiHarness
beforeAll(async () => {
  database = await createTestDatabase()
  store = database.open().store
})
beforeEach(async () => {
  api = await AdminApiHarness.create(store)
})
afterAll(() => database.drop())

const read = (key: string | null, headers: Record<string, string> = {}) =>
  api.call('GET', '/v1/routes', { key, headers })

describe('keys', () => {
  test('responds with 401 and a reason to a missing key, another scheme, a malformed key and an unknown key', async () => {
    const responses = [
      await read(null),
      await read(null, { authorization: 'Basic YTpi' }),
      await read('nonsense'),
      await read(createApiKey().key),
    ]
    for (const { status, headers, body } of responses) {
      expect([status, body.code]).toEqual([401, 'unauthorized'])
      expect(headers.get('www-authenticate')).toContain('Bearer')
    }
    expect(new Set(responses.map(({ body }) => body.detail as string)).size).toBe(4)
  })

  test('rejects a key with a valid prefix and another secret', async () => {
    const { key } = await api.key(['admin'])
    expect((await read(key)).status).toBe(200)
    const forged = key.slice(0, -1) + (key.endsWith('a') ? 'b' : 'a')
    expect((await read(forged)).status).toBe(401)
  })

  test('rejects a revoked key from the next request on', async () => {
    const { key, id } = await api.key(['routes:read'])
    expect((await read(key)).status).toBe(200)
    expect((await api.call('POST', `/v1/keys/${id}/revoke`)).body).toMatchObject({ state: 'revoked' })
    expect((await read(key)).body.detail).toContain('revoked')
  })

  test('rejects an expired key', async () => {
    const { key } = await api.key(['admin'], new Date(Date.now() - 1000))
    expect((await read(key)).body.detail).toContain('expired')
  })

  test.each([
    [[], 'GET', '/v1/routes', 403],
    [['routes:read'], 'GET', '/v1/routes', 200],
    [['routes:*'], 'GET', '/v1/routes', 200],
    [['routes:write'], 'GET', '/v1/routes', 403],
    [['routes:read'], 'POST', '/v1/routes', 403],
    [['services:*'], 'GET', '/v1/routes', 403],
    [['tokens:read'], 'GET', '/v1/keys', 403],
    [['keys:read'], 'GET', '/v1/signing-keys', 200],
    [['status:read'], 'GET', '/v1/telephones', 200],
    [['status:read'], 'GET', '/v1/changes', 403],
    [['status:read'], 'GET', '/v1/changes/stream', 403],
    [['changes:read'], 'GET', '/v1/changes', 200],
    [['route'], 'GET', '/v1/routes', 403],
  ])('responds to a key with the scopes %j at %s %s with %i', async (scopes, method, path, status) => {
    const { key } = await api.key(scopes)
    const body = method === 'POST' ? { mount: 'a.test', service: 'x' } : undefined
    expect((await api.call(method, path, { key, body })).status).toBe(status)
  })

  test.each([
    [['keys:write'], 'DELETE', '/v1/signing-keys/k1', 403],
    [['keys:*', 'tokens:*'], 'DELETE', '/v1/signing-keys/k1', 403],
    [['admin'], 'DELETE', '/v1/signing-keys/k1', 404],
    [['keys:write'], 'POST', '/v1/signing-keys/rotate', 201],
  ])('requires admin to remove a signing key: %j at %s %s gets %i', async (scopes, method, path, status) => {
    const { key } = await api.key(scopes)
    expect((await api.call(method, path, { key })).status).toBe(status)
  })

  test('rejects a new key with scopes that the key of the request does not have', async () => {
    const { key } = await api.key(['keys:write', 'routes:read'])
    const body = { name: 'mine', scopes: ['routes:read', 'routes:*', 'admin'] }
    const refused = await api.call('POST', '/v1/keys', { key, body })
    expect(refused.body).toMatchObject({
      status: 403,
      errors: [{ pointer: '/scopes/1' }, { pointer: '/scopes/2' }],
    })
    const made = await api.call('POST', '/v1/keys', { key, body: { name: 'mine', scopes: ['routes:read'] } })
    expect(made.status).toBe(201)
  })

  test('delays an address after wrong keys, and never delays a valid key', async () => {
    const clock = new ManualClock(1000, Date.now())
    let queries = 0
    const counting = <Args extends unknown[], Result>(query: (...args: Args) => Result) => {
      return (...args: Args): Result => {
        queries += 1
        return query(...args)
      }
    }
    const { findByPrefix, activeHashes } = store.adminKeys
    const adminKeys = {
      ...store.adminKeys,
      findByPrefix: counting(findByPrefix),
      activeHashes: counting(activeHashes),
    }
    api = await AdminApiHarness.create({ ...store, adminKeys }, { clock })
    // Attempts of a delayed address share one query a second.
    const passing = <Result>(work: Promise<Result>): Promise<Result> =>
      Promise.race([work, clock.advanceAsync(1000, 100).then(() => work)])
    const attempt = (key: string, remoteAddress = '10.0.0.1') =>
      passing(api.call('GET', '/v1/routes', { key, remoteAddress }))
    const known = api.adminKey
    expect((await attempt(known)).status).toBe(200)
    const wrong = Array.from({ length: 100 }, () =>
      api.call('GET', '/v1/routes', { key: createApiKey().key, remoteAddress: '10.0.0.1' }),
    )
    const statuses = (await passing(Promise.all(wrong))).map(({ status }) => status)
    expect(statuses.filter(status => status === 401)).toHaveLength(20)
    expect(statuses.filter(status => status === 429)).toHaveLength(80)
    expect(queries).toBeLessThan(25)

    for (const key of [known, (await api.key(['admin'])).key, (await api.key(['routes:read'])).key]) {
      expect((await attempt(key)).status).toBe(200)
    }
    // Time has passed meanwhile, so the address has some attempts again.
    for (let i = 0; i < 3; i += 1)
      await api.call('GET', '/v1/routes', { key: 'x', remoteAddress: '10.0.0.1' })
    const forged = known.slice(0, -1) + (known.endsWith('a') ? 'b' : 'a')
    const waiting = await attempt(forged)
    expect(waiting.body).toMatchObject({ status: 429, code: 'rate_limited' })
    expect(Number(waiting.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await attempt('nonsense', '10.0.0.2')).status).toBe(401)
  })

  test('counts a revoked or expired key as a wrong key while the address is delayed', async () => {
    const clock = new ManualClock(1000, Date.now())
    api = await AdminApiHarness.create(store, { clock })
    const attempt = async (key: string) => {
      const response = api.call('GET', '/v1/routes', { key })
      return (await Promise.race([response, clock.advanceAsync(1000, 100).then(() => response)])).status
    }
    const revoked = await api.key(['admin'])
    await store.adminKeys.revoke(revoked.id, { actor: 'test' })
    const expired = await api.key(['admin'], new Date(Date.now() - 1000))
    for (let i = 0; i < 30; i += 1) await api.call('GET', '/v1/routes', { key: 'nonsense' })
    expect([await attempt(revoked.key), await attempt(expired.key)]).toEqual([429, 429])
  })
})

describe('while the database is unavailable', () => {
  const away = (): Promise<never> => Promise.reject(new VeraError('database_unavailable'))

  test('responds with 503 and Retry-After, except to status requests with keys that were valid before', async () => {
    const flaky = { ...store, adminKeys: { ...store.adminKeys }, routes: { ...store.routes, list: away } }
    api = await AdminApiHarness.create(flaky, { clock: systemClock })
    expect((await api.call('GET', '/v1/status')).status).toBe(200)
    const listed = await read(api.adminKey)
    expect(listed.body).toMatchObject({ status: 503, code: 'database_unavailable' })
    expect(listed.headers.get('retry-after')).toBe('5')

    flaky.adminKeys.findByPrefix = away
    api.directory.databaseReachable = false
    expect((await api.call('GET', '/v1/status')).body).toMatchObject({
      database: 'unreachable',
      latestSequence: null,
    })
    expect((await api.call('GET', '/v1/services')).status).toBe(503)
    expect((await api.call('GET', '/v1/status', { key: createApiKey().key })).status).toBe(503)
    expect((await api.call('GET', '/readyz', { key: null })).status).toBe(200)
  })
})

describe('requests from browsers', () => {
  test('rejects two Authorization fields, and accepts HTTP/1.0 without a Host', async () => {
    api = await AdminApiHarness.create(store, { allowedHosts: allowedHosts('10.0.0.1', ['admin.test']) })
    const listen = { host: '127.0.0.1', port: 0 }
    const server = await startAdminServer({ app: api.app, listen, log: silentLogger })
    try {
      const ask = (lines: string[]) => rawExchange(server.address.port, [...lines, '', ''].join('\r\n'))
      const key = `Authorization: Bearer ${api.adminKey}`
      // The default probe of HAProxy has no Host.
      expect((await ask(['GET /readyz HTTP/1.0'])).status).toBe(200)
      expect((await ask(['GET /readyz HTTP/1.0', 'Host: evil.test'])).status).toBe(403)
      expect((await ask(['GET /readyz HTTP/1.1'])).status).toBe(400)
      expect((await ask(['GET /v1/routes HTTP/1.1', 'Host: admin.test', key])).status).toBe(200)
      const twice = await ask(['GET /v1/routes HTTP/1.1', 'Host: admin.test', key, 'authorization: Bearer x'])
      expect([twice.status, JSON.parse(twice.body.toString()).errors[0].header]).toEqual([
        400,
        'Authorization',
      ])
    } finally {
      await server.stop(0)
    }
  })

  test('rejects another Host on loopback', async () => {
    api = await AdminApiHarness.create(store, { allowedHosts: allowedHosts('127.0.0.1', ['admin.test']) })
    for (const host of ['localhost:4001', '127.0.0.1', '[::1]:4001', 'LOCALHOST', 'admin.test:1']) {
      expect((await read(api.adminKey, { host })).status).toBe(200)
    }
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:4001']) {
      expect((await read(api.adminKey, { host })).body).toMatchObject({ status: 403, code: 'forbidden' })
      expect((await api.call('GET', '/livez', { headers: { host } })).status).toBe(403)
    }
  })

  test.each([
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ origin: 'http://127.0.0.1:4001', host: '127.0.0.1:4001' }, 200],
    [{ 'sec-fetch-site': 'same-origin' }, 200],
  ])('responds to the fields %o with %i', async (headers, status) => {
    expect((await read(api.adminKey, headers as Record<string, string>)).status).toBe(status)
  })

  test('derives the allowed hosts from the listen address', () => {
    expect(allowedHosts('0.0.0.0', [])).toBeUndefined()
    expect(allowedHosts(undefined, [])).toBeUndefined()
    expect(allowedHosts('10.0.0.1', ['admin.test'])).toEqual(new Set(['10.0.0.1', 'admin.test']))
    expect(allowedHosts('::1', [])).toEqual(new Set(['localhost', '127.0.0.1', '::1']))
  })

  test('sets the security headers and a request id on each response', async () => {
    for (const path of ['/v1/routes', '/nothing', '/livez', '/openapi.json']) {
      const { headers } = await api.call('GET', path, { headers: { 'x-request-id': 'mine' } })
      expect(headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('x-request-id')).toBe('mine')
    }
    expect((await read(api.adminKey, { 'x-request-id': 'a b' })).headers.get('x-request-id')).toMatch(
      /^[0-9a-f-]{36}$/,
    )
  })
})

describe('bad requests', () => {
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    api.call('POST', '/v1/routes', { body, headers })

  test.each([
    ['{"mount":', 400, 'invalid_request'],
    ['', 400, 'invalid_request'],
    ['[]', 400, 'invalid_request'],
    ['null', 400, 'invalid_request'],
    [`{"mount":"a.test","service":"${'x'.repeat(300_000)}"}`, 413, 'payload_too_large'],
  ])('responds to the body %.20j with %i', async (body, status, code) => {
    expect((await post(body)).body).toMatchObject({ status, code })
  })

  test('responds with 415 to another media type, and accepts parameters of the media type', async () => {
    expect((await post('mount=a', { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415)
    expect((await post('{}', { 'content-type': 'text/plain' })).status).toBe(415)
    expect(
      (await post({ mount: 'a.test' }, { 'content-type': 'application/json; charset=utf-8' })).status,
    ).toBe(400)
  })

  test('names all wrong fields in one error', async () => {
    const { body } = await post({ mount: 3, colour: 'red', options: { 'a/b': 1 } })
    expect(body.errors).toEqual([
      { pointer: '/mount', detail: 'must be a string' },
      { pointer: '/options/a~1b', detail: 'unknown field' },
      { pointer: '/colour', detail: 'unknown field' },
    ])
  })

  test('responds with 404 to an unknown path, and with 405 and Allow to an unknown method', async () => {
    expect((await api.call('GET', '/v1/nothing')).body).toMatchObject({ status: 404, code: 'not_found' })
    expect((await api.call('GET', '/v1/nothing', { key: null })).status).toBe(401)
    const wrong = await api.call('PUT', '/v1/routes/x', { body: {} })
    expect(wrong.body).toMatchObject({ status: 405, code: 'method_not_allowed' })
    expect(wrong.headers.get('allow')).toBe('DELETE, GET, HEAD, OPTIONS, PATCH')
    const options = await api.call('OPTIONS', '/v1/routes')
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS, POST'])
  })

  test('does not reveal the details of an unexpected error', async () => {
    const list = () => Promise.reject(new Error('password=hunter2'))
    api = await AdminApiHarness.create({ ...store, routes: { ...store.routes, list } })
    const { status, body } = await read(api.adminKey)
    expect([status, body.code]).toEqual([500, 'internal_error'])
    expect(JSON.stringify(body)).not.toContain('hunter2')
  })
})
