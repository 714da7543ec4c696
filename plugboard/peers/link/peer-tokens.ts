// Authenticates replicas to each other with short-lived JWTs (HS256). HKDF (RFC 5869) derives the key from the cluster secret. Of
// several secrets, the first one signs and all are accepted, so that an operator can rotate them. The dialer sends a token that
// is valid for one dial. The acceptor responds with a token for the dialer's `jti`, so both ends are authenticated before the
// first byte of a request. The secret never leaves the process. An attacker on the network path can still relay and read
// everything: TLS protects against that.

import { hkdfSync, randomUUID } from 'node:crypto'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify, SignJWT } from 'jose'
import { asReplicaId, type ReplicaId } from '../../common/ids/replica-id.ts'
import type { Incarnation } from '../../registry/incarnation.ts'

/** One run of a replica. */
export interface PeerIdentity {
  readonly id: ReplicaId
  readonly incarnation: Incarnation
}

const AUDIENCE = 'plugboard-peer'
const ANSWER_AUDIENCE = 'plugboard-peer-answer'
const LIFETIME_SECONDS = 30
/** Largest accepted difference between the clocks of two machines. */
const CLOCK_TOLERANCE_SECONDS = 60
const MAX_TOKEN_LENGTH = 4096
const MAX_NAME_LENGTH = 255
/** Most used tokens of the last two minutes that are kept. Only replicas of this cluster can create a token. */
const MAX_USED = 10_000

export class PeerTokens {
  /** Never empty. */
  readonly #keys: readonly Uint8Array[]
  readonly #self: PeerIdentity
  readonly #clock: Clock
  /** `jti` of each accepted dial → time at which its token has expired, seconds since 1970. */
  readonly #used = new Map<string, number>()

  constructor(secrets: readonly string[], self: PeerIdentity, clock: Clock) {
    if (secrets.length === 0) throw new TypeError('the list of cluster secrets is empty; pass at least one')
    this.#keys = secrets.map(
      secret => new Uint8Array(hkdfSync('sha256', secret, 'plugboard', 'peer links', 32)),
    )
    this.#self = self
    this.#clock = clock
  }

  /** Creates the token of one dial. The response must be signed for `nonce`. `to`: the only replica that may accept it. */
  async forDial(to?: ReplicaId): Promise<{ readonly token: string; readonly nonce: string }> {
    const nonce = randomUUID()
    return { nonce, token: await this.#sign(AUDIENCE, nonce, to) }
  }

  forResponse(nonce: string): Promise<string> {
    return this.#sign(ANSWER_AUDIENCE, nonce)
  }

  /** Returns the dialer; accepts each token once. Rejects with VeraError `unauthorized`, `token_expired` or `overloaded`. */
  async verifyDial(token: string): Promise<PeerIdentity & { readonly nonce: string }> {
    const payload = await this.#verify(token, AUDIENCE)
    if (payload.to !== undefined && payload.to !== this.#self.id) {
      throw new VeraError('unauthorized', 'The token is for another replica.')
    }
    const { jti: nonce = '', exp = 0 } = payload
    this.#use(nonce, exp + CLOCK_TOLERANCE_SECONDS)
    return { ...readIdentity(payload), nonce }
  }

  /** Returns the acceptor. Rejects as `verifyDial` does. */
  async verifyResponse(token: string, nonce: string): Promise<PeerIdentity> {
    const payload = await this.#verify(token, ANSWER_AUDIENCE)
    if (payload.jti !== nonce) throw new VeraError('unauthorized', 'The response belongs to another dial.')
    return readIdentity(payload)
  }

  #use(nonce: string, untilSeconds: number): void {
    if (this.#used.has(nonce)) throw new VeraError('unauthorized', 'The token was used before.')
    for (const [used, expiresSeconds] of this.#used) if (expiresSeconds < this.#now) this.#used.delete(used)
    if (this.#used.size >= MAX_USED)
      throw new VeraError('overloaded', `More than ${MAX_USED} dials in two minutes.`)
    this.#used.set(nonce, untilSeconds)
  }

  /** Seconds since 1970. */
  get #now(): number {
    return Math.floor(this.#clock.wallTime() / 1000)
  }

  #sign(audience: string, jti: string, to?: ReplicaId): Promise<string> {
    const nowSeconds = this.#now
    return new SignJWT({ boot: this.#self.incarnation, ...(to !== undefined && { to }) })
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
        throw new errors.JWTClaimValidationFailed('the time of issue is in the future', payload, 'iat')
      }
      return payload
    } catch (error) {
      if (error instanceof errors.JWTExpired)
        throw new VeraError('token_expired', undefined, { cause: error })
      throw new VeraError(
        'unauthorized',
        'The token is not valid in this cluster. Check the cluster secret.',
        { cause: error },
      )
    }
  }

  /** Verifies a token with each secret in turn. Any error except a wrong signature ends the search. */
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
    throw new VeraError('unauthorized', 'The token has no valid replica id and start.')
  }
  return { id: asReplicaId(sub), incarnation: boot }
}
