// Private keys as they lie in the database. With a secret that the database does not know they are encrypted
// (AES-256-GCM under a key derived from it); without one they are stored as they are, like the keys that sign tokens,
// and whoever reads the database has them. Of several secrets the first one seals, and all open.

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const SEALED = 'v1:'
const PLAIN = 'plain:'
const NONCE_BYTES = 12
const TAG_BYTES = 16

export class KeySeal {
  readonly #keys: readonly Buffer[]

  constructor(secrets: readonly string[] = []) {
    this.#keys = secrets.map(secret =>
      Buffer.from(hkdfSync('sha256', secret, '', 'plugboard certificate keys', 32)),
    )
  }

  /** There are secrets besides the one that seals. */
  get rotates(): boolean {
    return this.#keys.length > 1
  }

  /** `owner`: what the key belongs to; it opens under the same name only. */
  seal(pem: string, owner: string): string {
    const [key] = this.#keys
    if (key === undefined) return PLAIN + pem
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(owner))
    const body = Buffer.concat([cipher.update(pem, 'utf8'), cipher.final()])
    return SEALED + Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')
  }

  /** Undefined: sealed with another secret, or damaged. */
  open(sealed: string, owner: string): string | undefined {
    if (sealed.startsWith(PLAIN)) return sealed.slice(PLAIN.length)
    for (const key of this.#keys) {
      const pem = openWith(key, sealed, owner)
      if (pem !== undefined) return pem
    }
    return undefined
  }

  /** Sealed with the first secret, of what a later one has sealed; undefined: there is nothing to do, or it cannot be opened. */
  reseal(sealed: string, owner: string): string | undefined {
    const [first, ...others] = this.#keys
    if (first === undefined || openWith(first, sealed, owner) !== undefined) return undefined
    for (const key of others) {
      const pem = openWith(key, sealed, owner)
      if (pem !== undefined) return this.seal(pem, owner)
    }
    return undefined
  }
}

function openWith(key: Buffer, sealed: string, owner: string): string | undefined {
  if (!sealed.startsWith(SEALED)) return undefined
  const bytes = Buffer.from(sealed.slice(SEALED.length), 'base64')
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
  decipher.setAAD(Buffer.from(owner)).setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
  try {
    const body = bytes.subarray(NONCE_BYTES + TAG_BYTES)
    return decipher.update(body, undefined, 'utf8') + decipher.final('utf8')
  } catch {
    return undefined
  }
}
