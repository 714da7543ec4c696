// HalfSipHash-2-4 with a result of 64 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012). It works on words
// of 32 bits, which are the integers that JavaScript computes fast. A client that cannot read the key cannot choose texts with
// the same hash. The input is the UTF-16 form of a text, little-endian.

export interface HashKey {
  readonly low: number
  readonly high: number
}

/** 2^32. */
const WORD = 0x1_0000_0000
/** The bits of the second word that fit into an integer that a number holds exactly. */
const HIGH_BITS = 0x1f_ffff

/** Returns 53 of the 64 bits of the hash, as an integer from 0 to 2^53 - 1. */
export function keyedHash(text: string, key: HashKey): number {
  hash(text, key)
  return (second & HIGH_BITS) * WORD + first
}

/** Returns the key in the first 8 bytes of `bytes`. */
export function hashKey(bytes: Buffer): HashKey {
  return { low: bytes.readInt32LE(0), high: bytes.readInt32LE(4) }
}

// The result and the state are variables of the module, because a hash is made for each request and must not allocate.
let first = 0
let second = 0
let v0 = 0
let v1 = 0
let v2 = 0
let v3 = 0

function hash(text: string, { low, high }: HashKey): void {
  v0 = low
  v1 = high ^ 0xee
  v2 = 0x6c796765 ^ low
  v3 = 0x74656462 ^ high
  const units = text.length
  const even = units & ~1
  for (let index = 0; index < even; index += 2) {
    absorb(text.charCodeAt(index) | (text.charCodeAt(index + 1) << 16))
  }
  // The last word has the number of bytes modulo 256, and the unit that is left.
  absorb(((units * 2) << 24) | (even < units ? text.charCodeAt(even) : 0))
  v2 ^= 0xee
  for (let count = 0; count < 4; count += 1) round()
  first = (v1 ^ v3) >>> 0
  v1 ^= 0xdd
  for (let count = 0; count < 4; count += 1) round()
  second = (v1 ^ v3) >>> 0
}

function absorb(word: number): void {
  v3 ^= word
  round()
  round()
  v0 ^= word
}

function round(): void {
  v0 = (v0 + v1) | 0
  v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
  v0 = (v0 << 16) | (v0 >>> 16)
  v2 = (v2 + v3) | 0
  v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
  v0 = (v0 + v3) | 0
  v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
  v2 = (v2 + v1) | 0
  v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
  v2 = (v2 << 16) | (v2 >>> 16)
}
