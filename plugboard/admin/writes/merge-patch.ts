// Merges a part of an object into the stored object: keys in the patch change, null removes a key (the default applies again),
// other keys stay. This is JSON merge patch (RFC 7396), one level deep: a value of a policy or an option is replaced as a whole.

import { z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { JsonObject } from '../../common/json.ts'

/** Returns the schema of a patch for objects of `schema`: it allows only the same keys, and null for each. */
export function mergePatchOf(schema: z.ZodObject): z.ZodType<JsonObject> {
  const shape = Object.entries(schema.shape).map(
    ([key, field]) => [key, z.optional(z.nullable(field))] as const,
  )
  return z.strictObject(Object.fromEntries(shape)) as unknown as z.ZodType<JsonObject>
}

/** Returns the merged object. Keys of `stored` that only a newer version uses stay unchanged. */
export function mergePatch(stored: JsonObject, patch: JsonObject): JsonObject {
  const merged = Object.entries({ ...stored, ...patch })
  return Object.fromEntries(merged.filter(([, value]) => value !== null && value !== undefined))
}

const MAX_ATTEMPTS = 10

/**
 * Reads a row, merges a change into it, and writes it only when its version is still the same. Without `ifVersion`
 * (If-Match: *), starts again after a concurrent change. With `ifVersion`, rejects with `precondition_failed`.
 */
export async function changeMerged<Row extends { readonly version: number }>(
  ifVersion: number | undefined,
  read: () => Promise<Row>,
  write: (before: Row, ifVersion: number) => Promise<Row>,
): Promise<Row> {
  for (let attempt = 1; ; attempt += 1) {
    const before = await read()
    try {
      return await write(before, ifVersion ?? before.version)
    } catch (error) {
      const overtaken = error instanceof VeraError && error.code === 'precondition_failed'
      if (!overtaken || ifVersion !== undefined || attempt === MAX_ATTEMPTS) throw error
    }
  }
}
