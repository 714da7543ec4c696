// A page of routes with the number of all routes that fit. The memory of this replica finds, sorts and counts living routes, when it
// has all changes of the database. Otherwise, and for deleted routes, the database reads all rows.

import { z } from '@hono/zod-openapi'
import { asRouteId, asServiceId } from '../../../common/ids/row-ids.ts'
import type { Route, RouteSort, RouteState, Store } from '../../../database/store/store.ts'
import { isId } from '../../../database/store/values/input.ts'
import { createdKey, decodeCursor, limitOf, mountKey } from '../../../database/store/values/page.ts'
import type { DirectoryRoute } from '../../../routes/directory-entries.ts'
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
  readonly rule?: string | undefined
  readonly state?: RouteState | undefined
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
  // The memory has no claims and no uses.
  const onlyDatabase =
    request.includeDeleted === true || request.rule !== undefined || request.state !== undefined
  const isCurrent = !onlyDatabase && (await hasAllChanges(parts))
  const order = MEMORY_ORDERS[sort]
  if (isCurrent && (q !== undefined || request.service !== undefined || order === 'updatedAt')) {
    const found = await searchMemory(q, query, sort, directory)
    if (found !== undefined) {
      const ids = order === undefined ? found.all : found.page
      // With many routes that fit, the database finds a page of them soon.
      const page = await store.routes.list({ ...filters, sort, q: ids === undefined ? q : undefined, ids })
      // When a route of the page was deleted meanwhile, the page seems to be the last one. The database then reads it again.
      const seemsLast =
        order !== undefined && found.page.length > limitOf(request) && page.nextCursor === undefined
      if (!seemsLast) return { ...page, total: found.total }
    }
  }
  const countsAll =
    isCurrent && q === undefined && request.service === undefined && request.host === undefined
  const [page, total] = await Promise.all([
    store.routes.list({ ...filters, sort }),
    countsAll ? directory.routeCount : store.routes.count(filters),
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

function searchMemory(
  text: string | undefined,
  { host, service, cursor, ...request }: RouteListQuery,
  sort: RouteSort,
  directory: Parts['directory'],
): Promise<FoundRoutes | undefined> {
  const order = MEMORY_ORDERS[sort]
  const candidates =
    service !== undefined
      ? routesOfService(service, directory)
      : host !== undefined
        ? directory.routesOfHost(host)
        : directory.routes()
  return searchRoutes(candidates, directory.services(), {
    text,
    host,
    page: order && {
      order,
      descending: sort.startsWith('-'),
      after: cursor === undefined ? undefined : placeOf(cursor, sort, order),
      limit: limitOf(request) + 1,
    },
  })
}

/** `service`: a name or an id. An alias is not a name of a list. */
function routesOfService(service: string, directory: Parts['directory']): Iterable<DirectoryRoute> {
  if (isId(service)) return directory.routesOfService(asServiceId(service.toLowerCase()))
  const found = directory.serviceByName(service)
  return found?.name === service ? directory.routesOfService(found.id) : []
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
