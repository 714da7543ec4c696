// Checks the JWT of a telephone before there is a tunnel. Our own tokens are verified with keys from the directory's
// memory, so this works while the database is away. Tokens of one outside issuer are verified with the keys of its
// JWKS address. The two kinds stay apart: an id of an outside token is never looked up among our own ids. No token is
// logged, and no error message names a key.

import {
  type Claims,
  claimsSchema,
  grantsNothing,
  TOKEN_AUDIENCE,
  TOKEN_ISSUER,
  type TokenLimits,
} from '@vera-stack/shared/claims.ts'
import { type Clock, systemClock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  importJWK,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose'
import type { TokenReference } from '../../database/store/token-reference.ts'
import { IssuerKeys } from '../../jwks/issuer-keys.ts'
import { JwksUnavailable } from '../../jwks/jwks.ts'
import type { Directory, VerificationKey } from '../../routes/directory.ts'
import { ANY_NETWORK } from '../../routes/outbound-networks.ts'
import { TOKEN_ALGORITHMS } from '../../routes/rules/access-rules.ts'

/** An issuer other than this Plugboard, whose tokens carry the same claims. */
export interface OutsideIssuer {
  /** The exact `iss`; not `plugboard`, which is ours. */
  readonly issuer: string
  readonly jwksUrl: string
  /** Default `plugboard`. */
  readonly audience?: string | undefined
}

/** A token that was verified. */
export interface Credential {
  readonly token: TokenReference
  /** `sub`: the name of the telephone, as its issuer gave it. Two tokens may have the same one. */
  readonly subject: string
  readonly services: readonly string[]
  readonly mounts: readonly string[]
  readonly limits: TokenLimits
  /** ms since 1970. */
  readonly expiresAtMs: number
  /** The key of ours that signed it; undefined: an outside issuer's. */
  readonly kid: string | undefined
}

export interface AuthenticatorOptions {
  readonly directory: Pick<Directory, 'verificationKey' | 'isRevoked'>
  readonly outside?: OutsideIssuer | undefined
  readonly clock?: Clock | undefined
  readonly log: Logger
}

const CLOCK_TOLERANCE_SECONDS = 5
const MAX_TOKEN_LENGTH = 16_384

type ImportedKey = Awaited<ReturnType<typeof importJWK>>

export class Authenticator {
  readonly #directory: AuthenticatorOptions['directory']
  readonly #outside: OutsideIssuer | undefined
  readonly #clock: Clock
  readonly #outsideKeys: JWTVerifyGetKey | undefined
  /** Forgotten together with the directory's own object of the key. */
  readonly #imported = new WeakMap<VerificationKey, Promise<ImportedKey>>()

  constructor(options: AuthenticatorOptions) {
    this.#directory = options.directory
    this.#outside = options.outside
    this.#clock = options.clock ?? systemClock
    if (options.outside !== undefined) {
      const { jwksUrl } = options.outside
      const keys = new IssuerKeys({ clock: this.#clock, log: options.log, networks: ANY_NETWORK })
      this.#outsideKeys = keys.of(jwksUrl).key
    }
  }

  /**
   * Rejects with VeraError: `unauthorized`, `token_expired`, `token_revoked` (401), `forbidden` (403: the token is
   * good and grants nothing), or `overloaded` (503: the outside issuer's keys cannot be fetched).
   */
  async authenticate(token: string): Promise<Credential> {
    if (token.length > MAX_TOKEN_LENGTH) throw new VeraError('unauthorized', 'The token is too long.')
    const issuer = this.#outsideIssuerOf(token)
    const kid = issuer === undefined ? kidOf(token) : undefined
    const payload = kid === undefined ? await this.#verifyOutside(token) : await this.#verifyOwn(token, kid)
    const claims = readClaims(payload)
    const { jti: id, sub: subject } = claims
    // The key may have been removed while the signature was verified; this tunnel was not open then, to be closed with it.
    if (kid !== undefined && this.#directory.verificationKey(kid) === undefined) throw unknownKey()
    if (issuer === undefined && this.#directory.isRevoked(id)) throw new VeraError('token_revoked')
    if (grantsNothing(claims)) {
      throw new VeraError('forbidden', 'The token grants neither services nor mounts.')
    }
    return {
      token: issuer === undefined ? { kind: 'own', id } : { kind: 'outside', issuer, subject, id },
      subject,
      services: claims.services,
      mounts: claims.mounts,
      limits: claims.limits ?? {},
      expiresAtMs: claims.exp * 1000,
      kid,
    }
  }

  /** Undefined for a token of ours, or of an issuer that is not configured. */
  #outsideIssuerOf(token: string): string | undefined {
    if (this.#outside === undefined) return undefined
    try {
      const { iss } = decodeJwt(token)
      return iss === this.#outside.issuer ? iss : undefined
    } catch (error) {
      throw new VeraError('unauthorized', 'The token is not a JWT.', { cause: error })
    }
  }

  async #verifyOwn(token: string, kid: string): Promise<JWTPayload> {
    const key = this.#directory.verificationKey(kid)
    if (key === undefined) throw unknownKey()
    let imported = this.#imported.get(key)
    if (imported === undefined) {
      imported = importJWK({ ...key.publicJwk }, key.algorithm)
      this.#imported.set(key, imported)
    }
    const publicKey = await imported
    const rules = this.#rules(TOKEN_AUDIENCE, ['EdDSA'])
    return verify(() => jwtVerify(token, publicKey, { ...rules, issuer: TOKEN_ISSUER }))
  }

  async #verifyOutside(token: string): Promise<JWTPayload> {
    const outside = this.#outside as OutsideIssuer
    const keys = this.#outsideKeys as JWTVerifyGetKey
    const rules = this.#rules(outside.audience ?? TOKEN_AUDIENCE, [...TOKEN_ALGORITHMS])
    return verify(() => jwtVerify(token, keys, { ...rules, issuer: outside.issuer }))
  }

  #rules(audience: string, algorithms: string[]) {
    return {
      audience,
      algorithms,
      requiredClaims: ['exp', 'sub', 'jti'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(this.#clock.wallTime()),
    }
  }
}

function kidOf(token: string): string {
  let kid: string | undefined
  try {
    kid = decodeProtectedHeader(token).kid
  } catch (error) {
    throw new VeraError('unauthorized', 'The token is not a JWT.', { cause: error })
  }
  if (kid === undefined) throw new VeraError('unauthorized', 'The token names no key.')
  return kid
}

function readClaims(payload: JWTPayload): Claims {
  const parsed = claimsSchema.safeParse(payload)
  if (parsed.success) return parsed.data
  const field = parsed.error.issues[0]?.path.join('.') ?? ''
  throw new VeraError('unauthorized', `The token has a claim that cannot be used: ${field}.`, { field })
}

function unknownKey(options?: { readonly cause: unknown }): VeraError {
  return new VeraError('unauthorized', 'The token was signed with an unknown key.', options)
}

/** Foreign errors end here: jose's become codes of ours, with one line that helps whoever holds the token. */
async function verify(check: () => Promise<{ payload: JWTPayload }>): Promise<JWTPayload> {
  try {
    return (await check()).payload
  } catch (error) {
    throw translated(error)
  }
}

function translated(error: unknown): VeraError {
  const options = { cause: error }
  if (error instanceof errors.JWTExpired) return new VeraError('token_expired', undefined, options)
  if (error instanceof errors.JWTClaimValidationFailed) {
    const detail = `The token has a claim that is missing or not for this address: ${error.claim}.`
    return new VeraError('unauthorized', detail, { ...options, field: error.claim })
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return new VeraError('unauthorized', 'The signature of the token is wrong.', options)
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return unknownKey(options)
  }
  if (error instanceof errors.JOSEError) {
    return new VeraError('unauthorized', 'The token is not a JWT that is accepted here.', options)
  }
  if (error instanceof JwksUnavailable) {
    return new VeraError(
      'overloaded',
      "The signing keys of the token's issuer could not be fetched.",
      options,
    )
  }
  return new VeraError('overloaded', "A signing key of the token's issuer cannot be used.", options)
}
