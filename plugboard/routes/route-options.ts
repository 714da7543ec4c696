// What one route adds to its service's policy. Written through the strict input schema, read leniently, as
// service-policy.ts explains.

import { FIELD, fieldOf } from '@vera-stack/shared/headers.ts'
import { z } from 'zod'
import { isJsonObject } from '../database/json.ts'

/** Fields that mean something on the way already. What begins like these is Plugboard's, or about the client. */
const TAKEN =
  /^(?:plugboard-|x-forwarded-|(?:forwarded|x-real-ip|cookie|authorization|accept|content-type|via)$)/i

const fieldName = z
  .string()
  .max(64)
  .regex(/^[A-Za-z][A-Za-z0-9-]*$/, 'must have letters, digits and - only, and begin with a letter')
  .refine(name => fieldOf(name) === FIELD.other && !TAKEN.test(name), 'is a field with a meaning of its own')

/** Every key filled in. */
const routeOptionsSchema = z.object({
  /** The backend sees the path without the mount: `/api/users` behind mount `/api` arrives as `/users`. */
  stripMount: z.boolean().default(false),
  /** Plain HTTP is served even where `httpsRedirect` sends it to HTTPS. */
  allowHttp: z.boolean().default(false),
  /**
   * A field, `X-Tenant` say, in which the backend is told what the `*` of the route's host stands for: `acme` for
   * `acme.example.com` on `*.example.com`. Nobody else can send it on this route, whatever its host. Null: none.
   */
  tenantHeader: fieldName.nullable().default(null),
})
export type RouteOptions = Readonly<z.output<typeof routeOptionsSchema>>

/** What may be written: any subset of the keys, nothing else. */
export const routeOptionsInputSchema = z
  .strictObject({ stripMount: z.boolean(), allowHttp: z.boolean(), tenantHeader: fieldName })
  .partial()
export type RouteOptionsInput = z.output<typeof routeOptionsInputSchema>

export const DEFAULT_ROUTE_OPTIONS: RouteOptions = Object.freeze(routeOptionsSchema.parse({}))

/** Stored JSON → all options; each that cannot be used falls back to its default. */
export function resolveRouteOptions(stored: unknown): RouteOptions {
  const parsed = routeOptionsSchema.safeParse(stored)
  if (parsed.success) return Object.freeze(parsed.data)
  const bad = new Set(parsed.error.issues.map(issue => String(issue.path[0])))
  const rest = Object.entries(isJsonObject(stored) ? stored : {}).filter(([key]) => !bad.has(key))
  return Object.freeze(routeOptionsSchema.parse(Object.fromEntries(rest)))
}
