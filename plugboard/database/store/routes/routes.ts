// Queries of routes. The database enforces that mounts are terminal (migrations/0001_rules.sql), so this file does not check it.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Mount } from '@vera-stack/shared/mounts.ts'
import { and, eq, gt, inArray, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import type { PgUpdateSetSource } from 'drizzle-orm/pg-core'
import { asRouteId, type ServiceId } from '../../../common/ids/row-ids.ts'
import { routes } from '../../schema.ts'
import type { Sql, SqlRunner } from '../../sql-runner.ts'
import { serviceForRoute } from '../services.ts'
import type { Mutation, Route, RouteStore } from '../store.ts'
import { isId, untouched, validMount } from '../values/input.ts'
import { noteRestored } from './route-activity.ts'
import { countRoutes, listRoutes } from './route-lists.ts'
import { pruneRoutes } from './route-pruning.ts'
import { selectRoutes, withMount } from './route-rows.ts'

export function createRouteStore(runner: SqlRunner): RouteStore {
  return {
    create: ({ mount, service, options }, by) =>
      runner.write(by, async tx => {
        const { host, path } = validMount(mount)
        const serviceId = await serviceIdOf(tx, service)
        return await insertRoute(tx, { host, mountPath: path, serviceId, options: options ?? {} })
      }),
    get: idOrMount =>
      runner.read(async sql => {
        const route = await findRoute(sql, idOrMount)
        if (route !== undefined) return route
        throw new VeraError('not_found', `There is no route "${idOrMount}".`)
      }),
    list: (request = {}) => runner.read(db => listRoutes(db, request)),
    count: filters => runner.read(db => countRoutes(db, filters)),
    update: (idOrMount, patch, by) =>
      runner.write(by, async tx => {
        const mount = patch.mount === undefined ? undefined : validMount(patch.mount)
        const serviceId = patch.service === undefined ? undefined : await serviceIdOf(tx, patch.service)
        return await changeRoute(tx, idOrMount, by, {
          ...(mount === undefined ? {} : { host: mount.host, mountPath: mount.path }),
          ...(serviceId === undefined ? {} : { serviceId }),
          ...(patch.options === undefined ? {} : { options: patch.options }),
        })
      }),
    remove: (idOrMount, by) =>
      runner.write(by, tx => changeRoute(tx, idOrMount, by, { deletedAt: sql`clock_timestamp()` })),
    getLast: idOrMount =>
      runner.read(async db => {
        const [row] = await selectRoutes(db)
          .where(matches(idOrMount))
          .orderBy(sql`${routes.deletedAt} DESC NULLS FIRST`)
          .limit(1)
        if (row !== undefined) return withMount(row)
        throw new VeraError('not_found', `There is no route "${idOrMount}".`)
      }),
    restore: (id, by) =>
      runner.write(by, async tx => {
        const deleted = and(eq(routes.id, id), isNotNull(routes.deletedAt))
        const [restored] = await tx
          .update(routes)
          .set({ deletedAt: null })
          .where(deleted)
          .returning({ id: routes.id })
        const route = await findRoute(tx, id)
        if (route === undefined) throw untouched('route', undefined)
        if (restored === undefined)
          throw new VeraError('conflict', `The route ${route.mount} is not deleted.`)
        await noteRestored(tx, id)
        return route
      }),
    prune: (request, by) => pruneRoutes(runner, request, by),
  }
}

async function serviceIdOf(tx: Sql, service: string | null): Promise<ServiceId | null> {
  return service === null ? null : (await serviceForRoute(tx, service)).id
}

export async function insertRoute(tx: Sql, values: typeof routes.$inferInsert): Promise<Route> {
  const [inserted] = await tx.insert(routes).values(values).returning({ id: routes.id })
  return (await findRoute(tx, inserted!.id))!
}

async function changeRoute(
  tx: Sql,
  idOrMount: string,
  by: Mutation,
  values: PgUpdateSetSource<typeof routes>,
): Promise<Route> {
  const living = and(matches(idOrMount), isNull(routes.deletedAt))
  const wanted = by.ifVersion === undefined ? living : and(living, eq(routes.version, by.ifVersion))
  // A patch without fields still checks the version; setting the host to itself is no change.
  const set = Object.keys(values).length === 0 ? { host: sql`${routes.host}` } : values
  const [changed] = await tx.update(routes).set(set).where(wanted).returning({ id: routes.id })
  if (changed !== undefined) return (await findRoute(tx, changed.id))!
  const [found] = await tx.select({ version: routes.version }).from(routes).where(living)
  throw untouched('route', found)
}

/** Finds a route by its exact mount when it is not deleted, or any route by its id. */
export async function findRoute(db: Sql, idOrMount: string): Promise<Route | undefined> {
  const condition = isId(idOrMount) ? matches(idOrMount) : and(matches(idOrMount), isNull(routes.deletedAt))
  const [row] = await selectRoutes(db).where(condition)
  return row === undefined ? undefined : withMount(row)
}

/** Finds the route at a mount that is not deleted, also when the host looks like an id. */
export async function findRouteAt(db: Sql, mount: Mount): Promise<Route | undefined> {
  const [row] = await selectRoutes(db).where(and(isAt(mount), isNull(routes.deletedAt)))
  return row === undefined ? undefined : withMount(row)
}

/**
 * A living route on, above or beneath a mount; the schema allows no second one there. The bounds are those of the schema's rule
 * (migrations/0005_route_rules.sql), so the index serves them.
 */
export async function findRouteInTheWay(db: Sql, { host, path }: Mount): Promise<Route | undefined> {
  const segments = path.split('/')
  const above = segments.map((_, index) => segments.slice(0, index).join('/') || '/')
  const beneath = path === '/' ? '' : path
  const { mountPath, deletedAt } = routes
  const isBeneath = and(gt(mountPath, `${beneath}/`), lt(mountPath, `${beneath}0`))
  const [row] = await selectRoutes(db)
    .where(and(eq(routes.host, host), isNull(deletedAt), or(inArray(mountPath, [...above, path]), isBeneath)))
    .orderBy(mountPath)
    .limit(1)
  return row === undefined ? undefined : withMount(row)
}

function matches(idOrMount: string): SQL | undefined {
  return isId(idOrMount) ? eq(routes.id, asRouteId(idOrMount)) : isAt(validMount(idOrMount))
}

function isAt({ host, path }: Mount): SQL | undefined {
  return and(eq(routes.host, host), eq(routes.mountPath, path))
}
