import { expect, it, onTestFinished } from 'vitest'
import { harnessRoute, ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import type { DryRequest } from '../../routes/dry-run-types.ts'
import { resolveRouteOptions } from '../../routes/options/route-options.ts'
import type { ProxyOptions } from '../server.ts'

async function start(options: object, proxy: Partial<ProxyOptions> = {}): Promise<ProxyHarness> {
  const harness = await ProxyHarness.start(proxy)
  onTestFinished(() => harness.close())
  harness.routes = [
    harnessRoute({ host: 'app.test', mountPath: '/api', options: resolveRouteOptions(options) }),
  ]
  return harness
}

const dry = ({ proxy }: ProxyHarness, request: Partial<DryRequest> = {}) =>
  proxy.dryRun({
    scheme: 'http',
    host: 'app.test',
    target: '/api/x?y',
    method: 'GET',
    clientAddress: '192.0.2.1',
    fields: [],
    ...request,
  })

it('returns the route of a request that would be forwarded, and neither forwards nor counts it', async () => {
  const harness = await start({})
  const result = await dry(harness, { host: 'APP.test:80', target: '/a/../api/%61' })
  expect(result).toEqual({ host: 'app.test', path: '/api/a', route: harness.routes[0], response: undefined })
  expect([harness.accessLog, harness.proxy.counters.requests]).toEqual([[], 0])
})

it.each([
  ['no route', { target: '/other' }, 404, 'route_not_found'],
  ['an invalid host', { host: 'a b' }, 400, 'bad_request'],
  ['an ambiguous path', { target: '/api/%2e%2e%2f' }, undefined, undefined],
  ['TRACE', { method: 'TRACE' }, 405, 'method_not_allowed'],
  ['CONNECT', { method: 'CONNECT' }, 405, 'method_not_allowed'],
  ['the path of the instance', { target: '/_plugboard/instance' }, 200, undefined],
  ['the path of tunnels', { target: '/_plugboard/tunnel' }, 426, 'upgrade_required'],
])('responds like the port itself: %s', async (_name, request, status, code) => {
  const { response } = await dry(await start({}), request)
  expect([response?.status, response?.code]).toEqual([status, code])
})

it('applies the rules of the route to address, method and header fields', async () => {
  const harness = await start({
    access: { allow: ['192.0.2.0/24'] },
    cors: { origins: ['https://shop.test'], methods: ['PUT'] },
  })
  expect((await dry(harness, { clientAddress: '203.0.113.1' })).response).toMatchObject({
    status: 403,
    code: 'address_denied',
  })
  expect((await dry(harness)).response).toBeUndefined()
  const fields = ['Origin', 'https://shop.test', 'Access-Control-Request-Method', 'PUT']
  const preflight = await dry(harness, { method: 'OPTIONS', fields })
  expect(preflight.response).toMatchObject({ status: 204, code: undefined })
})

it('reports a missing credential, and the target of a redirect', async () => {
  const hash = '$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g'
  const guarded = await start({ access: { basic: { users: [{ name: 'ada', hash }] } } })
  expect((await dry(guarded)).response?.status).toBe(401)
  const https = { redirectPort: 8443, hsts: '' }
  const plain = await start({}, { https })
  expect((await dry(plain)).response).toMatchObject({
    status: 308,
    location: 'https://app.test:8443/api/x?y',
  })
  expect((await dry(plain, { scheme: 'https' })).response).toBeUndefined()
})

it('does not count for the rate of the client', async () => {
  const harness = await ProxyHarness.start()
  onTestFinished(() => harness.close())
  harness.routes = [harnessRoute({ host: 'app.test', policy: { maxRequestsPerSecond: 1 } })]
  for (let count = 0; count < 5; count += 1) expect((await dry(harness)).response).toBeUndefined()
})
