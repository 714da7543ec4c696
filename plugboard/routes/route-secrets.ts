// The secrets in a route's options: passwords become hashes before anything is stored, and hashes are hidden where they
// help nobody (change log of the API, terminals).

import { hashPassword } from '@vera-stack/shared/password-hash.ts'
import { isJsonObject, type Json, type JsonObject } from '../database/json.ts'
import type { RouteOptionsInput } from './route-options.ts'

/** Options as they are stored. Costs some tenths of a second for each password. */
export async function withoutPasswords(options: RouteOptionsInput): Promise<JsonObject> {
  const { access } = options
  if (access?.basic === undefined) return options as JsonObject
  const users: { name: string; hash: string }[] = []
  // One after the other: each takes 16 MiB and a thread.
  for (const { name, hash, password } of access.basic.users) {
    users.push({ name, hash: hash ?? (await hashPassword(password ?? '')) })
  }
  return { ...options, access: { ...access, basic: { ...access.basic, users } } } as JsonObject
}

/** Options, or a row that holds them, for reading: passwords and their hashes are `***`. */
export function masked(value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, maskedValue(key, each)]))
}

function maskedValue(key: string, value: Json | undefined): Json | undefined {
  if (key === 'users' && Array.isArray(value)) {
    return value.map((user: Json) => (isJsonObject(user) ? hidden(user) : user))
  }
  return isJsonObject(value) ? masked(value) : value
}

function hidden(user: JsonObject): JsonObject {
  const secret = (key: string) => key === 'hash' || key === 'password'
  return Object.fromEntries(Object.entries(user).map(([key, each]) => [key, secret(key) ? '***' : each]))
}
