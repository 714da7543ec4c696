// The form of private keys in the database. With a secret, which is not in the database, they are encrypted (AES-256-GCM with a
// key that is derived from the secret). Without a secret they are stored in plain text, like the keys that sign tokens, so
// everybody with access to the database can read them. The first secret encrypts; all secrets decrypt.

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

  /** True when there are further secrets, which only decrypt. */
  get rotates(): boolean {
    return this.#keys.length > 1
  }

  /** Encrypts a key. `owner`: the name of the key's owner. The key can be decrypted only with the same name. */
  seal(pem: string, owner: string): string {
    const [key] = this.#keys
    if (key === undefined) return PLAIN + pem
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(owner))
    const body = Buffer.concat([cipher.update(pem, 'utf8'), cipher.final()])
    return SEALED + Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')
  }

  /** Decrypts a key. Returns undefined when it was sealed with another secret or is damaged. */
  open(sealed: string, owner: string): string | undefined {
    if (sealed.startsWith(PLAIN)) return sealed.slice(PLAIN.length)
    for (const key of this.#keys) {
      const pem = openWith(key, sealed, owner)
      if (pem !== undefined) return pem
    }
    return undefined
  }

  /** Seals a key again with the first secret. Returns undefined when it already is, or when no secret can decrypt it. */
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
