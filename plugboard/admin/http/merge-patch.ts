// Part of an object as a change: keys that are named change, null removes (back to the default), the rest stays.
// That is JSON merge patch (RFC 7396), one level deep: values of policies and options are replaced as a whole.

import { z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { JsonObject } from '../../common/json.ts'

/** The schema of a patch for what `schema` describes: its keys and no others, each may be null. */
export function mergePatchOf(schema: z.ZodObject): z.ZodType<JsonObject> {
  const shape = Object.entries(schema.shape).map(
    ([key, field]) => [key, z.optional(z.nullable(field))] as const,
  )
  return z.strictObject(Object.fromEntries(shape)) as unknown as z.ZodType<JsonObject>
}

/** Keys of `stored` that are unknown to this version stay unchanged. */
export function mergePatch(stored: JsonObject, patch: JsonObject): JsonObject {
  const merged = Object.entries({ ...stored, ...patch })
  return Object.fromEntries(merged.filter(([, value]) => value !== null && value !== undefined))
}

const MAX_ATTEMPTS = 10

/**
 * Reads a row, merges into it, and writes it only if it is still what was read. With `ifVersion` that happens
 * once; without (If-Match: *) it starts again when someone else was faster.
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
