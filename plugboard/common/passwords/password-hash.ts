// Hashes passwords with scrypt. The text is a PHC string, which contains its costs: the costs of new hashes can grow, and old
// hashes still verify. The caller limits the number of verifications: each takes tens of milliseconds on purpose.
//
//   $scrypt$ln=14,r=8,p=5$<salt>$<hash>      N = 2^ln; salt and hash in base64 without padding

import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'

interface Cost {
  readonly ln: number
  readonly r: number
  readonly p: number
}

interface Parsed extends Cost {
  readonly salt: Buffer
  readonly hash: Buffer
}

/** The recommendation of the OWASP cheat sheet for 16 MiB of memory per hash. */
const COST: Cost = { ln: 14, r: 8, p: 5 }
const SALT_BYTES = 16
const HASH_BYTES = 32
/** The limits for the costs of a foreign hash: 128 MiB of memory at once, and twice the work of that. */
const MAX_BLOCKS = 2 ** 20
const MAX_WORK = 2 ** 21

/** The form of a hash. Its costs have bounds too. */
export const PASSWORD_HASH_FORM =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/

function parse(text: string): Parsed | undefined {
  const [, ln, r, p, salt, hash] = PASSWORD_HASH_FORM.exec(text) ?? []
  if (salt === undefined || hash === undefined) return undefined
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) }
  const blocks = 2 ** cost.ln * cost.r
  const bounded = cost.ln >= 10 && cost.r >= 1 && cost.p >= 1 && blocks <= MAX_BLOCKS
  if (!bounded || blocks * cost.p > MAX_WORK) return undefined
  return { ...cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') }
}

/** Returns the problem with a hash, as a text for its author; undefined: the hash can be verified. */
export function passwordHashProblem(text: string): string | undefined {
  if (parse(text) !== undefined) return undefined
  const known = /^\$2[abxy]?\$/.test(text)
    ? 'a bcrypt hash (htpasswd -B)'
    : /^\$apr1\$|^\$[156y]\$|^\{SHA\}/.test(text)
      ? 'a hash of htpasswd or crypt'
      : /^\$(argon2|pbkdf2)/.test(text)
        ? 'a hash of another kind'
        : undefined
  const form = 'a hash is $scrypt$ln=…,r=…,p=…$salt$hash with at most 128 MiB of memory'
  return known === undefined
    ? `${form}; or give "password", and the server makes the hash`
    : `is ${known}, which is not verified here: give "password" instead, and the server makes the hash`
}

export async function hashPassword(password: string, cost: Cost = COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const hash = await derive(password, salt, HASH_BYTES, cost)
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${unpadded(salt)}$${unpadded(hash)}`
}

/** True when the password matches the hash, compared in constant time. False for a text that is not a valid hash. */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const parsed = parse(stored)
  if (parsed === undefined) return false
  return timingSafeEqual(await derive(password, parsed.salt, parsed.hash.length, parsed), parsed.hash)
}

function derive(password: string, salt: Buffer, bytes: number, { ln, r, p }: Cost): Promise<Buffer> {
  // OpenSSL needs a little more memory than 128·N·r.
  const options: ScryptOptions = { N: 2 ** ln, r, p, maxmem: 128 * r * (2 ** ln + p + 2) + 1024 * 1024 }
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, bytes, options, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}

const unpadded = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
