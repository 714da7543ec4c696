// Part of an object as a change: keys that are named change, null removes (back to the default), the rest stays.
// That is JSON merge patch (RFC 7396), one level deep: values of policies and options are replaced as a whole.

import { z } from '@hono/zod-openapi'
import type { JsonObject } from '../database/json.ts'

/** The schema of a patch for what `schema` describes: its keys and no others, each may be null. */
export function mergePatchOf(schema: z.ZodObject): z.ZodType<JsonObject> {
  const shape = Object.entries(schema.shape).map(
    ([key, field]) => [key, z.optional(z.nullable(field))] as const,
  )
  return z.strictObject(Object.fromEntries(shape)) as unknown as z.ZodType<JsonObject>
}

/** Keys of `stored` that this version does not know stay as they are. */
export function mergePatch(stored: JsonObject, patch: JsonObject): JsonObject {
  const merged = Object.entries({ ...stored, ...patch })
  return Object.fromEntries(merged.filter(([, value]) => value !== null && value !== undefined))
}
