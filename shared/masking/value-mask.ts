// The form of a masked value: `***` and 6 hex digits of a keyed hash. Equal values have equal digits, so a person can compare two values
// without reading them. The key of a cluster is derived from its secret, so that its replicas agree. Without a secret, the key is
// random and new at each start. scrypt makes each guess at a cluster secret expensive, because readers of exchanges see hashes.

import { createHmac, randomBytes, type ScryptOptions, scrypt } from 'node:crypto'

const KEY_BYTES = 32
const HEX_DIGITS = 6
/** 32 MiB and about 100 ms, once at the start. */
const COST: ScryptOptions = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }

/** Returns the masked form of a secret. */
export type MaskValue = (secret: string) => string

/** Returns the mask with this key. Default: a random key. */
export function valueMask(key: Buffer = randomBytes(KEY_BYTES)): MaskValue {
  return secret => `***${createHmac('sha256', key).update(secret).digest('hex').slice(0, HEX_DIGITS)}`
}

/** Resolves with the key of a cluster. `clusterSecret`: the newest one. */
export function maskKeyOf(clusterSecret: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(clusterSecret, 'plugboard inspector mask', KEY_BYTES, COST, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}
