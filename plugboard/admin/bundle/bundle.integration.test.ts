import { gzipSync } from 'node:zlib'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AdminApiHarness, CallResponse } from '../../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../../test/support/admin-api/use-admin-api.ts'
import { administer } from '../../../test/support/postgres/postgres-setup.ts'
import type { Store } from '../../database/store/store.ts'
import { createApiKey } from '../access/api-key-format.ts'

let api: AdminApiHarness
const database = useAdminApi(created => {
  api = created
})

interface Options {
  readonly query?: string
  readonly key?: string
  readonly headers?: Record<string, string>
}

/** Sends a bundle with the version, unless the body is a text. */
function put(
  bundle: object | string,
  { query = '', key, headers = {} }: Options = {},
): Promise<CallResponse> {
  const body = typeof bundle === 'string' ? bundle : { version: 1, ...bundle }
  return api.call('PUT', `/v1/bundle${query}`, { body, headers, ...(key !== undefined && { key }) })
}

const rowsOf = async (kind: 'services' | 'routes'): Promise<Record<string, unknown>[]> =>
  (await api.call('GET', `/v1/${kind}?limit=500`)).body.items

const mounts = async () => (await rowsOf('routes')).map(({ mount }) => mount)
const names = async () => (await rowsOf('services')).map(({ name }) => name)

/** Resolves with the pointers of the problems. */
const pointersOf = ({ body }: CallResponse): string[] =>
  (body.errors ?? []).map(({ pointer }: { pointer: string }) => pointer)

let store: Store
beforeAll(() => {
  store = database().open({ maxConnections: 2 }).store
})
// The database belongs to the file.
beforeEach(async () => {
  await administer(
    database().url,
    `UPDATE plugboard.routes SET deleted_at = now() WHERE deleted_at IS NULL;
     UPDATE plugboard.services SET deleted_at = now() WHERE deleted_at IS NULL`,
  )
})

const SHOP = {
  services: [{ name: 'shop', policy: { retries: 3 } }],
  routes: [
    { mount: 'shop.test/api', service: 'shop', options: { stripMount: true } },
    { mount: 'old.shop.test', options: { redirect: { to: 'https://shop.test' } } },
  ],
}

describe('a bundle', () => {
  it('creates services and routes in one transaction, and does nothing the second time', async () => {
    const first = await put(SHOP)
    expect(first.status).toBe(200)
    expect(first.body).toMatchObject({
      dryRun: false,
      bundle: expect.any(String),
      services: { created: 1, changed: 0, deleted: 0, unchanged: 0 },
      routes: { created: 2, changed: 0, deleted: 0, unchanged: 0 },
    })
    expect(first.body.items).toContainEqual({
      action: 'created',
      entity: 'route',
      name: 'shop.test/api',
      before: null,
      after: { mount: 'shop.test/api', service: 'shop', options: { stripMount: true } },
    })
    expect(await mounts()).toEqual(['old.shop.test', 'shop.test/api'])
    const changes = (await api.call('GET', '/v1/changes?limit=3')).body.items
    expect(new Set(changes.map(({ bundle }: { bundle: string }) => bundle))).toEqual(
      new Set([first.body.bundle]),
    )
    expect(changes[0].actor).toMatch(/^admin-key:/)
    expect(changes[0].sequence).toBe(first.body.sequence)

    const second = await put(SHOP)
    expect(second.body).toMatchObject({
      bundle: null,
      sequence: first.body.sequence,
      services: { unchanged: 1 },
      routes: { created: 0, unchanged: 2 },
      items: [],
    })
  })

  it('responds with the values before and after each change, and keeps absent rows by default', async () => {
    await put(SHOP)
    const { status, body } = await put({
      services: [{ name: 'shop' }, { name: 'blog' }],
      routes: [{ mount: 'SHOP.test/api/', service: 'blog' }],
    })
    expect(status).toBe(200)
    expect(body.items).toEqual([
      {
        action: 'created',
        entity: 'service',
        name: 'blog',
        before: null,
        after: { name: 'blog', policy: {} },
      },
      {
        action: 'changed',
        entity: 'service',
        name: 'shop',
        before: { name: 'shop', policy: { retries: 3 } },
        after: { name: 'shop', policy: {} },
      },
      {
        action: 'changed',
        entity: 'route',
        name: 'shop.test/api',
        before: { mount: 'shop.test/api', service: 'shop', options: { stripMount: true } },
        after: { mount: 'shop.test/api', service: 'blog', options: {} },
      },
    ])
    const route = (await api.call('GET', `/v1/routes/${encodeURIComponent('shop.test/api')}`)).body
    expect(route).toMatchObject({ service: 'blog', options: {}, version: 2 })
    expect(await mounts()).toContain('old.shop.test')
  })

  it('deletes absent rows with prune, except claimed routes and their services', async () => {
    await put({ ...SHOP, services: [...SHOP.services, { name: 'unused' }] })
    await store.claimMount({
      service: 'claimed',
      mount: 'claimed.test',
      token: {
        services: ['*'],
        mounts: ['*'],
        maxClaims: 10,
        reference: { kind: 'outside', issuer: 'https://issuer.test', subject: 'device', id: 'one' },
      },
    })
    const { body } = await put({ services: [], routes: [{ ...SHOP.routes[0] }] }, { query: '?prune=true' })
    expect(body).toMatchObject({ services: { deleted: 1 }, routes: { deleted: 1, unchanged: 1 } })
    expect(body.items.map(({ name }: { name: string }) => name)).toEqual(['unused', 'old.shop.test'])
    // The service of the remaining route stays too.
    expect(await names()).toEqual(['claimed', 'shop'])
    expect(await mounts()).toEqual(['claimed.test', 'shop.test/api'])
  })

  it('needs both lists with prune, so that a forgotten list deletes no rows', async () => {
    await put(SHOP)
    const refused = await put({ routes: [] }, { query: '?prune=true' })
    expect(refused.status).toBe(400)
    expect(pointersOf(refused)).toEqual(['/services'])
    expect(await mounts()).toHaveLength(2)
  })

  it('replaces a route by routes under it', async () => {
    await put({ services: [{ name: 'shop' }], routes: [{ mount: 'a.test', service: 'shop' }] })
    const { status } = await put(
      {
        services: [{ name: 'shop' }],
        routes: [
          { mount: 'a.test/x', service: 'shop' },
          { mount: 'a.test/y', service: 'shop' },
        ],
      },
      { query: '?prune=true' },
    )
    expect(status).toBe(200)
    expect(await mounts()).toEqual(['a.test/x', 'a.test/y'])
  })

  it('is only compared with dryRun, for which read scopes are enough', async () => {
    const { key } = await api.key(['routes:read', 'services:read'])
    const dry = await put(SHOP, { query: '?dryRun=true', key })
    expect(dry.status).toBe(200)
    expect(dry.body).toMatchObject({ dryRun: true, bundle: null, routes: { created: 2 } })
    expect(await mounts()).toEqual([])
    expect((await put(SHOP, { key })).body).toMatchObject({
      code: 'forbidden',
      detail: 'The API key lacks the scope routes:write and the scope services:write.',
    })
    const { key: writer } = await api.key(['routes:write', 'services:read'])
    expect((await put(SHOP, { key: writer })).status).toBe(403)
    const { key: both } = await api.key(['routes:write', 'services:write'])
    expect((await put(SHOP, { key: both })).status).toBe(200)
  })

  it('can be compressed', async () => {
    const request = api.request('PUT', '/v1/bundle')
    const response = await api.app.fetch(
      new Request(request.url, {
        method: 'PUT',
        headers: {
          authorization: `Bearer ${api.adminKey}`,
          'content-type': 'application/json; charset=utf-8',
          'content-encoding': 'gzip',
        },
        body: gzipSync(JSON.stringify({ version: 1, ...SHOP })),
      }),
      { incoming: { socket: { remoteAddress: '127.0.0.1' } } },
    )
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ routes: { created: 2 } })
  })

  it('hashes passwords, and keeps the hash of an equal password', async () => {
    const bundle = (password: string) => ({
      services: [{ name: 'shop' }],
      routes: [
        {
          mount: 'a.test',
          service: 'shop',
          options: { access: { basic: { users: [{ name: 'ada', password }] } } },
        },
      ],
    })
    const created = await put(bundle('correct horse'))
    expect(JSON.stringify(created.body)).not.toContain('correct horse')
    expect((await put(bundle('correct horse'))).body.routes.unchanged).toBe(1)
    expect((await put(bundle('battery staple'))).body.routes.changed).toBe(1)
    expect(JSON.stringify(await rowsOf('routes'))).toContain('$scrypt$')
  })
})

describe('a wrong bundle', () => {
  it('names each problem with its pointer, and writes no row', async () => {
    const refused = await put({
      services: [{ name: 'shop' }, { name: 'Shop!' }, { name: 'shop' }, { name: 'blog', polcy: {} }],
      routes: [
        { mount: 'a.test:80', service: 'shop' },
        { mount: 'b.test' },
        { mount: 'c.test', service: 'shop', options: { stripMounts: true } },
        { mount: 'd.test/x', service: 'shop' },
        { mount: 'D.test/x/', service: 'shop' },
        { mount: 'd.test/x/y', service: 'shop' },
      ],
      extra: 1,
    })
    expect(refused.status).toBe(400)
    expect(refused.body.code).toBe('invalid_request')
    expect(pointersOf(refused)).toEqual([
      '/services/1/name',
      '/services/2/name',
      '/services/3/polcy',
      '/routes/0/mount',
      '/routes/1/service',
      '/routes/2/options/stripMounts',
      '/routes/4/mount',
      '/routes/5/mount',
      '/extra',
    ])
    expect(await names()).toEqual([])
  })

  it('names a service that does not exist, and accepts one that exists outside of the bundle', async () => {
    const refused = await put({ routes: [{ mount: 'a.test', service: 'shop' }] })
    expect(refused.status).toBe(400)
    expect(refused.body.errors).toEqual([
      { pointer: '/routes/0/service', detail: 'There is no service "shop". Add it to the bundle.' },
    ])
    await api.call('POST', '/v1/services', { body: { name: 'shop' } })
    expect((await put({ routes: [{ mount: 'a.test', service: 'shop' }] })).status).toBe(200)
  })

  it('names the route that keeps a mount from being terminal, also in a dry run', async () => {
    await put({ services: [{ name: 'shop' }], routes: [{ mount: 'a.test/x', service: 'shop' }] })
    for (const mount of ['a.test', 'a.test/x/y']) {
      const refused = await put({ routes: [{ mount, service: 'shop' }] }, { query: '?dryRun=true' })
      expect(refused.status).toBe(409)
      expect(refused.body).toMatchObject({ code: 'mount_conflict' })
      expect(pointersOf(refused)).toEqual(['/routes/0/mount'])
      expect(refused.body.detail).toContain('a.test/x of the service "shop"')
    }
  })

  it('names an alias that means two services', async () => {
    await put({ services: [{ name: 'shop', policy: { aliases: ['store'] } }] })
    const refused = await put({ services: [{ name: 'store' }] })
    expect(refused.status).toBe(409)
    expect(pointersOf(refused)).toEqual(['/services/0'])
    const both = await put({
      services: [
        { name: 'one', policy: { aliases: ['same'] } },
        { name: 'two', policy: { aliases: ['same'] } },
      ],
    })
    expect(pointersOf(both)).toEqual(['/services/1/policy/aliases/0'])
  })

  it.each([
    ['no version', { version: undefined, services: [] }, '/version'],
    ['another version', { version: 2 }, '/version'],
    ['a list that is an object', { routes: {} }, '/routes'],
    ['a route that is a list', { routes: [[]] }, '/routes/0'],
  ])('has %s', async (_, bundle, pointer) => {
    const refused = await put(bundle)
    expect(refused.status).toBe(400)
    expect(pointersOf(refused)).toEqual([pointer])
  })

  it('refuses an unknown parameter, so that a misspelled dryRun changes no row', async () => {
    const refused = await put(SHOP, { query: '?dryrun=true' })
    expect(refused.status).toBe(400)
    expect(await mounts()).toEqual([])
  })
})

describe('a key with limits', () => {
  async function limitedKey(): Promise<string> {
    const { key, prefix, hash } = createApiKey()
    const limits = { services: ['shop', 'shop-*'], mounts: ['shop.test'] }
    const scopes = ['routes:*', 'services:*']
    await store.adminKeys.create({ name: 'shop', prefix, hash, scopes, limits }, { actor: 'test' })
    return key
  }

  it('changes only rows within its limits, and may send others unchanged', async () => {
    const other = { services: [{ name: 'blog' }], routes: [{ mount: 'blog.test', service: 'blog' }] }
    await put(other)
    const key = await limitedKey()
    const whole = {
      services: [...other.services, { name: 'shop' }],
      routes: [...other.routes, { mount: 'shop.test/a', service: 'shop' }],
    }
    expect((await put(whole, { key })).status).toBe(200)
    const refused = await put(
      {
        services: [
          { name: 'blog', policy: { retries: 1 } },
          { name: 'shop', policy: { aliases: ['blog-old'] } },
        ],
        routes: [
          { mount: 'blog.test', service: 'shop' },
          { mount: 'shop.test/a', service: 'blog' },
          { mount: 'new.test', service: 'shop' },
        ],
      },
      { key },
    )
    expect(refused.status).toBe(403)
    expect(pointersOf(refused)).toEqual(
      expect.arrayContaining([
        '/services/0/name',
        '/services/1/policy/aliases/0',
        '/routes/0/mount',
        '/routes/0',
        '/routes/1/service',
        '/routes/2/mount',
      ]),
    )
    const { errors } = refused.body as { errors: { detail: string }[] }
    // The first problem has the limits of the key, and the others do not repeat them.
    expect(errors.map(({ detail }) => detail.includes('shop-*'))).toEqual([true, ...Array(5).fill(false)])
  })

  it('prunes only rows within its limits', async () => {
    await put({
      services: [{ name: 'blog' }, { name: 'shop' }, { name: 'shop-old' }],
      routes: [
        { mount: 'blog.test', service: 'blog' },
        { mount: 'shop.test/a', service: 'shop' },
      ],
    })
    const pruned = await put({ services: [], routes: [] }, { query: '?prune=true', key: await limitedKey() })
    expect(pruned.body).toMatchObject({ services: { deleted: 2 }, routes: { deleted: 1 } })
    expect(await mounts()).toEqual(['blog.test'])
  })
})

describe('with If-Match', () => {
  it('is refused when a later change concerns one of its changes, and only then', async () => {
    const { sequence } = (await put(SHOP)).body
    const headers = { 'if-match': `"${sequence}"` }
    await api.call('POST', '/v1/services', { body: { name: 'other' } })
    const edited = { ...SHOP, services: [{ name: 'shop', policy: { retries: 1 } }] }
    expect((await put(edited, { headers, query: '?dryRun=true' })).status).toBe(200)
    await api.call('PATCH', '/v1/services/shop', {
      body: { policy: { retries: 2 } },
      headers: { 'if-match': '*' },
    })
    const refused = await put(edited, { headers })
    expect(refused.status).toBe(412)
    expect(pointersOf(refused)).toEqual(['/services/0'])
    const mount = encodeURIComponent('old.shop.test')
    await api.call('DELETE', `/v1/routes/${mount}`, { headers: { 'if-match': '*' } })
    const routes = await put({ routes: SHOP.routes }, { headers })
    expect(pointersOf(routes)).toEqual(['/routes/1'])
    expect((await put(edited)).status).toBe(200)
  })

  it('is refused for a sequence that the log does not have', async () => {
    expect((await put(SHOP, { headers: { 'if-match': '"999999999"' } })).status).toBe(412)
    expect((await put(SHOP, { headers: { 'if-match': '3' } })).status).toBe(400)
  })
})

it('refuses a revoked key at the write', async () => {
  const { key, id } = await api.key(['routes:*', 'services:*'])
  await store.adminKeys.revoke(id, { actor: 'test' })
  expect((await put(SHOP, { key })).status).toBe(401)
  const written = store.bundles.write(
    {
      services: { created: [{ id, name: 'x', policy: {} }], changed: [], deleted: [] },
      routes: { created: [], changed: [], deleted: [] },
    },
    'b1',
    { actor: 'test', keyId: id },
  )
  await expect(written).rejects.toMatchObject({ code: 'unauthorized' })
})

describe('concurrent writers', () => {
  const bundle = (retries: number) => ({
    services: Array.from({ length: 20 }, (_, index) => ({ name: `service-${index}`, policy: { retries } })),
    routes: Array.from({ length: 20 }, (_, index) => ({
      mount: `host-${index}.test`,
      service: `service-${index}`,
    })),
  })

  it('two bundles at once: both are applied whole, one after the other', async () => {
    for (const [one, other] of [
      [1, 2],
      [3, 4],
    ] as const) {
      const responses = await Promise.all([put(bundle(one)), put(bundle(other))])
      expect(responses.map(({ status }) => status)).toEqual([200, 200])
      const last = Math.max(...responses.map(({ body }) => body.sequence))
      const winner = responses.findIndex(({ body }) => body.sequence === last)
      const found = (await rowsOf('services')).map(({ policy }) => (policy as { retries: number }).retries)
      expect(found).toEqual(Array.from({ length: 20 }, () => [one, other][winner]))
    }
  })

  it('a bundle and single writes: each single write is before or after the bundle, and is not lost', async () => {
    await put(bundle(1))
    const before = (await api.call('GET', '/v1/changes?limit=1')).body.items[0].sequence
    const [written, ...single] = await Promise.all([
      put(bundle(2)),
      ...Array.from({ length: 10 }, (_, index) =>
        api.call('PATCH', `/v1/services/service-${index}`, {
          body: { policy: { maxStreams: 7 } },
          headers: { 'if-match': '*' },
        }),
      ),
    ])
    expect([written.status, ...single.map(({ status }) => status)]).toEqual(
      Array.from({ length: 11 }, () => 200),
    )
    const changes = (await store.changes.after(before)).filter(({ entity }) => entity === 'service')
    // The log has each write. Its entries follow each other: each one begins with the row that the one before has left.
    const rows = new Map<string, unknown>()
    for (const { entityId, before: old, after } of changes) {
      const policy = rows.get(entityId)
      if (policy !== undefined) expect(old?.policy).toEqual(policy)
      rows.set(entityId, after?.policy)
    }
    expect(changes.filter(({ bundle: id }) => id === written.body.bundle)).toHaveLength(
      written.body.services.changed,
    )
    expect(changes.filter(({ bundle: id }) => id === null)).toHaveLength(10)
  })

  it('refuses a third bundle while two are handled', async () => {
    const slow = () => {
      const [reading, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const text = new TextEncoder()
      const body = new ReadableStream<Uint8Array>(
        {
          pull: async controller => {
            reading.resolve()
            await ended.promise
            controller.enqueue(text.encode('{"version":1}'))
            controller.close()
          },
        },
        // The stream asks for bytes only when the server reads.
        { highWaterMark: 0 },
      )
      const request = new Request(api.request('PUT', '/v1/bundle').url, {
        method: 'PUT',
        headers: { authorization: `Bearer ${api.adminKey}`, 'content-type': 'application/json' },
        body,
        duplex: 'half',
      })
      const response = api.app.fetch(request, { incoming: { socket: { remoteAddress: '127.0.0.1' } } })
      return { response, reading: reading.promise, end: ended.resolve }
    }
    const open = [slow(), slow()]
    await Promise.all(open.map(({ reading }) => reading))
    const third = await put({})
    expect(third).toMatchObject({ status: 429, body: { code: 'rate_limited' } })
    expect(third.headers.get('retry-after')).toBe('5')
    for (const { end } of open) end()
    for (const { response } of open) expect((await response).status).toBe(200)
    for (const { response } of open) await (await response).text()
    expect((await put({})).status).toBe(200)
  })
})

describe('a hostile bundle', () => {
  it('is refused before it is decompressed as a whole', async () => {
    const bomb = gzipSync(Buffer.alloc(80 * 1024 * 1024, ' '))
    expect(bomb.length).toBeLessThan(100_000)
    const send = (body: Uint8Array, coding: string) =>
      api.app.fetch(
        new Request(api.request('PUT', '/v1/bundle').url, {
          method: 'PUT',
          headers: {
            authorization: `Bearer ${api.adminKey}`,
            'content-type': 'application/json',
            'content-encoding': coding,
          },
          body: Buffer.from(body),
        }),
        { incoming: { socket: { remoteAddress: '127.0.0.1' } } },
      )
    expect((await send(bomb, 'gzip')).status).toBe(413)
    expect((await send(bomb.subarray(0, 1000), 'gzip')).status).toBe(400)
    expect((await send(Buffer.from('no gzip'), 'gzip')).status).toBe(400)
    expect((await send(bomb, 'br')).status).toBe(415)
  })

  it.each([
    ['__proto__', '{"version":1,"routes":[{"mount":"a.test","service":"s","__proto__":{"options":{}}}]}'],
    [
      '__proto__ in options',
      '{"version":1,"routes":[{"mount":"a.test","service":"s","options":{"__proto__":{}}}]}',
    ],
    ['NaN', '{"version":1,"services":[{"name":"s","policy":{"retries":NaN}}]}'],
    ['a huge number', '{"version":1,"services":[{"name":"s","policy":{"retries":1e999}}]}'],
    ['equal keys', '{"version":1,"services":[{"name":"s","name":"t"}]}'],
    ['deep nesting', `{"version":1,"services":[{"name":"s","policy":{"aliases":${'['.repeat(10_000)}`],
  ])('has %s', async (_, text) => {
    const refused = await put(text)
    expect([refused.status, refused.body.code]).toEqual([400, 'invalid_request'])
  })

  it('has a thousand problems, of which the response lists fifty', async () => {
    const routes = Array.from({ length: 1000 }, () => ({ mount: '', wrong: 1 }))
    const refused = await put({ routes })
    expect(refused.status).toBe(400)
    expect(pointersOf(refused)).toHaveLength(50)
  })
})
