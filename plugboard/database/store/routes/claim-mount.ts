// The claim of a telephone for a mount. Service and route are created when they are missing, and stay unchanged when they
// exist. A telephone claims at each connection, so the usual case (both exist) only reads, without the lock of all writers.
// The use of a route with a lifetime is stored in `line_at`; route-activity.ts deletes such routes.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { formatMount, type Mount, mountScopeCovers, serviceScopeCovers } from '@vera-stack/shared/mounts.ts'
import { and, count, eq, isNull, sql } from 'drizzle-orm'
import { mountNotCovered, mountTaken, serviceNotCovered } from '../../claim-refusals.ts'
import { routeActivity, routes, services, tokens } from '../../schema.ts'
import type { Sql, SqlRunner } from '../../sql-runner.ts'
import { announcedNames, findAnnounced, holdsAlias } from '../service-aliases.ts'
import { findService } from '../services.ts'
import type { Claim, Claimed, Route } from '../store.ts'
import { isId, validMount, validServiceName } from '../values/input.ts'
import { holderText, type TokenReference } from '../values/token-reference.ts'
import { findRouteAt, findRouteInTheWay, insertRoute } from './routes.ts'

const NOW = sql`clock_timestamp()`

export async function claimMount(runner: SqlRunner, claim: Claim): Promise<Claimed> {
  const name = validServiceName(claim.service, 'service')
  const mount = validMount(claim.mount)
  const { reference } = claim.token
  if (!claim.token.services.some(scope => serviceScopeCovers(scope, name))) {
    throw serviceNotCovered(name, formatMount(mount), claim.token)
  }
  if (!claim.token.mounts.some(scope => mountScopeCovers(scope, mount))) {
    throw mountNotCovered(name, formatMount(mount), claim.token)
  }
  const holder = holderText(reference)
  const present = await runner.read(db => findClaimed(db, name, mount, claim.token))
  if (present === undefined) {
    // Also checked before the transaction, so that a token at its limit does not take the lock of all writers each time.
    await runner.read(db => refuseOverLimit(db, claim.token, holder))
  } else if (!lifetimeChanges(present.route, claim, holder)) {
    if (present.route.lifetimeMs === null) return present
    if (await runner.read(db => noteLine(db, present.route))) return present
    // The route has just been deleted. The mount is claimed anew.
  }
  try {
    return await writeClaim(runner, { claim, name, mount, holder })
  } catch (error) {
    if (!(error instanceof VeraError) || error.code !== 'mount_conflict') throw error
    // A rule of the schema rejected the mount. The error is created here, because its text depends on the token.
    const other = await runner.read(db => findRouteInTheWay(db, mount))
    throw other === undefined ? error : mountTaken(mount, other, claim.token)
  }
}

interface CheckedClaim {
  readonly claim: Claim
  readonly name: string
  readonly mount: Mount
  readonly holder: string
}

function writeClaim(runner: SqlRunner, { claim, name, mount, holder }: CheckedClaim): Promise<Claimed> {
  const { lifetimeMs = null } = claim
  return runner.write({ actor: `token:${holder}` }, async tx => {
    // This is the first statement that writes. It takes the lock of all writers, so later reads stay true.
    await tx.execute(sql`
      INSERT INTO plugboard.services (name, ephemeral) SELECT ${name}, ${lifetimeMs !== null}
      WHERE NOT EXISTS (SELECT FROM plugboard.services WHERE ${holdsAlias(name)})
      ON CONFLICT (name) WHERE deleted_at IS NULL DO NOTHING`)
    const meanwhile = await findClaimed(tx, name, mount, claim.token)
    if (meanwhile !== undefined) return await kept(tx, meanwhile, claim, holder)
    await refuseOverLimit(tx, claim.token, holder)
    const service = (await findAnnounced(tx, name))!
    const route = await insertRoute(tx, {
      host: mount.host,
      mountPath: mount.path,
      serviceId: service.id,
      options: claim.options ?? {},
      claimedBy: holder,
      lifetimeMs,
    })
    if (lifetimeMs !== null) await tx.insert(routeActivity).values({ routeId: route.id, lineAt: NOW })
    return { service, route, created: true }
  })
}

/** True when the claim gives the route of its holder a longer lifetime, or removes its lifetime. */
function lifetimeChanges(route: Route, { lifetimeMs }: Claim, holder: string): boolean {
  if (route.lifetimeMs === null || route.claimedBy !== holder) return false
  return lifetimeMs === undefined || lifetimeMs > route.lifetimeMs
}

/** Stores that an existing route is in use now. Its service stays as long as the route. */
async function kept(tx: Sql, found: Claimed, claim: Claim, holder: string): Promise<Claimed> {
  const { service, route } = found
  if (route.lifetimeMs === null) return found
  await tx
    .insert(routeActivity)
    .values({ routeId: route.id, lineAt: NOW })
    .onConflictDoUpdate({ target: routeActivity.routeId, set: { lineAt: NOW } })
  if (!lifetimeChanges(route, claim, holder)) return found
  const { lifetimeMs = null } = claim
  await tx.update(routes).set({ lifetimeMs }).where(eq(routes.id, route.id))
  if (lifetimeMs === null && service.ephemeral) {
    await tx.update(services).set({ ephemeral: false }).where(eq(services.id, service.id))
  }
  const mount = { host: route.host, path: route.mountPath }
  return (await findClaimed(tx, service.name, mount, claim.token)) ?? found
}

/** False when the row is absent. */
async function noteLine(db: Sql, { id }: Route): Promise<boolean> {
  const noted = await db
    .update(routeActivity)
    .set({ lineAt: NOW })
    .where(eq(routeActivity.routeId, id))
    .returning({ id: routeActivity.routeId })
  return noted.length === 1
}

/** The claimed service and route, if they exist. Throws `mount_conflict` when the mount belongs to another service. */
async function findClaimed(
  db: Sql,
  announced: string,
  mount: Mount,
  token: Claim['token'],
): Promise<Claimed | undefined> {
  const route = await findRouteAt(db, mount)
  if (route === undefined) return undefined
  if (route.serviceId === null) throw mountTaken(mount, route, token)
  const service = await findService(db, route.serviceId)
  if (service === undefined) return undefined
  if (!announcedNames(service).includes(announced)) throw mountTaken(mount, route, token)
  return { service, route, created: false }
}

/**
 * Throws `token_claim_limit` when the holder of the token has claimed as many routes as its limit allows; deleted routes
 * do not count. A token of ours needs its row, which may have a limit of its own. An outside issuer revokes its tokens
 * itself.
 */
async function refuseOverLimit(db: Sql, token: Claim['token'], holder: string): Promise<void> {
  const limit = (await ownLimit(db, token.reference)) ?? token.maxClaims
  const [row] = await db
    .select({ claims: count() })
    .from(routes)
    .where(and(eq(routes.claimedBy, holder), isNull(routes.deletedAt)))
  if ((row?.claims ?? 0) < limit) return
  throw new VeraError(
    'token_claim_limit',
    `Token ${holder} has claimed all ${limit} routes of its limit. Delete routes that it no longer needs, or raise the limit (token issue --max-claims, tokenMaxClaims).`,
    { field: 'mount' },
  )
}

/** The limit in the row of a token of ours; null when the token has no limit. Throws `token_revoked`. */
async function ownLimit(db: Sql, token: TokenReference): Promise<number | null> {
  if (token.kind === 'outside') return null
  const { revokedAt, maxClaims } = tokens
  const [row] = isId(token.id)
    ? await db.select({ revokedAt, maxClaims }).from(tokens).where(eq(tokens.id, token.id))
    : []
  if (row === undefined || row.revokedAt !== null) throw new VeraError('token_revoked')
  return row.maxClaims
}
