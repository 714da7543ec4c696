// Private keys as they lie in the database. With a secret that the database does not know they are encrypted
// (AES-256-GCM under a key derived from it); without one they are stored as they are, like the keys that sign tokens,
// and whoever reads the database has them.

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const SEALED = 'v1:'
const PLAIN = 'plain:'
const NONCE_BYTES = 12
const TAG_BYTES = 16

export class KeySeal {
  readonly #key: Buffer | undefined

  constructor(secret: string | undefined) {
    this.#key =
      secret === undefined
        ? undefined
        : Buffer.from(hkdfSync('sha256', secret, '', 'plugboard certificate keys', 32))
  }

  /** `owner`: what the key belongs to; it opens under the same name only. */
  seal(pem: string, owner: string): string {
    if (this.#key === undefined) return PLAIN + pem
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(owner))
    const body = Buffer.concat([cipher.update(pem, 'utf8'), cipher.final()])
    return SEALED + Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')
  }

  /** Undefined: sealed with another secret, or damaged. */
  open(sealed: string, owner: string): string | undefined {
    if (sealed.startsWith(PLAIN)) return sealed.slice(PLAIN.length)
    if (!sealed.startsWith(SEALED) || this.#key === undefined) return undefined
    const bytes = Buffer.from(sealed.slice(SEALED.length), 'base64')
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, NONCE_BYTES))
    decipher.setAAD(Buffer.from(owner)).setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
    try {
      const body = bytes.subarray(NONCE_BYTES + TAG_BYTES)
      return decipher.update(body, undefined, 'utf8') + decipher.final('utf8')
    } catch {
      return undefined
    }
  }
}
