import { expect, test } from 'vitest'
import { harnessRoute } from '../../test/support/harness/proxy-harness.ts'
import type { DirectoryRoute } from './directory-entries.ts'
import { nearMisses } from './near-misses.ts'

const table = (...mounts: readonly (readonly [host: string, path: string])[]) => {
  const routes = mounts.map(([host, mountPath]) => harnessRoute({ host, mountPath, service: 'shop' }))
  return { routes, routesOfHost: (pattern: string) => routes.filter(({ host }) => host === pattern) }
}
const misses = (all: ReturnType<typeof table>, host: string, path: string, found?: DirectoryRoute) =>
  nearMisses(all, { host, path }, found).map(({ kind, detail }) => [kind, detail])

test('names the patterns that match the host and have no mount for the path', () => {
  expect(misses(table(['*.example.com', '/api'], ['*', '/web']), 'a.example.com', '/x')).toEqual([
    ['path', '*.example.com has no mount for /x. It has /api.'],
    ['path', '* has no mount for /x. It has /web.'],
  ])
})

test('names a mount that is spelled otherwise, and one with other letters', () => {
  const all = table(['app.test', '/orders'], ['app.test', '/api'])
  expect(misses(all, 'app.test', '/order/7')[0]).toEqual([
    'spelling',
    '/order is spelled almost like the mount app.test/orders.',
  ])
  expect(misses(all, 'app.test', '/API/x')[0]).toEqual([
    'spelling',
    '/API differs from the mount app.test/api in the case of its letters.',
  ])
  expect(misses(all, 'app.test', '/xyz').map(([kind]) => kind)).toEqual(['path'])
})

test('names a host that differs in one character, in www, or is above a wildcard', () => {
  const all = table(['shop.test', '/'], ['*.example.com', '/'])
  for (const host of ['shp.test', 'shopp.test', 'sohp.test', 'shop.tesd', 'www.shop.test'])
    expect(misses(all, host, '/'), host).toEqual([['host', 'The host differs: shop.test has a route.']])
  expect(misses(all, 'example.com', '/')).toEqual([
    ['host', '*.example.com does not include example.com itself.'],
  ])
  expect(misses(all, 'other.test', '/')).toEqual([])
})

test('with a route, names only patterns that are more specific', () => {
  const all = table(['*.example.com', '/api'], ['*', '/'])
  const found = all.routes.find(({ host }) => host === '*')
  expect(misses(all, 'a.example.com', '/x', found)).toEqual([
    ['path', '*.example.com has no mount for /x. It has /api.'],
  ])
})

test('is bounded for a pattern with many mounts', () => {
  const all = table(...Array.from({ length: 3000 }, (_, index) => ['app.test', `/mount${index}`] as const))
  expect(misses(all, 'app.test', '/mountx')).toHaveLength(10)
})
