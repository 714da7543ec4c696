// The names under which this cluster appears in Via. All replicas of a cluster derive the same name from the secret that
// they share. A replica without a cluster secret is a cluster of its own: its name is random and new at each start. Names
// are public, because each response carries one. scrypt makes the names, so that each guess at a secret is expensive.

import { randomBytes, type ScryptOptions, scrypt } from 'node:crypto'

const NAME_BYTES = 8
/** 32 MiB and about 100 ms for each secret, once at the start. */
const COST: ScryptOptions = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }

/** Returns at least one name. The first one is sent; the others belong to secrets that are still accepted. */
export async function viaNames(secrets: readonly string[] = []): Promise<[string, ...string[]]> {
  const [first, ...others] = secrets
  if (first === undefined) return [nameOf(randomBytes(NAME_BYTES))]
  return [await derivedName(first), ...(await Promise.all(others.map(derivedName)))]
}

function derivedName(secret: string): Promise<string> {
  return new Promise((resolve, reject) => {
    scrypt(secret, 'plugboard via', NAME_BYTES, COST, (error, bytes) => {
      if (error === null) resolve(nameOf(bytes))
      else reject(error)
    })
  })
}

function nameOf(bytes: Buffer): string {
  return `plugboard-${bytes.toString('hex')}`
}
