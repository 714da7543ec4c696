// Authenticates the key of a request, and checks its permission. The key is read from the database at each request, so that a
// revocation takes effect at once. While the database is unavailable, keys that were valid in the last minutes still give
// access to operations without the database, such as status. Wrong keys delay their address; a valid key is never delayed
// (active-key-cache.ts).

import { VeraError } from '@vera-stack/shared/errors.ts'
import { repeatsField } from '@vera-stack/shared/http/headers.ts'
import type { Context, MiddlewareHandler } from 'hono'
import { addressGroup } from '../../common/net/address-group.ts'
import { FailedAttempts } from '../../common/passwords/failed-attempts.ts'
import type { AdminKey } from '../../database/store/store.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { RequestError } from '../http/problem.ts'
import { ActiveKeyCache } from './active-key-cache.ts'
import { hashMatches, hashOf, looksLikeApiKey, prefixOf } from './api-key-format.ts'
import { isExpired } from './credential-state.ts'
import { allows, type Permission } from './scope.ts'

const CACHED_FOR_MS = 300_000
const CACHED_KEYS = 1000
const TOUCH_INTERVAL_MS = 60_000

interface CachedKey {
  readonly key: AdminKey
  readonly at: number
}

/** Returns a middleware that sets `key` and `by`, or throws `unauthorized`, `rate_limited` or `database_unavailable`. */
export function authenticate(deps: Pick<AdminDependencies, 'store' | 'clock'>): MiddlewareHandler<AdminEnv> {
  const { store, clock } = deps
  const failures = new FailedAttempts({ clock })
  const activeKeys = new ActiveKeyCache({ load: () => store.adminKeys.activeHashes(), clock })
  // The keys of this map are hashes, which are no credentials.
  const cached = new Map<string, CachedKey>()
  const touchedAt = new Map<string, number>()

  const cache = (hash: string, key: AdminKey): void => {
    cached.delete(hash)
    cached.set(hash, { key, at: clock.now() })
    if (cached.size > CACHED_KEYS) forget(cached)
  }
  const recall = (hash: string): AdminKey | undefined => {
    const entry = cached.get(hash)
    return entry !== undefined && clock.now() - entry.at < CACHED_FOR_MS ? entry.key : undefined
  }
  const touch = (key: AdminKey, c: Context<AdminEnv>): void => {
    const last = touchedAt.get(key.id)
    if (last !== undefined && clock.now() - last < TOUCH_INTERVAL_MS) return
    touchedAt.delete(key.id)
    touchedAt.set(key.id, clock.now())
    if (touchedAt.size > CACHED_KEYS) forget(touchedAt)
    // The request does not wait for this write, and does not depend on it.
    store.adminKeys.touch(key.id).catch((err: unknown) => c.get('log').debug('key not touched', { err }))
  }

  return async (c, next) => {
    const credential = credentialOf(c)
    const hash = hashOf(credential)
    const bucket = addressGroup(c.env?.incoming?.socket.remoteAddress ?? 'unknown')
    const isKey = looksLikeApiKey(credential)
    const known = recall(hash) !== undefined
    const waitMs = known ? 0 : failures.waitMs(bucket)
    if (waitMs > 0 && !(isKey && (await activeKeys.has(prefixOf(credential), hash)))) {
      c.header('Retry-After', String(Math.ceil(waitMs / 1000)))
      throw new VeraError('rate_limited', 'Too many wrong API keys came from this address.')
    }
    // The failure is counted in advance, so that only a few of many concurrent attempts cause a query.
    const counted = !known && waitMs === 0
    if (counted) failures.failed(bucket)
    const reject = (detail: string): VeraError => {
      if (known) failures.failed(bucket)
      cached.delete(hash)
      return new VeraError('unauthorized', detail)
    }
    if (!isKey)
      throw reject('The credential is not an API key: a key begins with vsk_ and has 57 characters.')
    let key: AdminKey
    try {
      const found = await store.adminKeys.findByPrefix(prefixOf(credential))
      if (!hashMatches(hash, found?.hash) || found === undefined) throw reject('The API key does not exist.')
      if (found.revokedAt !== null) throw reject('The API key has been revoked.')
      const { hash: _, ...row } = found
      key = row
      cache(hash, key)
      touch(key, c)
    } catch (error) {
      const away = error instanceof VeraError && error.code === 'database_unavailable'
      if (away && counted) failures.forgive(bucket)
      const recalled = recall(hash)
      if (!away || recalled === undefined || !worksWithoutDatabase(c)) throw error
      key = recalled
    }
    if (isExpired(key, clock)) throw reject('The API key has expired.')
    if (counted) failures.forgive(bucket)
    c.set('key', key)
    c.set('by', { actor: `admin-key:${key.id}`, keyId: key.id })
    await next()
  }
}

const worksWithoutDatabase = (c: Context<AdminEnv>): boolean =>
  c.req.method === 'GET' &&
  /^\/v1\/(status|telephones|replicas|outages|match|requests(\/[^/]+)?)$/.test(c.req.path)

function credentialOf(c: Context<AdminEnv>): string {
  if (repeatsField(c.env?.incoming?.rawHeaders ?? [], 'authorization')) {
    const detail = 'The request has more than one Authorization field. Send one API key.'
    throw new RequestError('invalid_request', detail, [{ header: 'Authorization', detail }])
  }
  const header = c.req.header('authorization')
  if (header === undefined) throw new VeraError('unauthorized', 'Send Authorization: Bearer <API key>.')
  const match = /^bearer +([^\s]+)$/i.exec(header.trim())
  if (match?.[1] === undefined) throw new VeraError('unauthorized', 'The Authorization scheme is Bearer.')
  return match[1]
}

function forget(map: Map<string, unknown>): void {
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

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
