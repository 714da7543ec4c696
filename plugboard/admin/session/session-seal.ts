// The value of a session cookie: the prefix of an admin key, the end of the session, and a signature (HMAC-SHA-256). No replica
// stores sessions. Every replica with the same clusterSecret accepts the cookie. The first secret signs; all secrets verify.

import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'

const VERSION = '1'
const KEY_BYTES = 32

export interface SessionClaims {
  /** The prefix of the admin key (api-key-format.ts). */
  readonly keyPrefix: string
  /** Seconds since 1970. */
  readonly expiresAt: number
}

export class SessionSeal {
  readonly #keys: readonly [Buffer, ...Buffer[]]

  /** Without a secret, sessions end when the process ends. */
  constructor(secrets: readonly string[] = []) {
    const [first = randomBytes(KEY_BYTES), ...others] = secrets.map(derivedKey)
    this.#keys = [first, ...others]
  }

  seal({ keyPrefix, expiresAt }: SessionClaims): string {
    const claims = `${VERSION}.${keyPrefix}.${expiresAt}`
    return `${claims}.${signature(this.#keys[0], claims)}`
  }

  /** Returns the claims, also when the session has expired. Undefined: the value was changed, or signed with another secret. */
  open(value: string): SessionClaims | undefined {
    const match = /^(1\.([^.]{1,64})\.(\d{1,12}))\.([\w-]{43})$/.exec(value)
    if (match === null) return undefined
    const [, claims = '', keyPrefix = '', expiresAt, given = ''] = match
    const isValid = this.#keys.some(key =>
      timingSafeEqual(Buffer.from(signature(key, claims)), Buffer.from(given)),
    )
    return isValid ? { keyPrefix, expiresAt: Number(expiresAt) } : undefined
  }
}

const derivedKey = (secret: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, 'plugboard', 'dashboard sessions', KEY_BYTES))

const signature = (key: Buffer, claims: string): string =>
  createHmac('sha256', key).update(claims).digest('base64url')
