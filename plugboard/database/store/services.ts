// Queries of services. A service is found by its name until it is deleted, and by its id also afterwards.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { and, asc, eq, isNotNull, isNull, type SQL, sql } from 'drizzle-orm'
import type { PgUpdateSetSource } from 'drizzle-orm/pg-core'
import { asServiceId } from '../../common/ids/row-ids.ts'
import { services } from '../schema.ts'
import type { Sql, SqlRunner } from '../sql-runner.ts'
import { announcedNames, policyWithOldName, refuseSharedNames } from './service-aliases.ts'
import type { Mutation, Service, ServiceStore } from './store.ts'
import { isId, untouched, validServiceName } from './values/input.ts'
import { beyond, decodeCursor, limitOf, nameKey, pageOf } from './values/page.ts'

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
        const conditions: (SQL | undefined)[] = []
        if (request.includeDeleted !== true) conditions.push(isNull(services.deletedAt))
        if (request.search !== undefined)
          conditions.push(sql`position(${request.search} IN ${services.name}) > 0`)
        if (request.cursor !== undefined) {
          conditions.push(beyond([services.name, services.id], '>', decodeCursor(nameKey, request.cursor)))
        }
        const rows = await db
          .select()
          .from(services)
          .where(and(...conditions))
          .orderBy(asc(services.name), asc(services.id))
          .limit(limit + 1)
        return pageOf(rows, limit, service => [service.name, service.id])
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
