// Tokens of one issuer (RFC 6750, RFC 7519) for one route. The signature is verified with the issuer's published keys, and
// only with asymmetric algorithms. Results are cached, so that the next request with the same token is decided synchronously.
// They expire after a few minutes, so that tokens of a withdrawn key become invalid.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { errors, type JWTVerifyOptions, jwtVerify } from 'jose'
import { type Jwks, JwksUnavailable } from '../../jwks/jwks.ts'
import { type JwtRules, TOKEN_ALGORITHMS } from '../../routes/rules/access-rules.ts'
import type { CredentialCache } from './credential-cache.ts'
import { forwardedFields, hasRequiredClaims, hasScopes } from './token-claims.ts'

/** `fields`: the fields that are added to the request for the backend. */
export type BearerOutcome =
  | { readonly fields: readonly string[] }
  | 'invalid'
  | 'expired'
  | 'insufficient_scope'
  | 'unavailable'

/** Shared by all routes. */
export interface BearerDependencies {
  readonly clock: Clock
  readonly cache: CredentialCache<BearerOutcome>
  /** Reports an internal error, such as an unusable key. Called at most once for each route. */
  readonly broken: (error: unknown) => void
}

const CLOCK_TOLERANCE_SECONDS = 30
const MAX_TOKEN = 16_384
const CACHED_MS = 300_000

export class BearerAuth {
  readonly #rules: JwtRules
  readonly #jwks: Jwks
  readonly #clock: Clock
  readonly #cache: CredentialCache<BearerOutcome>
  readonly #keyOf: (token: string) => string
  #broken: ((error: unknown) => void) | undefined
  readonly #verification: JWTVerifyOptions
  readonly #verifying = new Map<string, Promise<BearerOutcome>>()

  constructor(rules: JwtRules, jwks: Jwks, { clock, cache, broken }: BearerDependencies) {
    this.#rules = rules
    this.#jwks = jwks
    this.#clock = clock
    this.#cache = cache
    this.#keyOf = cache.scope()
    this.#broken = broken
    this.#verification = {
      issuer: rules.issuer,
      audience: rules.audience as string | string[],
      algorithms: [...(rules.algorithms ?? TOKEN_ALGORITHMS)],
      requiredClaims: ['exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    }
  }

  /** Verifies a token. A promise never rejects. */
  check(token: string): BearerOutcome | Promise<BearerOutcome> {
    if (token.length > MAX_TOKEN) return 'invalid'
    const key = this.#keyOf(token)
    const known = this.#cache.get(key, this.#clock.wallTime())
    if (known !== undefined) return known
    const verifying = this.#verifying.get(key)
    if (verifying !== undefined) return verifying
    const outcome = this.#verify(token, key).finally(() => this.#verifying.delete(key))
    this.#verifying.set(key, outcome)
    return outcome
  }

  async #verify(token: string, key: string): Promise<BearerOutcome> {
    const nowMs = this.#clock.wallTime()
    try {
      const currentDate = new Date(nowMs)
      const { payload } = await jwtVerify(token, this.#jwks.key, { ...this.#verification, currentDate })
      const { claims, scopes, forward } = this.#rules
      const outcome: BearerOutcome =
        hasRequiredClaims(payload, claims) && hasScopes(payload, scopes)
          ? { fields: forwardedFields(payload, forward) }
          : 'insufficient_scope'
      const expiresAtMs = ((payload.exp ?? 0) + CLOCK_TOLERANCE_SECONDS) * 1000
      this.#cache.set(key, outcome, Math.min(expiresAtMs, nowMs + CACHED_MS))
      return outcome
    } catch (error) {
      if (error instanceof errors.JWTExpired) return 'expired'
      if (error instanceof errors.JOSEError) return 'invalid'
      // The keys cannot be used, so the token may be valid. issuer-keys.ts has already logged a failed fetch.
      if (!(error instanceof JwksUnavailable)) this.#logFailure(error)
      return 'unavailable'
    }
  }

  #logFailure(error: unknown): void {
    this.#broken?.(error)
    this.#broken = undefined
  }
}
