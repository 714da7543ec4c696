// A digest of a set of packed lines that does not depend on their order and is kept up to date by adding and
// subtracting: the sum of the lines' hashes. It finds bugs and lost updates; it is no defence against forgery,
// which the link's authentication is for.

/** FNV-1a over UTF-16 units, 32 bits. */
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
