// Queries of telephones' tokens: issued tokens with their expiry and revocation. The JWT itself is never stored; its `jti` is
// the id.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { and, count, eq, inArray, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import { asTokenId, type TokenId } from '../../common/ids/row-ids.ts'
import { routes, tokens } from '../schema.ts'
import type { Sql, SqlRunner } from '../sql-runner.ts'
import type { CredentialFilters, Token, TokenStore } from './store.ts'
import { isId, untouched } from './values/input.ts'
import { createdKey, limitOf, pageOf } from './values/page.ts'
import { listOrder, type SortOrder } from './values/sort.ts'

const expiry = (ttlSeconds: unknown) => sql`clock_timestamp() + make_interval(secs => ${ttlSeconds})`

export function createTokenStore(runner: SqlRunner): TokenStore {
  return {
    create: (input, by) =>
      runner.write(by, async tx => {
        const { id, name, services, mounts, ttlSeconds } = input
        const { maxTunnels, maxClaims, maxAnnouncementsPerMinute } = input
        const [token] = await tx
          .insert(tokens)
          .values({
            ...(id === undefined ? {} : { id }),
            name,
            services: [...services],
            mounts: [...mounts],
            ttlSeconds,
            maxTunnels,
            maxClaims,
            maxAnnouncementsPerMinute,
            expiresAt: expiry(ttlSeconds),
          })
          .returning()
        return token!
      }),
    claimCounts: ids =>
      runner.read(async db => {
        const rows = await db
          .select({ holder: routes.claimedBy, claims: count() })
          .from(routes)
          .where(and(inArray(routes.claimedBy, [...ids]), isNull(routes.deletedAt)))
          .groupBy(routes.claimedBy)
        return new Map(rows.map(({ holder, claims }) => [asTokenId(holder!), claims]))
      }),
    find: id => runner.read(db => findToken(db, id)),
    get: id =>
      runner.read(async db => {
        const token = await findToken(db, id)
        if (token !== undefined) return token
        throw new VeraError('not_found', 'There is no such token.')
      }),
    list: (request = {}) =>
      runner.read(async db => {
        const limit = limitOf(request)
        const { cursor } = request
        const order = listOrder(ORDERS, '-createdAt', request.sort)
        const rows = await db
          .select()
          .from(tokens)
          .where(and(...conditionsOf(request), cursor === undefined ? undefined : order.after(cursor)))
          .orderBy(...order.orderBy)
          .limit(limit + 1)
        return pageOf(rows, limit, order.cursorKey)
      }),
    count: filters => runner.read(db => db.$count(tokens, and(...conditionsOf(filters)))),
    renew: id =>
      runner.write({ actor: `token:${id}` }, async tx => {
        if (isId(id)) {
          const usable = and(eq(tokens.id, id), isNull(tokens.revokedAt), sql`${tokens.expiresAt} > now()`)
          const renewed = { expiresAt: expiry(tokens.ttlSeconds) }
          const [token] = await tx.update(tokens).set(renewed).where(usable).returning()
          if (token !== undefined) return token
        }
        const found = await findToken(tx, id)
        if (found === undefined) throw new VeraError('not_found', 'There is no such token.')
        throw new VeraError(found.revokedAt === null ? 'token_expired' : 'token_revoked')
      }),
    revoke: (id, by) =>
      runner.write(by, async tx => {
        const found = await findToken(tx, id)
        if (found === undefined) throw untouched('token', undefined)
        if (by.ifVersion !== undefined && found.version !== by.ifVersion) throw untouched('token', found)
        const living = and(eq(tokens.id, id), isNull(tokens.revokedAt))
        const [revoked] = await tx
          .update(tokens)
          .set({ revokedAt: sql`clock_timestamp()` })
          .where(living)
          .returning()
        // The token was revoked before, or a concurrent request has revoked it.
        return revoked ?? (await findToken(tx, id))!
      }),
    touch: id =>
      runner.read(async db => {
        if (!isId(id)) return
        const stale = or(isNull(tokens.lastSeenAt), lt(tokens.lastSeenAt, sql`now() - interval '1 minute'`))
        await db
          .update(tokens)
          .set({ lastSeenAt: sql`now()` })
          .where(and(eq(tokens.id, id), stale))
      }),
  }
}

const ORDERS = {
  createdAt: {
    columns: [tokens.createdAt, tokens.id],
    key: createdKey,
    keyOf: ({ createdAt, id }: Token) => [createdAt.toISOString(), id],
  },
} as const satisfies Record<'createdAt', SortOrder<Token>>

function conditionsOf({ q, active }: CredentialFilters): (SQL | undefined)[] {
  return [
    active === true ? and(isNull(tokens.revokedAt), sql`${tokens.expiresAt} > now()`) : undefined,
    q === undefined ? undefined : sql`position(${q} IN ${tokens.name}) > 0`,
  ]
}

async function findToken(db: Sql, id: TokenId): Promise<Token | undefined> {
  if (!isId(id)) return undefined
  const [token] = await db.select().from(tokens).where(eq(tokens.id, id))
  return token
}
