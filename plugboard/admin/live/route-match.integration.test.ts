import { beforeEach, expect, test } from 'vitest'
import type { AdminApiHarness } from '../../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../../test/support/admin-api/use-admin-api.ts'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { asRouteId, asServiceId } from '../../common/ids/row-ids.ts'
import type { DryRequest } from '../../routes/dry-run-types.ts'

let api: AdminApiHarness
let asked: DryRequest[]
const base = harnessRoute({ host: 'app.test', service: 'shop' })
const ROUTE_ID = asRouteId('0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e')
const SERVICE_ID = asServiceId('0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5f')
const route = { ...base, id: ROUTE_ID, service: { ...base.service, id: SERVICE_ID } }
useAdminApi(created => {
  api = created
})
beforeEach(() => {
  api.services.push(route.service)
  api.routesOfServices.push(route)
  asked = []
  api.dryRun = request => {
    asked.push(request)
    return Promise.resolve({ host: 'app.test', path: '/', route, response: undefined })
  }
})

const match = async (query: string, options = {}) =>
  (await api.call('GET', `/v1/match?host=app.test${query}`, options)).body

test('names the route, the service, its lines and the last error on any replica', async () => {
  api.lineStates.push(
    { line: { ...makeLine('r1', 't1', 'shop'), telephone: 'one' }, state: 'serving' },
    { line: { ...makeLine('r2', 't2', 'shop'), telephone: 'two' }, state: 'unreachable' },
  )
  const error = { code: 'backend_timeout' as const, message: 'The service did not respond in time.' }
  api.lastErrors.set(asServiceId(SERVICE_ID), { ...error, atMs: 1000, requestId: 'q1', telephone: 'one' })
  const newer = { ...error, at: '1970-01-01T00:00:02.000Z', requestId: 'q2', telephone: null }
  const facts = { id: SERVICE_ID, lastError: newer, lastLine: null, refusal: null }
  api.remote.push({
    replicaId: 'r2',
    respond: () => ({ startedAt: '1970-01-01T00:00:00.000Z', services: [facts] }),
  })
  expect(await match('')).toMatchObject({
    outcome: 'forwarded',
    response: null,
    route: { id: ROUTE_ID, mount: 'app.test' },
    service: { id: SERVICE_ID, name: 'shop' },
    lines: {
      total: 2,
      serving: 1,
      items: [{ telephone: 'one' }, { telephone: 'two', state: 'unreachable' }],
    },
    outage: null,
    lastError: { ...newer, replicaId: 'r2' },
    missingReplicas: [],
  })
})

test('forwards method, scheme, header fields and address; the default is the address of the caller', async () => {
  const fields = ['Origin: https://a.test', 'X-Two: b: c'].map(encodeURIComponent)
  await match(
    `&path=${encodeURIComponent('/a?b=c')}&method=OPTIONS&scheme=https&address=2001:db8::1` +
      fields.map(field => `&header=${field}`).join(''),
  )
  await match('', { remoteAddress: '192.0.2.7' })
  expect(asked).toEqual([
    {
      host: 'app.test',
      target: '/a?b=c',
      scheme: 'https',
      method: 'OPTIONS',
      clientAddress: '2001:db8::1',
      fields: ['Origin', 'https://a.test', 'X-Two', 'b: c'],
    },
    {
      host: 'app.test',
      target: '/',
      scheme: 'http',
      method: 'GET',
      clientAddress: '192.0.2.7',
      fields: [],
    },
  ])
})

test('shows the response of Plugboard itself', async () => {
  const response = { status: 401, code: 'unauthorized' as const, detail: 'A password is needed.' }
  api.dryRun = () =>
    Promise.resolve({ host: 'app.test', path: '/', route, response: { ...response, location: undefined } })
  expect(await match('')).toMatchObject({
    outcome: 'responded',
    response: { ...response, location: null },
    route: { mount: 'app.test' },
    outage: { reason: 'never_connected', observed: false },
  })
  const notFound = { status: 404, code: 'route_not_found' as const, detail: 'No route.', location: undefined }
  api.dryRun = () => Promise.resolve({ host: 'app.test', path: '/', route: undefined, response: notFound })
  expect(await match('')).toMatchObject({
    outcome: 'responded',
    route: null,
    service: null,
    outage: null,
    lastError: null,
    lines: { total: 0 },
  })
})

test('shows no lines and no errors to a key that may only read routes', async () => {
  api.lineStates.push({ line: makeLine('r1', 't1', 'shop'), state: 'serving' })
  const { key } = await api.key(['routes:read'])
  expect(await match('', { key })).toMatchObject({
    service: { name: 'shop' },
    lines: { total: 0, items: [] },
    outage: null,
    lastError: null,
  })
  const status = await api.key(['status:read'])
  expect((await api.call('GET', '/v1/match?host=a', { key: status.key })).status).toBe(403)
})

test.each([
  ['&address=nowhere', 'address'],
  ['&path=relative', 'path'],
  ['&method=get', 'method'],
  ['&header=Authorization:%20Basic%20YTpi', 'header'],
  ['&header=Host:%20b.test', 'header'],
  ['&header=nothing', 'header'],
])('rejects %s', async (query, parameter) => {
  const { code, errors } = await match(query)
  expect(code).toBe('invalid_request')
  expect(errors[0].parameter).toContain(parameter)
})

test('responds with overloaded while the public port is not open yet', async () => {
  api.dryRun = () => Promise.resolve(undefined)
  const { status, body } = await api.call('GET', '/v1/match?host=app.test')
  expect([status, body.code]).toEqual([503, 'overloaded'])
})

test('lists the rules that concern the request in their order, and near misses', async () => {
  const options = {
    ...harnessRoute({ host: 'near.test', mountPath: '/api', service: 'shop' }).options,
    stripMount: true,
    rateLimits: [
      { name: 'posts', limit: 5, windowSeconds: 60, match: { methods: ['POST'] } },
      { name: 'all', limit: 100 },
    ],
    rules: { access: { allow: ['10.0.0.0/8'] }, respond: { status: 503, except: ['10.1.0.0/16'] } },
  }
  const shown = { ...harnessRoute({ host: 'near.test', mountPath: '/api', service: 'shop' }), options }
  const service = { ...shown.service, id: asServiceId('0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5f') }
  const route = { ...shown, service, id: asRouteId('0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e') }
  api.routesOfServices.push(route)
  const result = { host: 'near.test', path: '/api', response: undefined }
  api.dryRun = () => Promise.resolve({ ...result, route })
  const rulesFor = async (query: string) => {
    const { body } = await api.call('GET', `/v1/match?host=near.test&path=/api${query}`)
    return (body.rules as { rule: string; effect: string }[]).map(({ rule, effect }) => `${rule} ${effect}`)
  }
  expect(await rulesFor('&address=192.0.2.1')).toEqual([
    'access.allow rejects',
    'rateLimits counts',
    'respond responds',
    'stripMount applies',
  ])
  expect(await rulesFor('&address=10.1.2.3&method=POST')).toEqual([
    'access.allow passes',
    'rateLimits counts',
    'rateLimits counts',
    'respond passes',
    'stripMount applies',
  ])
  api.dryRun = () => Promise.resolve({ ...result, path: '/apis', route: undefined })
  const { body } = await api.call('GET', '/v1/match?host=near.test&path=/apis')
  expect(body.rules).toEqual([])
  expect(body.nearMisses).toEqual([
    { kind: 'path', route: null, detail: 'near.test has no mount for /apis. It has /api.' },
  ])
})
