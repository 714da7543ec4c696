// Queries of services. A service is found by its name until it is deleted, and by its id also afterwards.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { and, eq, inArray, isNotNull, isNull, type SQL, sql } from 'drizzle-orm'
import type { PgUpdateSetSource } from 'drizzle-orm/pg-core'
import { asServiceId } from '../../common/ids/row-ids.ts'
import { serviceActivity, services } from '../schema.ts'
import type { Sql, SqlRunner } from '../sql-runner.ts'
import { announcedNames, policyWithOldName, refuseSharedNames } from './service-aliases.ts'
import type { Mutation, SERVICE_SORTS, Service, ServiceFilters, ServiceStore } from './store.ts'
import { isId, untouched, validServiceName } from './values/input.ts'
import { createdKey, limitOf, nameKey, pageOf } from './values/page.ts'
import { listOrder, type SortOrder } from './values/sort.ts'

export function createServiceStore(runner: SqlRunner): ServiceStore {
  return {
    create: ({ name, policy }, by) =>
      runner.write(by, async tx => {
        const values = { name: validServiceName(name), policy: policy ?? {} }
        const [service] = await tx.insert(services).values(values).returning()
        await refuseSharedNames(tx, service!)
        return service!
      }),
    find: nameOrId => runner.read(sql => findService(sql, nameOrId)),
    get: nameOrId =>
      runner.read(async sql => {
        const service = await findService(sql, nameOrId)
        if (service !== undefined) return service
        throw new VeraError('not_found', `There is no service "${nameOrId}".`)
      }),
    list: (request = {}) =>
      runner.read(async db => {
        const limit = limitOf(request)
        const { cursor } = request
        const order = listOrder(ORDERS, 'name', request.sort)
        const rows = await db
          .select()
          .from(services)
          .where(and(...conditionsOf(request), cursor === undefined ? undefined : order.after(cursor)))
          .orderBy(...order.orderBy)
          .limit(limit + 1)
        return pageOf(rows, limit, order.cursorKey)
      }),
    count: filters => runner.read(db => db.$count(services, and(...conditionsOf(filters)))),
    lastRequests: ids =>
      runner.read(async db => {
        if (ids.length === 0) return new Map()
        const { serviceId, servedAt } = serviceActivity
        const rows = await db
          .select({ serviceId, servedAt })
          .from(serviceActivity)
          .where(inArray(serviceId, [...ids]))
        return new Map(rows.map(row => [row.serviceId, row.servedAt]))
      }),
    update: (nameOrId, patch, by) =>
      runner.write(by, async tx => {
        const { name, policy, keepsOldName = true } = patch
        const service = await changeService(tx, nameOrId, by, {
          ...(policy === undefined ? {} : { policy }),
          ...(name === undefined ? {} : { name: validServiceName(name) }),
          ...(name !== undefined &&
            keepsOldName && {
              policy: policyWithOldName(
                name,
                policy === undefined ? sql`${services.policy}` : sql`${JSON.stringify(policy)}::jsonb`,
              ),
            }),
        })
        if (name !== undefined || announcedNames(service).length > 1) await refuseSharedNames(tx, service)
        return service
      }),
    remove: (nameOrId, by) =>
      runner.write(by, tx => changeService(tx, nameOrId, by, { deletedAt: sql`clock_timestamp()` })),
    getLast: nameOrId =>
      runner.read(async db => {
        const [service] = await db
          .select()
          .from(services)
          .where(matches(nameOrId))
          .orderBy(sql`${services.deletedAt} DESC NULLS FIRST`)
          .limit(1)
        if (service !== undefined) return service
        throw new VeraError('not_found', `There is no service "${nameOrId}".`)
      }),
    restore: (id, by) =>
      runner.write(by, async tx => {
        const deleted = and(eq(services.id, id), isNotNull(services.deletedAt))
        const [restored] = await tx.update(services).set({ deletedAt: null }).where(deleted).returning()
        if (restored === undefined) {
          const service = await findService(tx, id)
          if (service === undefined) throw untouched('service', undefined)
          throw new VeraError('conflict', `The service ${service.name} is not deleted.`)
        }
        await refuseSharedNames(tx, restored)
        return restored
      }),
  }
}

const ORDERS = {
  name: {
    columns: [services.name, services.id],
    key: nameKey,
    keyOf: ({ name, id }: Service) => [name, id],
  },
  createdAt: {
    columns: [services.createdAt, services.id],
    key: createdKey,
    keyOf: ({ createdAt, id }: Service) => [createdAt.toISOString(), id],
  },
  updatedAt: {
    columns: [services.updatedAt, services.id],
    key: createdKey,
    keyOf: ({ updatedAt, id }: Service) => [updatedAt.toISOString(), id],
  },
} as const satisfies Record<(typeof SERVICE_SORTS)[number], SortOrder<Service>>

function conditionsOf({ q, includeDeleted }: ServiceFilters): (SQL | undefined)[] {
  return [
    includeDeleted === true ? undefined : isNull(services.deletedAt),
    q === undefined ? undefined : sql`position(${q} IN ${services.name}) > 0`,
  ]
}

async function changeService(
  tx: Sql,
  nameOrId: string,
  by: Mutation,
  values: PgUpdateSetSource<typeof services>,
): Promise<Service> {
  const living = and(matches(nameOrId), isNull(services.deletedAt))
  const wanted = by.ifVersion === undefined ? living : and(living, eq(services.version, by.ifVersion))
  // A patch without fields still checks the version; setting the name to itself is no change.
  const set = Object.keys(values).length === 0 ? { name: sql`${services.name}` } : values
  const [service] = await tx.update(services).set(set).where(wanted).returning()
  if (service !== undefined) return service
  const [found] = await tx.select().from(services).where(living)
  throw untouched('service', found)
}

/** Finds a service by its name when it is not deleted, or any service by its id. */
export async function findService(db: Sql, nameOrId: string): Promise<Service | undefined> {
  const [service] = await db
    .select()
    .from(services)
    .where(isId(nameOrId) ? matches(nameOrId) : and(matches(nameOrId), isNull(services.deletedAt)))
  return service
}

function matches(nameOrId: string): SQL {
  return isId(nameOrId) ? eq(services.id, asServiceId(nameOrId)) : eq(services.name, nameOrId)
}

/** Finds the service of a new or changed route. A deleted service is an error. */
export async function serviceForRoute(db: Sql, nameOrId: string): Promise<Service> {
  const service = await findService(db, nameOrId)
  if (service !== undefined && service.deletedAt === null) return service
  throw new VeraError('invalid_request', `There is no service "${nameOrId}".`, { field: 'service' })
}
