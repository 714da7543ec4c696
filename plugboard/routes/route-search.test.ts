import { expect, test } from 'vitest'
import type { RouteId } from '../common/ids/row-ids.ts'
import { type DirectoryRoute, NO_SERVICE } from './directory-entries.ts'
import { searchRoutes } from './route-search.ts'

const route = (id: string, mountPath: string, updatedAtMs: number | undefined) =>
  ({
    id: id as RouteId,
    host: 'a.test',
    mountPath,
    mount: `a.test${mountPath}`,
    service: NO_SERVICE,
    updatedAtMs,
  }) as DirectoryRoute

const ROUTES = [route('1', '/d', 30), route('2', '/c', 10), route('3', '/b', 20), route('4', '/a', 20)]

const ids = async (page: Parameters<typeof searchRoutes>[2]['page'], routes = ROUTES) =>
  (await searchRoutes(routes, [], { page }))?.page.join('')

test('sorts by mount and by the last change, in both directions', async () => {
  expect(await ids({ order: 'mount', descending: false, limit: 3 })).toBe('432')
  expect(await ids({ order: 'mount', descending: true, limit: 3 })).toBe('123')
  expect(await ids({ order: 'updatedAt', descending: false, limit: 3 })).toBe('234')
  expect(await ids({ order: 'updatedAt', descending: true, limit: 4 })).toBe('1432')
})

test('a page begins after a place, and routes of the same time are sorted by id', async () => {
  const after = ROUTES[2]!
  expect(await ids({ order: 'updatedAt', descending: false, limit: 9, after })).toBe('41')
  expect(await ids({ order: 'updatedAt', descending: true, limit: 9, after })).toBe('2')
})

test('has no result by the last change when a route has no time of it', async () => {
  const routes = [...ROUTES, route('5', '/e', undefined)]
  expect(await ids({ order: 'updatedAt', descending: true, limit: 1 }, routes)).toBeUndefined()
  expect(await ids({ order: 'mount', descending: true, limit: 1 }, routes)).toBe('5')
})
