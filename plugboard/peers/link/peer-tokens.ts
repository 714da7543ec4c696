// How replicas know each other: short-lived JWTs (HS256) under a key that HKDF (RFC 5869) derives from the cluster's
// secret. Of several secrets the first one signs and all are believed, so that one can follow another. The dialler shows a
// token that is good for one dial; the acceptor answers with one for the dialler's `jti`, so that both ends are proved
// before a byte of a request passes. The secret itself never leaves the process. Who stands between the two of them can
// still pass everything on: against that there is TLS.

import { hkdfSync, randomUUID } from 'node:crypto'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify, SignJWT } from 'jose'
import { asReplicaId, type ReplicaId } from '../../common/replica-id.ts'
import type { Boot } from '../../registry/boot.ts'

/** One run of a replica. */
export interface PeerIdentity {
  readonly id: ReplicaId
  readonly boot: Boot
}

const AUDIENCE = 'plugboard-peer'
const ANSWER_AUDIENCE = 'plugboard-peer-answer'
const LIFETIME_SECONDS = 30
/** How far the clocks of two machines may be apart. */
const CLOCK_TOLERANCE_SECONDS = 60
const MAX_TOKEN_LENGTH = 4096
const MAX_NAME_LENGTH = 255
/** Tokens of the last two minutes that are remembered: only replicas of this cluster can make one. */
const MAX_USED = 10_000

export class PeerTokens {
  /** Never empty. */
  readonly #keys: readonly Uint8Array[]
  readonly #self: PeerIdentity
  readonly #clock: Clock
  /** `jti` of each dial that was let in → when its token has expired, seconds since 1970. */
  readonly #used = new Map<string, number>()

  constructor(secrets: readonly string[], self: PeerIdentity, clock: Clock) {
    if (secrets.length === 0) throw new TypeError('a cluster without a secret')
    this.#keys = secrets.map(
      secret => new Uint8Array(hkdfSync('sha256', secret, 'plugboard', 'peer links', 32)),
    )
    this.#self = self
    this.#clock = clock
  }

  /** For one dial. The answer must be made for `nonce`. `to`: the only replica that may take it, where that is known. */
  async forDial(to?: ReplicaId): Promise<{ readonly token: string; readonly nonce: string }> {
    const nonce = randomUUID()
    return { nonce, token: await this.#sign(AUDIENCE, nonce, to) }
  }

  forAnswer(nonce: string): Promise<string> {
    return this.#sign(ANSWER_AUDIENCE, nonce)
  }

  /** Who dials; once for each token. Rejects with VeraError `unauthorized`, `token_expired` or `overloaded`. */
  async verifyDial(token: string): Promise<PeerIdentity & { readonly nonce: string }> {
    const payload = await this.#verify(token, AUDIENCE)
    if (payload.to !== undefined && payload.to !== this.#self.id) {
      throw new VeraError('unauthorized', 'The token is for another replica.')
    }
    const { jti: nonce = '', exp = 0 } = payload
    this.#use(nonce, exp + CLOCK_TOLERANCE_SECONDS)
    return { ...readIdentity(payload), nonce }
  }

  /** Who answers. Rejects as `verifyDial` does. */
  async verifyAnswer(token: string, nonce: string): Promise<PeerIdentity> {
    const payload = await this.#verify(token, ANSWER_AUDIENCE)
    if (payload.jti !== nonce) throw new VeraError('unauthorized', 'The answer belongs to another dial.')
    return readIdentity(payload)
  }

  #use(nonce: string, untilSeconds: number): void {
    if (this.#used.has(nonce)) throw new VeraError('unauthorized', 'The token was used before.')
    for (const [used, expiresSeconds] of this.#used) if (expiresSeconds < this.#now) this.#used.delete(used)
    if (this.#used.size >= MAX_USED) throw new VeraError('overloaded', 'Too many dials.')
    this.#used.set(nonce, untilSeconds)
  }

  /** Seconds since 1970. */
  get #now(): number {
    return Math.floor(this.#clock.wallTime() / 1000)
  }

  #sign(audience: string, jti: string, to?: ReplicaId): Promise<string> {
    const nowSeconds = this.#now
    return new SignJWT({ boot: this.#self.boot, ...(to !== undefined && { to }) })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(this.#self.id)
      .setAudience(audience)
      .setJti(jti)
      .setIssuedAt(nowSeconds)
      .setExpirationTime(nowSeconds + LIFETIME_SECONDS)
      .sign(this.#keys[0] as Uint8Array)
  }

  async #verify(token: string, audience: string): Promise<JWTPayload> {
    if (token.length > MAX_TOKEN_LENGTH) throw new VeraError('unauthorized', 'The token is too long.')
    try {
      const payload = await this.#verifySigned(token, {
        audience,
        algorithms: ['HS256'],
        requiredClaims: ['exp', 'iat', 'sub', 'jti', 'boot'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(this.#clock.wallTime()),
      })
      if ((payload.iat ?? 0) > this.#now + CLOCK_TOLERANCE_SECONDS) {
        throw new errors.JWTClaimValidationFailed('it is from the future', payload, 'iat')
      }
      return payload
    } catch (error) {
      if (error instanceof errors.JWTExpired)
        throw new VeraError('token_expired', undefined, { cause: error })
      throw new VeraError('unauthorized', 'The token is not one of this cluster.', { cause: error })
    }
  }

  /** By whichever secret it is signed; anything but that is wrong at once. */
  async #verifySigned(token: string, options: JWTVerifyOptions): Promise<JWTPayload> {
    let unsigned: unknown
    for (const key of this.#keys) {
      try {
        return (await jwtVerify(token, key, options)).payload
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
        unsigned = error
      }
    }
    throw unsigned
  }
}

function readIdentity({ sub = '', boot }: JWTPayload): PeerIdentity {
  if (
    sub === '' ||
    sub.length > MAX_NAME_LENGTH ||
    typeof boot !== 'string' ||
    !/^[0-9a-z-]{8,64}$/.test(boot)
  ) {
    throw new VeraError('unauthorized', 'The token names no replica.')
  }
  return { id: asReplicaId(sub), boot }
}
