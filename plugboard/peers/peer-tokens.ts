// How replicas know each other: short-lived JWTs (HS256) under a key that HKDF (RFC 5869) derives from the cluster's
// secret. The dialler shows one; the acceptor answers with one for the dialler's `jti`, so that both ends are proved
// before a byte of a request passes. The secret itself never leaves the process.

import { hkdfSync, randomUUID } from 'node:crypto'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import type { Boot } from '../registry/boot.ts'

/** One run of a replica. */
export interface PeerIdentity {
  readonly id: string
  readonly boot: Boot
}

const AUDIENCE = 'plugboard-peer'
const ANSWER_AUDIENCE = 'plugboard-peer-answer'
const LIFETIME_SECONDS = 30
/** How far the clocks of two machines may be apart. */
const CLOCK_TOLERANCE_SECONDS = 60
const MAX_TOKEN_LENGTH = 4096
const MAX_NAME_LENGTH = 255

export class PeerTokens {
  readonly #key: Uint8Array
  readonly #self: PeerIdentity
  readonly #clock: Clock

  constructor(secret: string, self: PeerIdentity, clock: Clock) {
    this.#key = new Uint8Array(hkdfSync('sha256', secret, 'plugboard', 'peer links', 32))
    this.#self = self
    this.#clock = clock
  }

  /** For a dial. The answer must be made for `nonce`. */
  async forDial(): Promise<{ readonly token: string; readonly nonce: string }> {
    const nonce = randomUUID()
    return { nonce, token: await this.#sign(AUDIENCE, nonce) }
  }

  forAnswer(nonce: string): Promise<string> {
    return this.#sign(ANSWER_AUDIENCE, nonce)
  }

  /** Who dials. Rejects with VeraError `unauthorized` or `token_expired`. */
  async verifyDial(token: string): Promise<PeerIdentity & { readonly nonce: string }> {
    const payload = await this.#verify(token, AUDIENCE)
    return { ...readIdentity(payload), nonce: payload.jti ?? '' }
  }

  /** Who answers. Rejects as `verifyDial` does. */
  async verifyAnswer(token: string, nonce: string): Promise<PeerIdentity> {
    const payload = await this.#verify(token, ANSWER_AUDIENCE)
    if (payload.jti !== nonce) throw new VeraError('unauthorized', 'The answer belongs to another dial.')
    return readIdentity(payload)
  }

  #sign(audience: string, jti: string): Promise<string> {
    const nowSeconds = Math.floor(this.#clock.wallTime() / 1000)
    return new SignJWT({ boot: this.#self.boot })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(this.#self.id)
      .setAudience(audience)
      .setJti(jti)
      .setIssuedAt(nowSeconds)
      .setExpirationTime(nowSeconds + LIFETIME_SECONDS)
      .sign(this.#key)
  }

  async #verify(token: string, audience: string): Promise<JWTPayload> {
    if (token.length > MAX_TOKEN_LENGTH) throw new VeraError('unauthorized', 'The token is too long.')
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        audience,
        algorithms: ['HS256'],
        requiredClaims: ['exp', 'sub', 'jti', 'boot'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(this.#clock.wallTime()),
      })
      return payload
    } catch (error) {
      if (error instanceof errors.JWTExpired)
        throw new VeraError('token_expired', undefined, { cause: error })
      throw new VeraError('unauthorized', 'The token is not one of this cluster.', { cause: error })
    }
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
  return { id: sub, boot }
}
