// A telephone brings its own service and route: made when they are not there, left alone when they are. Asked at
// each connection, so the usual case (all of it exists) reads and takes no lock.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { formatMount, mountScopeCovers, serviceScopeCovers } from '@vera-stack/shared/mounts.ts'
import { eq, sql } from 'drizzle-orm'
import { findRoute, insertRoute } from './routes.ts'
import { services, tokens } from './schema.ts'
import { findService } from './services.ts'
import type { Sql, SqlRunner } from './sql-runner.ts'
import type { Claim, Claimed, Route } from './store.ts'
import { isId, validMount, validServiceName } from './valid.ts'

export async function claimMount(runner: SqlRunner, claim: Claim): Promise<Claimed> {
  const name = validServiceName(claim.service, 'service')
  const mount = validMount(claim.mount)
  const written = formatMount(mount)
  if (!claim.token.services.some(scope => serviceScopeCovers(scope, name))) {
    throw new VeraError('forbidden', `The token does not reach service "${name}".`, { field: 'service' })
  }
  if (!claim.token.mounts.some(scope => mountScopeCovers(scope, mount))) {
    throw new VeraError('forbidden', `The token does not reach mount ${written}.`, { field: 'mount' })
  }
  const present = await runner.read(db => findClaimed(db, name, written))
  if (present !== undefined) return present
  return await runner.write({ actor: `token:${claim.token.id}` }, async tx => {
    await refuseRevoked(tx, claim.token.id)
    // This first statement that writes takes the lock of all writers: what is read below stays true.
    await tx
      .insert(services)
      .values({ name })
      .onConflictDoNothing({ target: services.name, where: sql`deleted_at IS NULL` })
    const meanwhile = await findClaimed(tx, name, written)
    if (meanwhile !== undefined) return meanwhile
    const service = (await findService(tx, name))!
    const route = await insertRoute(tx, {
      host: mount.host,
      mountPath: mount.path,
      serviceId: service.id,
      options: claim.options ?? {},
      claimedBy: claim.token.id,
    })
    return { service, route, created: true }
  })
}

/** What is claimed, if it is there; throws `mount_conflict` when the very mount is another service's. */
async function findClaimed(db: Sql, serviceName: string, mount: string): Promise<Claimed | undefined> {
  const route = await findRoute(db, mount)
  if (route === undefined) return undefined
  if (route.serviceName !== serviceName || route.serviceId === null) throw takenBy(route)
  const service = await findService(db, route.serviceId)
  return service === undefined ? undefined : { service, route, created: false }
}

function takenBy(route: Route): VeraError {
  const use =
    route.serviceName === null ? 'answers there by itself' : `mounts it for service "${route.serviceName}"`
  const detail = `${route.mount} is mounted already. Route ${route.id} ${use}.`
  return new VeraError('mount_conflict', detail, { field: 'mount' })
}

/** Tokens of outside issuers have no row here; their issuer revokes them. */
async function refuseRevoked(tx: Sql, tokenId: string): Promise<void> {
  if (!isId(tokenId)) return
  const [row] = await tx.select({ revokedAt: tokens.revokedAt }).from(tokens).where(eq(tokens.id, tokenId))
  if (row !== undefined && row.revokedAt !== null) throw new VeraError('token_revoked')
}
