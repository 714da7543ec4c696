// Tests the rules of routes over HTTP, on a real database: the accepted options, the stored options, the shown options.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { AdminApiHarness } from '../../../../test/support/admin-api/admin-api.ts'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres/postgres.ts'
import { administer } from '../../../../test/support/postgres/postgres-setup.ts'
import { verifyPassword } from '../../../common/passwords/password-hash.ts'
import { OutboundNetworks } from '../../../routes/options/outbound-networks.ts'

let database: TestDatabase
let api: AdminApiHarness
beforeEach(async () => {
  database = await createTestDatabase()
  api = await AdminApiHarness.create(database.open().store)
  await api.call('POST', '/v1/services', { body: { name: 'shop' } })
})
afterEach(() => database.drop())

const query = (text: string) => administer(database.url, text)
const add = (body: object) => api.call('POST', '/v1/routes', { body })
const change = (mount: string, body: object) =>
  api.call('PATCH', `/v1/routes/${encodeURIComponent(mount)}`, { body, headers: { 'if-match': '*' } })

test('one error reports every problem with its place', async () => {
  const { status, body } = await add({
    mount: 'a.test',
    service: 'shop',
    options: {
      access: { allow: ['10.0.0.1', 'home'], basic: { users: [{ name: 'ada', hash: '$2y$10$abc' }] } },
      requestHeaders: { set: { Host: 'x' } },
      hsts: { maxAgeSeconds: -1, colour: 'red' },
      respond: { status: 302 },
    },
  })
  expect(status).toBe(400)
  expect(body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
    '/options/access/allow/1',
    '/options/access/basic/users/0/hash',
    '/options/hsts/colour',
    '/options/hsts/maxAgeSeconds',
    '/options/requestHeaders/set/Host',
    '/options/respond/status',
  ])
  expect(body.detail).toContain('give "password" instead')
})

test('rejects a rule that could not be enforced, in new routes and in changes', async () => {
  const jwt = '"issuer":"https://i.test","audience":"a","jwksUrl":"https://i.test/jwks"'
  const rules = [
    [`{"access":{"jwt":{${jwt},"claims":{"__proto__":"admin"}}}}`, '/options/access/jwt/claims/__proto__'],
    [`{"access":{"jwt":{${jwt},"forward":{"__proto__":"X-A"}}}}`, '/options/access/jwt/forward/__proto__'],
    ['{"requestHeaders":{"set":{"__proto__":"x"}}}', '/options/requestHeaders/set/__proto__'],
    ['{"access":{"__proto__":{"allow":["10.0.0.1"]}}}', '/options/access/__proto__'],
    ['{"__proto__":{"access":{}}}', '/options/__proto__'],
  ] as const
  await add({ mount: 'b.test', service: 'shop' })
  for (const [options, pointer] of rules) {
    const body = `{"mount":"a.test","service":"shop","options":${options}}`
    const created = await api.call('POST', '/v1/routes', { body })
    expect(created.body, options).toMatchObject({ status: 400, errors: [{ pointer }] })
    const headers = { 'if-match': '*' }
    const changed = await api.call('PATCH', '/v1/routes/b.test', { body: `{"options":${options}}`, headers })
    expect(changed.body, options).toMatchObject({ status: 400, errors: [{ pointer }] })
  }
})

test('rejects a jwksUrl that leads to this machine or to a private network, unless it is allowed', async () => {
  const pointer = '/options/access/jwt/jwksUrl'
  const options = (jwksUrl: string) => ({ access: { jwt: { issuer: 'i', audience: 'a', jwksUrl } } })
  for (const url of [
    'http://localhost:1/',
    'https://localhost/',
    'http://127.0.0.1/',
    'https://10.0.0.1/jwks',
    'https://169.254.169.254/',
    'https://[::1]/',
    'https://2130706433/',
    'https://[::ffff:10.0.0.1]/',
  ]) {
    const made = await add({ mount: 'a.test', service: 'shop', options: options(url) })
    expect(made.body, url).toMatchObject({ status: 400, errors: [{ pointer }] })
    expect(made.body.detail, url).toContain('outboundNetworks')
  }
  expect((await add({ mount: 'a.test', service: 'shop', options: options('https://i.test/') })).status).toBe(
    201,
  )
  const changed = await change('a.test', { options: options('https://192.168.0.1/') })
  expect(changed.body).toMatchObject({ status: 400, errors: [{ pointer }] })

  const outbound = new OutboundNetworks(['127.0.0.0/8', '10.0.0.0/8'])
  api = await AdminApiHarness.create(database.open().store, { outbound })
  expect((await change('a.test', { options: options('http://localhost:1/') })).status).toBe(200)
  expect((await change('a.test', { options: options('https://10.0.0.1/') })).status).toBe(200)
  expect((await change('a.test', { options: options('https://10.0.0.1/') })).status).toBe(200)
  // The stored URL violates the rule, but changes of other options are still accepted.
  api = await AdminApiHarness.create(database.open().store)
  expect((await change('a.test', { options: { stripMount: true } })).status).toBe(200)
})

test('stores only the hash of a password, and does not show the hash in changes', async () => {
  const users = [{ name: 'ada', password: 'correct horse' }]
  const created = await add({ mount: 'a.test', service: 'shop', options: { access: { basic: { users } } } })
  expect(created.status).toBe(201)
  const [user] = created.body.options.access.basic.users
  expect(await verifyPassword('correct horse', user.hash)).toBe(true)
  const more = [user, { name: 'bob', password: 'battery' }]
  const changed = await change('a.test', { options: { access: { basic: { users: more } } } })
  expect(changed.body.options.access.basic.users).toMatchObject([user, { name: 'bob' }])
  const rows = await query('SELECT options::text AS text FROM plugboard.routes')
  const log = await query('SELECT before::text || after::text AS text FROM plugboard.changes')
  const changes = await api.call('GET', '/v1/changes')
  const stored = JSON.stringify([rows, log, changes.body, created.body])
  expect(stored).not.toMatch(/correct horse|battery/)
  expect(JSON.stringify(changes.body)).not.toContain('scrypt')
  expect(JSON.stringify(changes.body)).toContain('***')
})

test('only a route with a response of Plugboard itself needs no service', async () => {
  const redirect = { to: 'https://new.test' }
  const created = await add({ mount: 'old.test', options: { redirect } })
  expect(created).toMatchObject({
    status: 201,
    body: { service: null, serviceId: null, options: { redirect } },
  })
  expect((await api.call('GET', '/v1/routes')).body.items).toMatchObject([
    { mount: 'old.test', service: null },
  ])
  expect((await api.call('GET', '/v1/routes?service=shop')).body.items).toEqual([])
  expect(await add({ mount: 'b.test' })).toMatchObject({
    status: 400,
    body: { errors: [{ pointer: '/service' }] },
  })
  const beneath = await add({ mount: 'old.test/x', service: 'shop' })
  expect(beneath).toMatchObject({ status: 409, body: { code: 'mount_conflict' } })
  expect(beneath.body.detail).toMatch(
    new RegExp(
      String.raw`mounts old\.test\. Choose another mount, .*: plugboard route rm ${created.body.id}$`,
    ),
  )

  expect(await change('old.test', { options: { redirect: null } })).toMatchObject({
    status: 400,
    body: { errors: [{ pointer: '/service' }] },
  })
  const served = await change('old.test', { service: 'shop', options: { redirect: null } })
  expect(served).toMatchObject({ status: 200, body: { service: 'shop', options: {} } })
  expect((await change('old.test', { service: null })).status).toBe(400)
  const respond = { status: 503, body: 'later' }
  expect((await change('old.test', { service: null, options: { respond } })).status).toBe(200)
  expect((await api.call('DELETE', '/v1/services/shop', { headers: { 'if-match': '*' } })).status).toBe(204)
})

test('the old name of an option is rejected with its new name, in new routes and in changes', async () => {
  const renamed = {
    status: 400,
    body: {
      detail: '/options/answer: this option is named "respond" now: rename the key',
      errors: [{ pointer: '/options/answer' }],
    },
  }
  const response = { status: 503 }
  expect(await add({ mount: 'a.test', service: 'shop', options: { answer: response } })).toMatchObject(
    renamed,
  )
  await add({ mount: 'a.test', service: 'shop' })
  expect(await change('a.test', { options: { answer: response } })).toMatchObject(renamed)
  // Only options of routes have former names.
  const elsewhere = await add({ mount: 'b.test', service: 'shop', answer: response })
  expect(elsewhere.body.detail).toBe('/answer: unknown field')
})

test('the database itself rejects a route without a service and without a response', async () => {
  await add({ mount: 'old.test', options: { redirect: { to: 'https://new.test' } } })
  const write = query(`UPDATE plugboard.routes SET options = '{}'`)
  await expect(write).rejects.toMatchObject({ constraint: 'routes_service_or_response' })
})

test('keeps an option of a newer version when another option changes, and does not show its requirement', async () => {
  await add({ mount: 'a.test', service: 'shop' })
  await query(`UPDATE plugboard.routes SET options = '{"geo": ["NZ"], "requires": {"geo": "0.3.0"}}'`)
  const changed = await change('a.test', { options: { stripMount: true } })
  expect(changed).toMatchObject({ status: 200, body: { options: { geo: ['NZ'], stripMount: true } } })
  expect(changed.body.options).not.toHaveProperty('requires')
  const rows = await query('SELECT options FROM plugboard.routes')
  expect(rows).toEqual([{ options: { geo: ['NZ'], stripMount: true, requires: { geo: '0.3.0' } } }])
})

test('rejects a redirect to its own mount, also when the mount moves', async () => {
  const options = { redirect: { to: 'https://www.a.test/' } }
  expect((await add({ mount: 'www.a.test', options })).body.errors).toMatchObject([
    { pointer: '/options/redirect/to', detail: expect.stringContaining('leads back') },
  ])
  expect((await add({ mount: 'a.test', options })).status).toBe(201)
  expect((await change('a.test', { mount: 'www.a.test' })).status).toBe(400)
  expect((await change('a.test', { options: { respond: {} } })).body.errors).toMatchObject([
    { pointer: '/options/respond' },
  ])
  const respelled = { mount: 'b.test/old', options: { redirect: { to: '/%6fld/new' } } }
  expect((await add(respelled)).body.errors).toMatchObject([{ pointer: '/options/redirect/to' }])
})

test('checks limits and fixed responses against the whole route, also in a change of one part', async () => {
  const problems = async (response: Promise<{ body: { errors?: { pointer: string }[] } }>) =>
    ((await response).body.errors ?? []).map(({ pointer }) => pointer)
  const limit = { name: 'a', limit: 1 }
  await add({ mount: 'a.test/api', service: 'shop', options: { rateLimits: [limit] } })
  for (const [changed, pointer] of [
    [{ key: ['user'] }, '/options/rateLimits/0/key/0'],
    [{ match: { path: '/other' } }, '/options/rateLimits/0/match/path'],
  ] as const) {
    const options = { rateLimits: [{ ...limit, ...changed }] }
    expect(await problems(change('a.test/api', { options }))).toEqual([pointer])
  }
  await change('a.test/api', { options: { rateLimits: [{ ...limit, match: { path: '/api/x' } }] } })
  expect(await problems(change('a.test/api', { mount: 'a.test/v2' }))).toEqual([
    '/options/rateLimits/0/match/path',
  ])
  const options = { rateLimits: null, respond: { except: ['10.0.0.0/8'] } }
  expect(await problems(change('a.test/api', { service: null, options }))).toEqual(['/service'])
  expect(await problems(change('a.test/api', { options }))).toEqual([])
  expect(await problems(change('a.test/api', { service: null }))).toEqual(['/service'])
})
