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
export function keyedHash(text: string, { low, high }: HashKey): number {
  // The state is in local variables and the round is written once in this loop, so that the state stays in registers of the processor.
  // A function for the round would need the state in memory, which takes four times as long.
  let [v0, v1, v2, v3] = [low, high ^ 0xee, 0x6c796765 ^ low, 0x74656462 ^ high]
  const words = (text.length >> 1) + 1
  let first = 0
  // The four rounds at the end of each half of the result are the rounds of two words that are 0.
  for (let step = 0; step < words + 4; step += 1) {
    if (step === words) v2 ^= 0xee
    if (step === words + 2) {
      first = (v1 ^ v3) >>> 0
      v1 ^= 0xdd
    }
    const word = step < words ? wordOf(text, step) : 0
    v3 ^= word
    for (let round = 0; round < 2; round += 1) {
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
    v0 ^= word
  }
  return ((v1 ^ v3) & HIGH_BITS) * WORD + first
}

/** Returns the word at the index. The last word has the number of bytes modulo 256, and the unit that is left. */
function wordOf(text: string, index: number): number {
  const at = 2 * index
  if (at + 1 < text.length) return text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16)
  return ((text.length * 2) << 24) | (at < text.length ? text.charCodeAt(at) : 0)
}

/** Returns the key in the first 8 bytes of `bytes`. */
export function hashKey(bytes: Buffer): HashKey {
  return { low: bytes.readInt32LE(0), high: bytes.readInt32LE(4) }
}
