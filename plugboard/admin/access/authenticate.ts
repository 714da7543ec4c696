// Authenticates a request by its key, its one-time link or its session (credential.ts). The key is read from the database at
// each request, so that a revocation takes effect at once. While the database is unavailable, keys that were valid in the last
// minutes still give access to operations without the database, such as status. Wrong credentials delay their address; a valid
// key is never delayed (active-key-cache.ts).

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context, MiddlewareHandler } from 'hono'
import { addressGroup } from '../../common/net/address-group.ts'
import { FailedAttempts } from '../../common/passwords/failed-attempts.ts'
import type { AdminKey } from '../../database/store/store.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { ActiveKeyCache } from './active-key-cache.ts'
import { hashMatches, hashOf, looksLikeApiKey, prefixOf } from './api-key-format.ts'
import { type Credential, credentialOf } from './credential.ts'
import { isExpired } from './credential-state.ts'
import { RecentKeys } from './recent-keys.ts'
import { allows, type Permission } from './scope.ts'

const TOUCH_INTERVAL_MS = 60_000
const MAX_TOUCHED_KEYS = 1000

/**
 * Returns a middleware that sets `key`, `by` and `session`, or throws `unauthorized`, `forbidden`, `rate_limited` or
 * `database_unavailable`.
 */
export function authenticate(
  deps: Pick<AdminDependencies, 'store' | 'clock' | 'sessions'>,
): MiddlewareHandler<AdminEnv> {
  const { store, clock, sessions } = deps
  const failures = new FailedAttempts({ clock })
  const activeKeys = new ActiveKeyCache({ load: () => store.adminKeys.activeHashes(), clock })
  const recentKeys = new RecentKeys(clock)
  const touchedAt = new Map<string, number>()

  const touch = (key: AdminKey, c: Context<AdminEnv>): void => {
    const last = touchedAt.get(key.id)
    if (last !== undefined && clock.now() - last < TOUCH_INTERVAL_MS) return
    touchedAt.delete(key.id)
    touchedAt.set(key.id, clock.now())
    const [oldest] = touchedAt.keys()
    if (touchedAt.size > MAX_TOUCHED_KEYS && oldest !== undefined) touchedAt.delete(oldest)
    // The request does not wait for this write, and does not depend on it.
    store.adminKeys.touch(key.id).catch((err: unknown) => c.get('log').debug('key not touched', { err }))
  }

  /** `hash`: the hash of the whole key. Undefined: a session or a link has proved the key. */
  const load = async (c: Context<AdminEnv>, prefix: string, hash: string | undefined): Promise<AdminKey> => {
    const name = hash ?? prefix
    let key: AdminKey
    try {
      const found = await store.adminKeys.findByPrefix(prefix)
      const isRight = hash === undefined || hashMatches(hash, found?.hash)
      if (found === undefined || !isRight) throw new VeraError('unauthorized', 'The API key does not exist.')
      if (found.revokedAt !== null) throw new VeraError('unauthorized', 'The API key has been revoked.')
      const { hash: _, ...row } = found
      key = row
      recentKeys.add(name, key)
      touch(key, c)
    } catch (error) {
      if (isCode(error, 'unauthorized')) recentKeys.delete(name)
      const recent = recentKeys.get(name)
      if (!isCode(error, 'database_unavailable') || recent === undefined || !worksWithoutDatabase(c))
        throw error
      key = recent
    }
    if (!isExpired(key, clock)) return key
    recentKeys.delete(name)
    throw new VeraError('unauthorized', 'The API key has expired.')
  }

  const tooManyFailures = (c: Context<AdminEnv>, waitMs: number): VeraError => {
    c.header('Retry-After', String(Math.ceil(waitMs / 1000)))
    return new VeraError('rate_limited', 'Too many wrong API keys came from this address.')
  }

  const checkKey = async (c: Context<AdminEnv>, credential: string): Promise<AdminKey> => {
    const hash = hashOf(credential)
    const bucket = bucketOf(c)
    const isKey = looksLikeApiKey(credential)
    const isRecent = recentKeys.get(hash) !== undefined
    const waitMs = isRecent ? 0 : failures.waitMs(bucket)
    if (waitMs > 0 && !(isKey && (await activeKeys.has(prefixOf(credential), hash))))
      throw tooManyFailures(c, waitMs)
    // The failure is counted in advance, so that only a few of many concurrent attempts cause a query.
    const isCounted = !isRecent && waitMs === 0
    if (isCounted) failures.failed(bucket)
    try {
      if (!isKey) {
        const detail = 'The credential is not an API key: a key begins with vsk_ and has 57 characters.'
        throw new VeraError('unauthorized', detail)
      }
      const key = await load(c, prefixOf(credential), hash)
      if (isCounted) failures.forgive(bucket)
      return key
    } catch (error) {
      if (isCounted && isCode(error, 'database_unavailable')) failures.forgive(bucket)
      if (isRecent && isCode(error, 'unauthorized')) failures.failed(bucket)
      throw error
    }
  }

  const checkLink = async (c: Context<AdminEnv>, code: string): Promise<AdminKey> => {
    const bucket = bucketOf(c)
    const waitMs = failures.waitMs(bucket)
    if (waitMs > 0) throw tooManyFailures(c, waitMs)
    const keyPrefix = sessions.keyOfLink(code)
    if (keyPrefix === undefined) {
      failures.failed(bucket)
      throw new VeraError(
        'unauthorized',
        'The link has been used, is older than an hour, or belongs to another replica. Run "plugboard dashboard" for a new one.',
      )
    }
    const key = await load(c, keyPrefix, undefined)
    // Of two requests at once with the same link, one starts a session.
    if (sessions.redeemLink(code)) return key
    throw new VeraError('unauthorized', 'The link has just been used.')
  }

  const check = (c: Context<AdminEnv>, credential: Credential): Promise<AdminKey> => {
    switch (credential.kind) {
      case 'key':
        return checkKey(c, credential.key)
      case 'link':
        return checkLink(c, credential.code)
      case 'session':
        return load(c, credential.session.keyPrefix, undefined)
    }
  }

  return async (c, next) => {
    const credential = credentialOf(c, sessions)
    const key = await check(c, credential)
    c.set('key', key)
    c.set('by', { actor: `admin-key:${key.id}`, keyId: key.id })
    c.set('session', credential.kind === 'session' ? credential.session : undefined)
    await next()
  }
}

const bucketOf = (c: Context<AdminEnv>): string =>
  addressGroup(c.env?.incoming?.socket.remoteAddress ?? 'unknown')

const isCode = (error: unknown, code: VeraError['code']): boolean =>
  error instanceof VeraError && error.code === code

const worksWithoutDatabase = (c: Context<AdminEnv>): boolean =>
  c.req.method === 'GET' &&
  /^\/v1\/(session|status|telephones|replicas|outages|match|requests(\/[^/]+)?)$/.test(c.req.path)

/** Rejects a request whose key lacks the permission. The error names the scope that the key needs. */
export function requirePermission(permission: Permission): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    refuseWithout(permission, c.get('key'))
    await next()
  }
}

/** Throws `forbidden` when the key lacks the permission. */
export function refuseWithout(permission: Permission, { scopes }: Pick<AdminKey, 'scopes'>): void {
  if (allows(scopes, permission)) return
  throw new VeraError('forbidden', `The API key lacks the scope ${permission}.`)
}
