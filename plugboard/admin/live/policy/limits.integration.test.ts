import { expect, test } from 'vitest'
import type { AdminApiHarness } from '../../../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../../../test/support/admin-api/use-admin-api.ts'
import { asRouteId, asServiceId } from '../../../common/ids/row-ids.ts'
import type { LimitedRequest } from '../../../limits/limiter.ts'
import type { DirectoryRoute, DirectoryService } from '../../../routes/directory.ts'
import { resolveRouteOptions } from '../../../routes/options/route-options.ts'
import { resolveServicePolicy } from '../../../routes/options/service-policy.ts'
import { RouteActivity } from '../../../routes/route-activity.ts'
import type { LimitRowBody } from '../../api-types.ts'
import type { ReplicaLimits } from '../../bodies/policy/limit.ts'

const ROUTES: Readonly<Record<string, string>> = {
  'a.test': '0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e',
  'b.test': '0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5f',
}

let api: AdminApiHarness
useAdminApi(created => {
  api = created
})

function addService(name: string, policy: object): DirectoryService {
  const service = { id: asServiceId(`id-${name}`), name, policy: resolveServicePolicy(policy).policy }
  api.services.push(service)
  return service
}

function addRoute(host: string, service: DirectoryService, options: object): DirectoryRoute {
  const route = {
    id: asRouteId(ROUTES[host]!),
    host,
    mountPath: '/',
    mount: host,
    service,
    options: resolveRouteOptions(options),
    lifetimeMs: null,
    updatedAtMs: undefined,
    activity: new RouteActivity(),
  }
  api.routesOfServices.push(route)
  return route
}

/** Sends requests of one client through the limits of a route. */
function send(route: DirectoryRoute, count: number): void {
  const request: LimitedRequest = {
    ...{ clientAddress: '192.0.2.1', host: route.host, hostPattern: route.host, path: '/' },
    ...{ method: 'GET', fields: [], identity: undefined },
  }
  const { beforeCredential } = api.routeLimits.of(route)!
  for (let sent = 0; sent < count; sent += 1) api.limiter.check(beforeCredential, request, performance.now())
}

const list = async (query = '') => (await api.call('GET', `/v1/limits${query}`)).body
const names = (items: LimitRowBody[]) => items.map(({ name }) => name)

function setUp() {
  const shop = addService('shop', { rateLimits: [{ name: 'plan', limit: 100, windowSeconds: 60 }] })
  const blog = addService('blog', {})
  const login = { name: 'login', limit: 2, windowSeconds: 3600, burst: 1, enforce: false, scope: 'replica' }
  const route = addRoute('a.test', shop, { rateLimits: [login] })
  addRoute('b.test', blog, { rateLimits: [{ name: 'bytes', limit: 10, count: 'responseBytes' }] })
  return { route }
}

test('lists the limits with their decisions, and filters by service and route', async () => {
  const { route } = setUp()
  send(route, 3)
  const { items, next } = await list()
  expect(next).toBeNull()
  expect(names(items)).toEqual(['bytes', 'plan', 'login'])
  expect(items[2]).toEqual({
    route: { id: ROUTES['a.test'], mount: 'a.test' },
    service: 'shop',
    name: 'login',
    limit: 2,
    windowSeconds: 3600,
    burst: 1,
    count: 'requests',
    scope: 'replica',
    enforce: false,
    admitted: 1,
    rejected: 0,
    wouldReject: 2,
    keys: 1,
    hottestKeys: [{ key: expect.stringMatching(/^[0-9a-f]{14}$/), usedPercent: 100, replicaId: 'r1' }],
    replicas: [{ replicaId: 'r1', admitted: 1, rejected: 0, wouldReject: 2, keys: 1 }],
  })
  expect(items[1]).toMatchObject({ route: null, service: 'shop', admitted: 3, enforce: true })
  expect(items[0]).toMatchObject({
    service: 'blog',
    count: 'responseBytes',
    scope: 'cluster',
    hottestKeys: [],
  })
  expect(names((await list('?service=shop')).items)).toEqual(['plan', 'login'])
  expect(names((await list('?service=id-blog')).items)).toEqual(['bytes'])
  expect(names((await list('?route=a.test')).items)).toEqual(['plan', 'login'])
  expect(names((await list(`?route=${ROUTES['b.test']}&service=blog`)).items)).toEqual(['bytes'])
  expect(names((await list('?route=b.test&service=shop')).items)).toEqual([])
})

test.each(['?service=none', '?route=none.test', '?route=a%20b'])(
  'responds with 404 to %s, because an empty list would look like a result',
  async query => {
    setUp()
    const { status, body } = await api.call('GET', `/v1/limits${query}`)
    expect([status, body.code]).toEqual([404, 'not_found'])
  },
)

test('adds the counts of all replicas, and names the exchange between them', async () => {
  const { route } = setUp()
  send(route, 2)
  const asked: unknown[] = []
  const remote: ReplicaLimits = {
    limits: [
      {
        rowId: ROUTES['a.test']!,
        name: 'login',
        admitted: 10,
        rejected: 0,
        wouldReject: 5,
        keys: 3,
        hottest: [
          { key: '0000000000000a', usedPercent: 120 },
          { key: '0000000000000b', usedPercent: 60 },
        ],
      },
    ],
    shares: [{ peerId: 'r1', state: 'open', ageMs: 80 }],
  }
  api.remote.push({
    replicaId: 'r2',
    respond: (name, params) => {
      asked.push([name, params])
      // A newer version may add keys.
      return { ...remote, mood: 'new' }
    },
  })
  api.limitShares.push({ peerId: 'r2', state: 'closed', ageMs: null })
  api.missing.push({ id: 'r3', reason: 'there is no link to it' })
  const { items, shares, missingReplicas } = await list('?route=a.test')
  expect(asked).toEqual([['limits', { rows: ['id-shop', ROUTES['a.test']] }]])
  expect(items[1]).toMatchObject({ admitted: 11, rejected: 0, wouldReject: 6, keys: 4 })
  expect(items[1].hottestKeys.map((key: { usedPercent: number }) => key.usedPercent)).toEqual([120, 100, 60])
  expect(items[1].replicas.map(({ replicaId }: { replicaId: string }) => replicaId)).toEqual(['r1', 'r2'])
  // The other replica does not have the limit of the service yet.
  expect(items[0].replicas).toHaveLength(1)
  expect(shares).toEqual([
    { replicaId: 'r1', peerId: 'r2', state: 'closed', ageMs: null },
    { replicaId: 'r2', peerId: 'r1', state: 'open', ageMs: 80 },
  ])
  expect(missingReplicas).toEqual([{ id: 'r3', reason: 'there is no link to it' }])
})

test('pages have no gap, and a key of several replicas is listed once, where it is fullest', async () => {
  const { route } = setUp()
  send(route, 1)
  const { key } = (await list('?route=a.test')).items[1].hottestKeys[0]
  api.remote.push({
    replicaId: 'r2',
    respond: () => ({
      limits: [
        {
          ...{ rowId: ROUTES['a.test']!, name: 'login', admitted: 0, rejected: 0, wouldReject: 0, keys: 1 },
          hottest: [{ key, usedPercent: 300 }],
        },
      ],
      shares: [],
    }),
  })
  const found: LimitRowBody[] = []
  let query = '?limit=1'
  for (let page = 0; page < 10; page += 1) {
    const { items, next } = await list(query)
    found.push(...items)
    if (next === null) break
    query = `?limit=1&cursor=${next}`
  }
  expect(names(found)).toEqual(['bytes', 'plan', 'login'])
  expect(found[2]!.hottestKeys).toEqual([{ key, usedPercent: 300, replicaId: 'r2' }])
})

test('a replica responds to others with the counts of the rows that it has', () => {
  const { route } = setUp()
  send(route, 1)
  const { limits } = api.limitView.respond('limits', { rows: [ROUTES['a.test'], 'unknown'] }) as ReplicaLimits
  expect(limits).toMatchObject([{ rowId: ROUTES['a.test']!, name: 'login', admitted: 1, keys: 1 }])
  expect(api.limitView.respond('other', {})).toBeUndefined()
  expect(() => api.limitView.respond('limits', { rows: 'all' })).toThrow()
})
