// A page of routes with the number of all routes that fit. The memory of this replica finds, sorts and counts living routes, when it
// has all changes of the database. Otherwise, and for deleted routes, the database reads all rows.

import { z } from '@hono/zod-openapi'
import { asRouteId, asServiceId } from '../../../common/ids/row-ids.ts'
import type { Route, RouteSort, Store } from '../../../database/store/store.ts'
import { isId } from '../../../database/store/values/input.ts'
import { createdKey, decodeCursor, limitOf, mountKey } from '../../../database/store/values/page.ts'
import {
  type FoundRoutes,
  type MemoryOrder,
  type RoutePlace,
  searchRoutes,
} from '../../../routes/route-search.ts'
import type { AdminDependencies } from '../../admin-env.ts'
import type { CountedPage } from '../resource.ts'

interface RouteListQuery {
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
  readonly host?: string | undefined
  readonly service?: string | undefined
  readonly q?: string | undefined
  readonly search?: string | undefined
  readonly includeDeleted?: boolean | undefined
  readonly sort?: RouteSort | undefined
}

interface Parts {
  readonly store: Pick<Store, 'changes' | 'routes'>
  readonly directory: AdminDependencies['directory']
}

export async function listRoutes(query: RouteListQuery, parts: Parts): Promise<CountedPage<Route>> {
  const { store, directory } = parts
  const { search, q = search, sort = 'mount', ...request } = query
  const filters = { ...request, q }
  const isCurrent = request.includeDeleted !== true && (await hasAllChanges(parts))
  const order = MEMORY_ORDERS[sort]
  if (isCurrent && (q !== undefined || order === 'updatedAt')) {
    const found = await searchMemory(q, query, sort, directory)
    if (found !== undefined) {
      const ids = order === undefined ? found.all : found.page
      // With many routes that fit, the database finds a page of them soon.
      const page = await store.routes.list({ ...filters, sort, q: ids === undefined ? q : undefined, ids })
      return { ...page, total: found.total }
    }
  }
  const knowsCount = isCurrent && q === undefined && request.host === undefined
  const [page, total] = await Promise.all([
    store.routes.list({ ...filters, sort }),
    knowsCount ? livingCount(request.service, directory) : store.routes.count(filters),
  ])
  return { ...page, total }
}

/** The orders that the memory of a replica has. */
const MEMORY_ORDERS: Readonly<Partial<Record<RouteSort, MemoryOrder>>> = {
  mount: 'mount',
  '-mount': 'mount',
  updatedAt: 'updatedAt',
  '-updatedAt': 'updatedAt',
}

async function hasAllChanges({ store, directory }: Parts): Promise<boolean> {
  if (directory.source !== 'database' || !directory.databaseReachable) return false
  return directory.appliedSequence >= (await store.changes.latest())
}

function livingCount(service: string | undefined, directory: Parts['directory']): number {
  if (service === undefined) return directory.routeCount
  if (isId(service)) return directory.routeCountOf(asServiceId(service.toLowerCase()))
  const found = directory.serviceByName(service)
  // An alias is not a name of a list.
  return found?.name === service ? directory.routeCountOf(found.id) : 0
}

function searchMemory(
  text: string | undefined,
  { host, service, cursor, ...request }: RouteListQuery,
  sort: RouteSort,
  directory: Parts['directory'],
): Promise<FoundRoutes | undefined> {
  const order = MEMORY_ORDERS[sort]
  return searchRoutes(directory.routes(), directory.services(), {
    text,
    host,
    service: service !== undefined && isId(service) ? service.toLowerCase() : service,
    page: order && {
      order,
      descending: sort.startsWith('-'),
      after: cursor === undefined ? undefined : placeOf(cursor, sort, order),
      limit: limitOf(request) + 1,
    },
  })
}

/** Returns the place of a cursor. The database's lists have the same cursors (values/sort.ts). */
function placeOf(cursor: string, sort: RouteSort, order: MemoryOrder): RoutePlace {
  if (order === 'updatedAt') {
    const [, [at, id]] = decodeCursor(z.tuple([z.literal(sort), createdKey]), cursor)
    return { host: '', mountPath: '', updatedAtMs: at.getTime(), id: asRouteId(id) }
  }
  const [host, mountPath, id] =
    sort === 'mount' ? decodeCursor(mountKey, cursor) : decodeCursor(descendingKey, cursor)[1]
  return { host, mountPath, updatedAtMs: undefined, id: asRouteId(id) }
}

const descendingKey = z.tuple([z.literal('-mount'), mountKey])
