// Issues, renews and revokes the JWTs of telephones, and creates the keys that sign them. The row of a token holds its scope
// and limits; the JWT repeats them, so that a replica can verify it without the database. The text of a token is returned to
// the caller and never stored.

import { TOKEN_AUDIENCE, TOKEN_ISSUER, type TokenLimits } from '@vera-stack/shared/claims.ts'
import { type Clock, systemClock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { parseMount, parseServiceName } from '@vera-stack/shared/mounts.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose'
import type { TokenId } from '../../common/ids/row-ids.ts'
import type {
  Mutation,
  NewSigningKey,
  PrivateSigningKey,
  Scope,
  Store,
  StoredLimits,
  Token,
} from '../../database/store/store.ts'

export interface TokenRequest {
  /** Name of the telephone: `sub`. */
  readonly name: string
  /** Service names, prefixes such as `shop-*`, or `*`. */
  readonly services: readonly string[]
  /** Mounts, each with all paths under it, or `*`. */
  readonly mounts: readonly string[]
  /** An absent limit, or null, selects the default of the settings. */
  readonly limits?: { readonly [Name in keyof TokenLimits]: number | null | undefined } | undefined
  readonly ttlSeconds: number
}

/** A renewed token, with the scope and the limits of its row. */
interface RenewedToken extends IssuedToken {
  readonly services: readonly string[]
  readonly mounts: readonly string[]
  readonly limits: TokenLimits
}

export interface IssuedToken {
  /** `jti`. */
  readonly id: TokenId
  /** The JWT. */
  readonly token: string
  readonly expiresAt: Date
}

export interface TokenIssuerOptions {
  readonly store: Pick<Store, 'tokens' | 'signingKeys'>
  readonly clock?: Clock | undefined
}

export class TokenIssuer {
  readonly #store: TokenIssuerOptions['store']
  readonly #clock: Clock

  constructor(options: TokenIssuerOptions) {
    this.#store = options.store
    this.#clock = options.clock ?? systemClock
  }

  /** Issues a token. Rejects with VeraError: `invalid_request` (the scope is invalid), `database_unavailable`. */
  async issue(request: TokenRequest, by: Mutation): Promise<IssuedToken & { readonly row: Token }> {
    checkScopes(request)
    // A dry run creates no key and no token.
    const key = by.dryRun === true ? undefined : await this.ensureSigningKey(by.actor)
    const { name, services, mounts, limits = {}, ttlSeconds } = request
    const stored: StoredLimits = {
      maxTunnels: limits.tunnels ?? null,
      maxClaims: limits.claims ?? null,
      maxAnnouncementsPerMinute: limits.announcementsPerMinute ?? null,
    }
    const row = await this.#store.tokens.create({ name, services, mounts, ttlSeconds, ...stored }, by)
    return { ...(key === undefined ? unsigned(row) : await this.#sign(row, key)), row }
  }

  /**
   * Signs a new JWT with the id of one of our tokens, valid for the same time again, with the current scope and limits of its
   * row. Rejects with VeraError: `token_revoked`, `token_expired`, `not_found` (no row), `database_unavailable`.
   */
  async renew(id: TokenId): Promise<RenewedToken> {
    const row = await this.#store.tokens.renew(id)
    const issued = await this.#sign(row, await this.ensureSigningKey('system'))
    return { ...issued, services: row.services, mounts: row.mounts, limits: limitsOf(row) }
  }

  /** Revokes a token and so closes its tunnels on every replica. Idempotent. */
  async revoke(id: TokenId, by: Mutation): Promise<Token> {
    return await this.#store.tokens.revoke(id, by)
  }

  /** Returns the expiry of the newest JWT of one of our tokens; undefined: the token has no row, or is revoked. */
  async expiryOf(id: TokenId): Promise<Date | undefined> {
    const row = await this.#store.tokens.find(id)
    return row === undefined || row.revokedAt !== null ? undefined : row.expiresAt
  }

  /** Returns the signing key. The first replica that needs it creates it. */
  ensureSigningKey(actor: string): Promise<PrivateSigningKey> {
    return this.#store.signingKeys.ensure(generateSigningKey, { actor })
  }

  async #sign(row: Token, key: PrivateSigningKey): Promise<IssuedToken> {
    const nowSeconds = Math.floor(this.#clock.wallTime() / 1000)
    const expiresSeconds = Math.floor(row.expiresAt.getTime() / 1000)
    const limits = limitsOf(row)
    const token = await new SignJWT({
      services: [...row.services],
      mounts: [...row.mounts],
      ...(Object.keys(limits).length > 0 && { limits }),
    })
      .setProtectedHeader({ alg: key.algorithm, kid: key.kid, typ: 'JWT' })
      .setIssuer(TOKEN_ISSUER)
      .setAudience(TOKEN_AUDIENCE)
      .setSubject(row.name)
      .setJti(row.id)
      .setIssuedAt(nowSeconds)
      .setExpirationTime(expiresSeconds)
      .sign(await importJWK({ ...key.privateJwk }, key.algorithm))
    return { id: row.id, token, expiresAt: new Date(expiresSeconds * 1000) }
  }
}

const unsigned = ({ id, expiresAt }: Token): IssuedToken => ({ id, token: '', expiresAt })

/** Returns only the limits that are set in the row, because the replica that verifies the token adds the defaults. */
function limitsOf({ maxTunnels, maxClaims, maxAnnouncementsPerMinute }: StoredLimits): TokenLimits {
  return {
    ...(maxTunnels !== null && { tunnels: maxTunnels }),
    ...(maxClaims !== null && { claims: maxClaims }),
    ...(maxAnnouncementsPerMinute !== null && { announcementsPerMinute: maxAnnouncementsPerMinute }),
  }
}

/** Generates an Ed25519 key pair. Its id is its thumbprint (RFC 7638). */
export async function generateSigningKey(): Promise<NewSigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const publicJwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(publicJwk)
  return { kid, publicJwk: { ...publicJwk }, privateJwk: { ...(await exportJWK(privateKey)) } }
}

function checkScopes(scope: TokenRequest): void {
  if (scope.services.length === 0 && scope.mounts.length === 0) {
    throw new VeraError('invalid_request', 'The token has no services and no mounts. Pass at least one.', {
      field: 'services',
    })
  }
  const problem = scopeProblem(scope)
  if (problem !== undefined) throw new VeraError('invalid_request', problem.message, { field: problem.list })
}

/** Returns the reason why a pattern can match no service. */
export function serviceScopeProblem(pattern: string): string | undefined {
  const fits = pattern.endsWith('*')
    ? /^(?:[a-z0-9][a-z0-9._-]*)?$/.test(pattern.slice(0, -1))
    : parseServiceName(pattern).ok
  return fits ? undefined : `"${cutText(pattern)}" is not a service name or a prefix with *`
}

/** Returns the first pattern that can match no service, or no mount. */
export function scopeProblem({
  services,
  mounts,
}: Scope):
  | { readonly list: 'services' | 'mounts'; readonly index: number; readonly message: string }
  | undefined {
  for (const [index, pattern] of services.entries()) {
    const message = serviceScopeProblem(pattern)
    if (message !== undefined) return { list: 'services', index, message: `${message}.` }
  }
  for (const [index, pattern] of mounts.entries()) {
    const mount = parseMount(pattern)
    if (!mount.ok) return { list: 'mounts', index, message: `${mount.problem}.` }
  }
  return undefined
}
