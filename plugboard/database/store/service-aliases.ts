// Aliases of services: further names under which telephones may announce them, kept in the policy. A rename makes an alias of
// the old name, so that the lines of telephones stay. A name and an alias never mean two living services.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { services } from '../schema.ts'
import type { Sql } from '../sql-runner.ts'
import type { Service } from './store.ts'

/** As many as one service may have; the policy of services has the same limit. */
const MAX_ALIASES = 16

/** The names under which telephones may announce the service, each once. */
export function announcedNames({ name, policy }: Pick<Service, 'name' | 'policy'>): readonly string[] {
  const { aliases } = policy
  const texts = Array.isArray(aliases) ? aliases.filter(alias => typeof alias === 'string') : []
  return [...new Set([name, ...texts])]
}

/** Condition: a living service has the alias. It looks at all services, so it is for writes, which are rare. */
export const holdsAlias = (name: string): SQL =>
  sql`deleted_at IS NULL AND policy ? 'aliases' AND policy -> 'aliases' ? ${name}`

/** The living service that a telephone means by a name. */
export async function findAnnounced(db: Sql, name: string): Promise<Service | undefined> {
  const living = isNull(services.deletedAt)
  const [named] = await db
    .select()
    .from(services)
    .where(and(eq(services.name, name), living))
  if (named !== undefined) return named
  const [other] = await db.select().from(services).where(holdsAlias(name)).limit(1)
  return other
}

/**
 * The policy of a row that gets the name `name`: its old name becomes an alias, and its new name is removed from the aliases.
 */
export function policyWithOldName(name: string, policy: SQL): SQL {
  const aliases = sql`coalesce(${policy} -> 'aliases', '[]'::jsonb)`
  return sql`CASE WHEN ${services.name} = ${name} THEN ${policy} ELSE jsonb_set(${policy}, '{aliases}',
    (${aliases} - ${name}::text - ${services.name}) || to_jsonb(${services.name})) END`
}

/** Throws `conflict` when another living service has one of the names of this one, and `invalid_request` for too many. */
export async function refuseSharedNames(tx: Sql, service: Service): Promise<void> {
  const names = announcedNames(service)
  if (names.length > MAX_ALIASES + 1) {
    const detail =
      `Service "${service.name}" would have more than ${MAX_ALIASES} former names. Remove unused names ` +
      'from its policy (aliases).'
    throw new VeraError('invalid_request', detail, { field: 'name' })
  }
  const list = sql`ARRAY[${sql.join(
    names.map(name => sql`${name}::text`),
    sql`, `,
  )}]`
  const [other] = await tx
    .select({ name: services.name, policy: services.policy })
    .from(services)
    .where(
      sql`deleted_at IS NULL AND id <> ${service.id}
        AND (name = ANY(${list}) OR (policy ? 'aliases' AND policy -> 'aliases' ?| ${list}))`,
    )
    .limit(1)
  if (other === undefined) return
  const shared = announcedNames(other).find(name => names.includes(name)) ?? service.name
  const detail =
    shared === other.name
      ? `There is a service "${shared}" already, so it cannot be an alias of "${service.name}".`
      : `"${shared}" is a former name of service "${other.name}", and telephones may still announce it. Remove it ` +
        `from the aliases of that service first: plugboard service set ${other.name} --policy aliases=[]`
  throw new VeraError('conflict', detail, { field: shared === service.name ? 'name' : 'policy' })
}
