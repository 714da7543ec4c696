// The rows of routes with the name of the service and the last request, for all queries of routes.

import { formatMount } from '@vera-stack/shared/mounts.ts'
import { eq, getTableColumns } from 'drizzle-orm'
import { routeActivity, routes, services } from '../../schema.ts'
import type { Sql } from '../../sql-runner.ts'
import type { Route } from '../store.ts'

export const selectRoutes = (db: Sql) =>
  db
    .select({
      ...getTableColumns(routes),
      serviceName: services.name,
      lastRequestAt: routeActivity.servedAt,
      lastTelephone: routeActivity.telephone,
    })
    .from(routes)
    .leftJoin(services, eq(services.id, routes.serviceId))
    .leftJoin(routeActivity, eq(routeActivity.routeId, routes.id))
    .$dynamic()

export function withMount(row: Omit<Route, 'mount'>): Route {
  return { ...row, mount: formatMount({ host: row.host, path: row.mountPath }) }
}
