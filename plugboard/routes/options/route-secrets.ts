// Replaces the passwords in a route's options with hashes before the options are stored, so that no other code gets them.

import type { JsonObject } from '../../common/json.ts'
import { hashPassword } from '../../common/passwords/password-hash.ts'
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
