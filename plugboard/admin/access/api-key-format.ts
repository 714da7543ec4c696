// API keys: `vsk_`, 10 characters that find the row, and 43 characters of the secret (256 bits, base 62). Only the SHA-256 hash
// of the whole key is stored. A fast hash is sufficient, because 256 random bits cannot be guessed.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const PREFIX_LENGTH = 14
const HASH = /^[0-9a-f]{64}$/
const NO_HASH = '0'.repeat(64)
const KEY = /^vsk_[0-9A-Za-z]{53}$/

/** Encodes bytes with a fixed length and without punctuation, so that a double click selects the whole key. */
function base62(bytes: Uint8Array, length: number): string {
  let value = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  let text = ''
  for (let i = 0; i < length; i += 1) {
    text = DIGITS[Number(value % 62n)] + text
    value /= 62n
  }
  return text
}

export interface NewApiKey {
  /** Shown once, never stored. */
  readonly key: string
  readonly prefix: string
  readonly hash: string
}

/** Returns a new key. `random`: returns the given number of random bytes. */
export function createApiKey(random: (bytes: number) => Uint8Array = randomBytes): NewApiKey {
  const key = `vsk_${base62(random(7), 10)}${base62(random(32), 43)}`
  return { key, prefix: prefixOf(key), hash: hashOf(key) }
}

/** True when the text has the form of a key. Other texts cause no query. */
export const looksLikeApiKey = (text: string): boolean => KEY.test(text)
export const prefixOf = (key: string): string => key.slice(0, PREFIX_LENGTH)
export const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex')

/** Compares in constant time, also when there is no stored hash. A stored text that is not a hash never matches. */
export function hashMatches(hash: string, stored: string | undefined): boolean {
  const isHash = stored !== undefined && HASH.test(stored)
  return timingSafeEqual(Buffer.from(hash), Buffer.from(isHash ? stored : NO_HASH)) && isHash
}
