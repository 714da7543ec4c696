// A digest of a set of packed lines: the sum of their hashes. It does not depend on their order, and addition and subtraction
// keep it current. It detects bugs and lost updates. It does not protect against forgery; the authentication of links does.

/** Returns the 32-bit FNV-1a hash over UTF-16 units. */
export function lineHash(packed: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < packed.length; i += 1) hash = Math.imul(hash ^ packed.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

export function addToDigest(digest: number, packed: string): number {
  return (digest + lineHash(packed)) >>> 0
}

export function takeFromDigest(digest: number, packed: string): number {
  return (digest - lineHash(packed)) >>> 0
}
