// Verifies the JWT of a telephone before the tunnel opens. Our own tokens are verified with keys from the directory's
// memory, so this works while the database is unavailable. Tokens of one outside issuer are verified with the keys of its
// JWKS URL. The two kinds stay separate: an id of an outside token is never looked up among our own ids. This file never logs
// a token, and its error messages never contain a key.

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
import { asTokenId } from '../../common/ids/row-ids.ts'
import type { TokenReference } from '../../database/store/values/token-reference.ts'
import { IssuerKeys } from '../../jwks/issuer-keys.ts'
import { JwksUnavailable } from '../../jwks/jwks.ts'
import type { Directory, VerificationKey } from '../../routes/directory.ts'
import { ANY_NETWORK } from '../../routes/options/outbound-networks.ts'
import { TOKEN_ALGORITHMS } from '../../routes/rules/access-rules.ts'

/** An issuer other than this Plugboard, whose tokens carry the same claims. */
export interface OutsideIssuer {
  /** The exact `iss` claim. It must not be `plugboard`, which is our own issuer. */
  readonly issuer: string
  readonly jwksUrl: string
  /** Default `plugboard`. */
  readonly audience?: string | undefined
}

/** A verified token. */
export interface Credential {
  readonly token: TokenReference
  /** The claim `sub`: the name of the telephone, set by the issuer. Two tokens may have the same subject. */
  readonly subject: string
  readonly services: readonly string[]
  readonly mounts: readonly string[]
  readonly limits: TokenLimits
  /** ms since 1970. */
  readonly expiresAtMs: number
  /** Id of our own key that signed the token; undefined: the token is from an outside issuer. */
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
  /** Imported keys. An entry ends together with the directory's object of the key. */
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
   * Verifies a token. Rejects with VeraError: `unauthorized`, `token_expired`, `token_revoked` (401), `forbidden` (403: the
   * token is valid but has no scope), or `overloaded` (503: the outside issuer's keys could not be fetched or used).
   */
  async authenticate(token: string): Promise<Credential> {
    if (token.length > MAX_TOKEN_LENGTH) throw new VeraError('unauthorized', 'The token is too long.')
    const issuer = this.#outsideIssuerOf(token)
    const kid = issuer === undefined ? kidOf(token) : undefined
    const payload = kid === undefined ? await this.#verifyOutside(token) : await this.#verifyOwn(token, kid)
    const claims = readClaims(payload)
    const { jti: id, sub: subject } = claims
    // The key may have been removed while the signature was verified. The removal closes open tunnels only, so check again.
    if (kid !== undefined && this.#directory.verificationKey(kid) === undefined) throw unknownKey()
    if (issuer === undefined && this.#directory.isRevoked(asTokenId(id))) throw new VeraError('token_revoked')
    if (grantsNothing(claims)) {
      throw new VeraError('forbidden', 'The token has no services and no mounts. Issue a token with a scope.')
    }
    return {
      token:
        issuer === undefined ? { kind: 'own', id: asTokenId(id) } : { kind: 'outside', issuer, subject, id },
      subject,
      services: claims.services,
      mounts: claims.mounts,
      limits: claims.limits ?? {},
      expiresAtMs: claims.exp * 1000,
      kid,
    }
  }

  /** Returns undefined for our own tokens, and for tokens of an issuer that is not configured. */
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
  if (kid === undefined) throw new VeraError('unauthorized', 'The token has no key id (kid) in its header.')
  return kid
}

function readClaims(payload: JWTPayload): Claims {
  const parsed = claimsSchema.safeParse(payload)
  if (parsed.success) return parsed.data
  const field = parsed.error.issues[0]?.path.join('.') ?? ''
  throw new VeraError('unauthorized', `The token has an invalid claim: ${field}.`, { field })
}

function unknownKey(options?: { readonly cause: unknown }): VeraError {
  return new VeraError('unauthorized', 'The token was signed with an unknown key.', options)
}

/** Translates errors of jose to our error codes, with a message for the holder of the token. */
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
    const detail = `The token has a claim that is missing or not valid here: ${error.claim}.`
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
