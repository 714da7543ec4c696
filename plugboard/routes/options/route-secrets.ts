// Replaces the passwords in a route's options with hashes before the options are stored, so that no other code gets them.

import { isJsonObject, type JsonObject } from '../../common/json.ts'
import { hashPassword, verifyPassword } from '../../common/passwords/password-hash.ts'
import type { RouteOptionsInput } from './route-options.ts'

/** Returns the options with hashes in place of passwords. Takes some tenths of a second for each password. */
export async function withoutPasswords(options: RouteOptionsInput): Promise<JsonObject> {
  const { access } = options
  if (access?.basic === undefined) return options as JsonObject
  const users: { name: string; hash: string }[] = []
  // One after the other, because each hash takes 16 MiB and a thread.
  for (const { name, hash, password } of access.basic.users) {
    users.push({ name, hash: hash ?? (await hashPassword(password ?? '')) })
  }
  return { ...options, access: { ...access, basic: { ...access.basic, users } } } as JsonObject
}

/** Returns the number of passwords without a hash. */
export function plainPasswords({ access }: RouteOptionsInput): number {
  return access?.basic?.users.filter(({ hash }) => hash === undefined).length ?? 0
}

/**
 * Returns the options with the stored hash in place of each password that matches it. So a bundle with passwords changes no
 * route whose passwords are the same. Takes some tenths of a second for each password.
 */
export async function withStoredHashes(options: RouteOptionsInput, stored: JsonObject): Promise<JsonObject> {
  const { access } = options
  if (access?.basic === undefined) return options as JsonObject
  const hashes = storedHashes(stored)
  const users: object[] = []
  for (const user of access.basic.users) {
    const hash = user.hash === undefined ? hashes.get(user.name) : undefined
    const isSame = hash !== undefined && (await verifyPassword(user.password ?? '', hash))
    users.push(isSame ? { name: user.name, hash } : user)
  }
  return { ...options, access: { ...access, basic: { ...access.basic, users } } } as JsonObject
}

/** Returns the hashes by the names of the users. The row may come from another version. */
function storedHashes({ access }: JsonObject): ReadonlyMap<string, string> {
  const basic = isJsonObject(access) ? access.basic : undefined
  const users = isJsonObject(basic) && Array.isArray(basic.users) ? basic.users : []
  const hashes = new Map<string, string>()
  for (const user of users) {
    if (isJsonObject(user) && typeof user.name === 'string' && typeof user.hash === 'string') {
      hashes.set(user.name, user.hash)
    }
  }
  return hashes
}
