// What one route adds to its service's policy. Written through the strict input schema, read leniently, as
// service-policy.ts explains.

import { z } from 'zod'

/** Every key filled in. */
const routeOptionsSchema = z.object({
  /** The backend sees the path without the mount: `/api/users` behind mount `/api` arrives as `/users`. */
  stripMount: z.boolean().default(false),
  /** Plain HTTP is served even where `httpsRedirect` sends it to HTTPS. */
  allowHttp: z.boolean().default(false),
})
export type RouteOptions = Readonly<z.output<typeof routeOptionsSchema>>

/** What may be written: any subset of the keys, nothing else. */
export const routeOptionsInputSchema = z
  .strictObject({ stripMount: z.boolean(), allowHttp: z.boolean() })
  .partial()
export type RouteOptionsInput = z.output<typeof routeOptionsInputSchema>

export const DEFAULT_ROUTE_OPTIONS: RouteOptions = Object.freeze(routeOptionsSchema.parse({}))

/** Stored JSON → all options; whatever cannot be used falls back to its default. */
export function resolveRouteOptions(stored: unknown): RouteOptions {
  const parsed = routeOptionsSchema.safeParse(stored)
  return parsed.success ? Object.freeze(parsed.data) : DEFAULT_ROUTE_OPTIONS
}
