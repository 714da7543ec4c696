// Rows of certificates from an authority: the replica that orders each one now, the result, and the challenges of the
// authority. All times are times of the database, so that replicas agree. Not a part of the change log.

import { and, asc, eq, gt, isNull, lt, or, sql } from 'drizzle-orm'
import { acmeAccounts, acmeChallenges, certificates, routes } from '../schema.ts'
import type { Sql, SqlRunner } from '../sql-runner.ts'
import type { CertificateStore, OrderDecision, StoredCertificate } from './store.ts'

/** The lock of an order's begin, because each begin counts the other orders. */
const ORDER_LOCK = [0x706c7567, 4] as const
/**
 * Whole milliseconds, as the columns hold them. Postgres rounds a time that it stores: without this, a time that was stored just
 * now could lie half a millisecond in the future.
 */
const NOW = sql`date_trunc('milliseconds', clock_timestamp())`
/** The time that a row is kept after the end of its certificate, or after the last attempt to get a first certificate. */
const KEPT = sql`interval '30 days'`

const later = (ms: number) => sql`clock_timestamp() + ${`${Math.round(ms)} milliseconds`}::interval`

export function createCertificateStore(runner: SqlRunner): CertificateStore {
  return {
    find: host =>
      runner.read(async db => {
        const [row] = await db.select().from(certificates).where(eq(certificates.host, host))
        return row === undefined ? undefined : storedOf(row)
      }),
    issuedAfter: at =>
      runner.read(async db => {
        const rows = await db
          .select({ host: certificates.host, issuedAt: certificates.issuedAt })
          .from(certificates)
          .where(gt(certificates.issuedAt, at))
        return rows.flatMap(({ host, issuedAt }) => (issuedAt === null ? [] : [{ host, issuedAt }]))
      }),
    due: limit =>
      runner.read(async db => {
        const { rows } = await db.execute<{ host: string }>(sql`
          WITH expired AS (
            DELETE FROM plugboard.certificates
            WHERE coalesce(not_after, attempted_at) < ${NOW} - ${KEPT} AND coalesce(lease_until, ${NOW}) <= ${NOW}
          )
          SELECT host FROM plugboard.certificates
          WHERE renew_at <= ${NOW} AND next_attempt_at <= ${NOW}
            AND (lease_until IS NULL OR lease_until < ${NOW})
          ORDER BY random() LIMIT ${limit}`)
        return rows.map(({ host }) => host)
      }),
    begin: ({ host, owner, leaseMs, atOnce, perHour, perToken, unusable }) =>
      runner.read(async db => {
        const { rows } = await db.transaction(async tx => {
          await tx.execute(sql`SELECT pg_advisory_xact_lock(${ORDER_LOCK[0]}, ${ORDER_LOCK[1]})`)
          await tx.insert(certificates).values({ host }).onConflictDoNothing()
          const claimedBy = perToken === undefined ? null : await claimerOf(tx, host)
          return await tx.execute<{ decision: OrderDecision; failures: number }>(sql`
            WITH decided AS (
              SELECT host, failures, CASE
                WHEN lease_until >= ${NOW} THEN 'busy'
                WHEN next_attempt_at > ${NOW} OR (renew_at > ${NOW} AND NOT ${unusable}) THEN 'waiting'
                WHEN (SELECT count(*) FROM plugboard.certificates WHERE lease_until >= ${NOW}) >= ${atOnce}
                  THEN 'busy'
                WHEN (SELECT count(*) FROM plugboard.certificates
                  WHERE lease_until >= ${NOW} AND claimed_by = ${claimedBy}) >= ${Math.ceil(atOnce / 2)}
                  THEN 'busy'
                WHEN (SELECT count(*) FROM plugboard.certificates
                  WHERE attempted_at > ${NOW} - interval '1 hour') >= ${perHour} THEN 'rate_limited'
                WHEN (SELECT count(*) FROM plugboard.certificates
                  WHERE attempted_at > ${NOW} - interval '1 hour' AND claimed_by = ${claimedBy})
                  >= ${perToken ?? null} THEN 'token_rate_limited'
                ELSE 'granted' END AS decision
              FROM plugboard.certificates WHERE host = ${host}
            ), granted AS (
              UPDATE plugboard.certificates SET lease_owner = ${owner}, lease_until = ${later(leaseMs)},
                attempted_at = ${NOW}, claimed_by = ${claimedBy}
              WHERE host IN (SELECT host FROM decided WHERE decision = 'granted')
            )
            SELECT decision, failures FROM decided`)
        })
        return rows[0]!
      }),
    succeed: ({ host, chain, sealedKey: key, notAfter, renewAt }, owner) =>
      runner.read(async db => {
        const done = { chain, key, notAfter, renewAt, issuedAt: NOW, failures: 0, lastError: null }
        await db
          .update(certificates)
          .set({ ...done, nextAttemptAt: NOW, leaseOwner: null, leaseUntil: null })
          .where(and(eq(certificates.host, host), eq(certificates.leaseOwner, owner)))
      }),
    fail: (host, owner, error, retryMs) =>
      runner.read(async db => {
        await db
          .update(certificates)
          .set({
            failures: sql`failures + 1`,
            lastError: error.slice(0, 2000),
            nextAttemptAt: later(retryMs),
            leaseOwner: null,
            leaseUntil: null,
          })
          .where(and(eq(certificates.host, host), eq(certificates.leaseOwner, owner)))
      }),
    release: (host, owner) =>
      runner.read(async db => {
        await db
          .update(certificates)
          .set({ leaseOwner: null, leaseUntil: null, attemptedAt: null })
          .where(and(eq(certificates.host, host), eq(certificates.leaseOwner, owner)))
      }),
    orders: limit =>
      runner.read(async db => {
        const { host, notAfter, renewAt, lastError, nextAttemptAt } = certificates
        return await db
          .select({ host, notAfter, renewAt, lastError, nextAttemptAt })
          .from(certificates)
          .orderBy(asc(sql`${lastError} IS NULL`), asc(renewAt), asc(host))
          .limit(limit)
      }),
    account: directory =>
      runner.read(async db => {
        const [row] = await db.select().from(acmeAccounts).where(eq(acmeAccounts.directory, directory))
        return row === undefined ? undefined : { url: row.url, sealedKey: row.key }
      }),
    saveAccount: (directory, { url, sealedKey: key }, replaces) =>
      runner.read(async db => {
        await db
          .insert(acmeAccounts)
          .values({ directory, url, key })
          .onConflictDoUpdate({
            target: acmeAccounts.directory,
            set: { url, key, createdAt: NOW },
            setWhere: eq(acmeAccounts.key, replaces ?? ''),
          })
        const [row] = await db.select().from(acmeAccounts).where(eq(acmeAccounts.directory, directory))
        return { url: row!.url, sealedKey: row!.key }
      }),
    sealedKeys: () =>
      runner.read(async db => {
        const rows = await db.select({ name: certificates.host, key: certificates.key }).from(certificates)
        const accounts = await db
          .select({ name: acmeAccounts.directory, key: acmeAccounts.key })
          .from(acmeAccounts)
        return [
          ...rows.flatMap(({ name, key }) =>
            key === null ? [] : [{ kind: 'certificate' as const, name, sealedKey: key }],
          ),
          ...accounts.map(({ name, key }) => ({ kind: 'account' as const, name, sealedKey: key })),
        ]
      }),
    replaceKey: (kind, name, before, key) =>
      runner.read(async db => {
        const replaced =
          kind === 'account'
            ? await db
                .update(acmeAccounts)
                .set({ key })
                .where(and(eq(acmeAccounts.directory, name), eq(acmeAccounts.key, before)))
                .returning({ name: acmeAccounts.directory })
            : await db
                .update(certificates)
                .set({ key })
                .where(and(eq(certificates.host, name), eq(certificates.key, before)))
                .returning({ name: certificates.host })
        return replaced.length > 0
      }),
    publishChallenge: (kind, name, value, forMs) =>
      runner.read(async db => {
        const row = { name: `${kind} ${name}`, value, expiresAt: later(forMs) }
        await db
          .insert(acmeChallenges)
          .values(row)
          .onConflictDoUpdate({ target: acmeChallenges.name, set: row })
      }),
    challenge: (kind, name) =>
      runner.read(async db => {
        const [row] = await db
          .select({ value: acmeChallenges.value })
          .from(acmeChallenges)
          .where(and(eq(acmeChallenges.name, `${kind} ${name}`), gt(acmeChallenges.expiresAt, NOW)))
        return row?.value
      }),
    dropChallenge: (kind, name) =>
      runner.read(async db => {
        await db
          .delete(acmeChallenges)
          .where(or(eq(acmeChallenges.name, `${kind} ${name}`), lt(acmeChallenges.expiresAt, NOW)))
      }),
  }
}

/** Holder of the token that claimed the first living route of the host; null when that route was not claimed. */
async function claimerOf(db: Sql, host: string): Promise<string | null> {
  const [first] = await db
    .select({ claimedBy: routes.claimedBy })
    .from(routes)
    .where(and(eq(routes.host, host), isNull(routes.deletedAt)))
    .orderBy(asc(routes.createdAt), asc(routes.id))
    .limit(1)
  return first?.claimedBy ?? null
}

function storedOf(row: typeof certificates.$inferSelect): StoredCertificate | undefined {
  const { host, chain, key, notAfter, renewAt, issuedAt } = row
  if (chain === null || key === null || notAfter === null || renewAt === null || issuedAt === null) {
    return undefined
  }
  return { host, chain, sealedKey: key, notAfter, renewAt, issuedAt }
}
