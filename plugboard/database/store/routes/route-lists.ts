// Lists of routes: filters, orders and counts. Orders by `lastRequestAt` read two lists, one after the other: the routes with a
// request, in the order of an index, and the routes without one.

import { and, asc, count, desc, eq, gt, inArray, isNotNull, isNull, lt, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { routeActivity, routes, services } from '../../schema.ts'
import type { Sql } from '../../sql-runner.ts'
import type { Page, PageRequest, Route, RouteFilters, RouteSort, RouteState, RouteStore } from '../store.ts'
import { isId } from '../values/input.ts'
import { beyond, createdKey, decodeCursor, limitOf, mountKey, pageOf } from '../values/page.ts'
import { listOrder, type SortOrder } from '../values/sort.ts'
import { selectRoutes, withMount } from './route-rows.ts'

type ListRequest = NonNullable<Parameters<RouteStore['list']>[0]>

const ORDERS = {
  mount: {
    columns: [routes.host, routes.mountPath, routes.id],
    key: mountKey,
    keyOf: ({ host, mountPath, id }: Route) => [host, mountPath, id],
  },
  createdAt: {
    columns: [routes.createdAt, routes.id],
    key: createdKey,
    keyOf: ({ createdAt, id }: Route) => [createdAt.toISOString(), id],
  },
  updatedAt: {
    columns: [routes.updatedAt, routes.id],
    key: createdKey,
    keyOf: ({ updatedAt, id }: Route) => [updatedAt.toISOString(), id],
  },
} as const satisfies Record<Exclude<RouteSort, `-${string}` | 'lastRequestAt'>, SortOrder<Route>>

export async function listRoutes(db: Sql, request: ListRequest): Promise<Page<Route>> {
  const { sort = 'mount', cursor, ids } = request
  if (sort === 'lastRequestAt' || sort === '-lastRequestAt') return await listByLastRequest(db, request, sort)
  const limit = limitOf(request)
  const order = listOrder(ORDERS, 'mount', sort)
  const rows = await selectRoutes(db)
    .where(and(...conditionsOf(request), among(ids), cursor === undefined ? undefined : order.after(cursor)))
    .orderBy(...order.orderBy)
    .limit(limit + 1)
  return pageOf(rows.map(withMount), limit, order.cursorKey)
}

export async function countRoutes(db: Sql, filters: RouteFilters): Promise<number> {
  const [row] = await db
    .select({ total: count() })
    .from(routes)
    .leftJoin(services, eq(services.id, routes.serviceId))
    .where(and(...conditionsOf(filters)))
  return row?.total ?? 0
}

function conditionsOf({ q, service, host, rule, state, includeDeleted }: RouteFilters): (SQL | undefined)[] {
  return [
    includeDeleted === true ? undefined : isNull(routes.deletedAt),
    host === undefined ? undefined : eq(routes.host, host),
    rule === undefined ? undefined : sql`${routes.options} ? ${rule}`,
    state === undefined ? undefined : STATES[state],
    service === undefined ? undefined : eq(isId(service) ? services.id : services.name, service),
    q === undefined
      ? undefined
      : sql`(position(${q} IN plugboard.mount_text(${routes.host}, ${routes.mountPath})) > 0
          OR position(${q} IN coalesce(${services.name}, '')) > 0)`,
  ]
}

const among = (ids: ListRequest['ids']) => (ids === undefined ? undefined : inArray(routes.id, [...ids]))

/**
 * True for a route without a request. As an anti-join, it reads routes in the order of their ids until the page is full. `IS NULL`
 * after an outer join would read all routes, because the planner expects few of them. For given ids, it reads only their rows.
 */
const UNUSED = sql`NOT EXISTS (
  SELECT FROM ${routeActivity} used WHERE used.route_id = ${routes.id} AND used.served_at IS NOT NULL)`

const STATES: Readonly<Record<RouteState, SQL>> = {
  claimed: isNotNull(routes.claimedBy),
  created: isNull(routes.claimedBy),
  unused: UNUSED,
}

const lastRequestKey = z.tuple([
  z.literal(['lastRequestAt', '-lastRequestAt']),
  z.iso.datetime().nullable(),
  z.guid(),
])

async function listByLastRequest(
  db: Sql,
  request: ListRequest & PageRequest,
  sort: 'lastRequestAt' | '-lastRequestAt',
): Promise<Page<Route>> {
  const limit = limitOf(request)
  const isDescending = sort === '-lastRequestAt'
  const cursor = request.cursor === undefined ? undefined : decodeCursor(lastRequestKey, request.cursor)
  const conditions = [...conditionsOf(request), among(request.ids)]
  const { servedAt, routeId } = routeActivity
  const parts = {
    used: async (rest: number, at: string | undefined, id: string) => {
      const key = at === undefined ? undefined : [new Date(at), id]
      const direction = isDescending ? desc : asc
      return await selectRoutes(db)
        .where(
          and(
            ...conditions,
            isNotNull(servedAt),
            key && beyond([servedAt, routeId], isDescending ? '<' : '>', key),
          ),
        )
        .orderBy(direction(servedAt), direction(routeId))
        .limit(rest)
    },
    unused: async (rest: number, id: string | undefined) => {
      const after =
        id === undefined
          ? undefined
          : isDescending
            ? lt(routes.id, id as Route['id'])
            : gt(routes.id, id as Route['id'])
      return await selectRoutes(db)
        .where(and(...conditions, request.ids === undefined ? UNUSED : isNull(servedAt), after))
        .orderBy(isDescending ? desc(routes.id) : asc(routes.id))
        .limit(rest)
    },
  }
  const [, at = undefined, id = ''] = cursor ?? []
  const rows: Route[] = []
  const take = async (part: 'used' | 'unused'): Promise<void> => {
    const rest = limit + 1 - rows.length
    if (rest === 0) return
    const found =
      part === 'used'
        ? await parts.used(rest, at ?? undefined, id)
        : await parts.unused(rest, cursor !== undefined && at === null ? id : undefined)
    rows.push(...found.map(withMount))
  }
  if (isDescending) {
    if (cursor === undefined || at !== null) await take('used')
    await take('unused')
  } else {
    if (cursor === undefined || at === null) await take('unused')
    await take('used')
  }
  return pageOf(
    rows,
    limit,
    row => [sort, row.lastRequestAt?.toISOString() ?? null, row.id] as unknown as string[],
  )
}
