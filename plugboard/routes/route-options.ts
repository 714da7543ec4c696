// What one route adds to its service's policy. Written through the strict input schema, read leniently, as
// service-policy.ts explains; but rules that say who may, and what is told to whom, close their route when they cannot be
// read (a newer replica may have written them): what was meant to be guarded is never served without its guard.

import { z } from 'zod'
import { isJsonObject, type JsonObject } from '../database/json.ts'
import { accessInputSchema, accessSchema } from './access-rules.ts'
import { answerSchema, redirectSchema } from './answer-rules.ts'
import { corsSchema } from './cors-rules.ts'
import { ownFieldName } from './field-rules.ts'
import { headerEditsSchema } from './header-rules.ts'
import { hstsSchema } from './hsts-rules.ts'

const plain = {
  /** The backend sees the path without the mount: `/api/users` behind mount `/api` arrives as `/users`. */
  stripMount: z.boolean(),
  /** Plain HTTP is served even where `httpsRedirect` sends it to HTTPS. */
  allowHttp: z.boolean(),
  /**
   * A field, `X-Tenant` say, in which the backend is told what the `*` of the route's host stands for: `acme` for
   * `acme.example.com` on `*.example.com`. Nobody else can send it on this route, whatever its host. Null: none.
   */
  tenantHeader: ownFieldName,
}
const rules = {
  access: accessSchema,
  cors: corsSchema,
  requestHeaders: headerEditsSchema,
  responseHeaders: headerEditsSchema,
  redirect: redirectSchema,
  answer: answerSchema,
  hsts: hstsSchema,
}
const rulesSchema = z.object(rules).partial()

/** Those of the rules that a route has. */
export interface RouteRules extends Readonly<z.output<typeof rulesSchema>> {
  /** What could not be read, and why. Not empty: the route is closed. */
  readonly unusable?: readonly string[] | undefined
}

const routeOptionsSchema = z.object({
  stripMount: plain.stripMount.default(false),
  allowHttp: plain.allowHttp.default(false),
  tenantHeader: plain.tenantHeader.nullable().default(null),
})

/** Every key filled in. */
export interface RouteOptions extends Readonly<z.output<typeof routeOptionsSchema>> {
  /** Null: none, as on most routes. */
  readonly rules: RouteRules | null
}

/** What may be written: any subset of the keys, nothing else. */
export const routeOptionsInputSchema = z
  .strictObject({ ...plain, ...rules, access: accessInputSchema })
  .partial()
export type RouteOptionsInput = z.output<typeof routeOptionsInputSchema>

export const DEFAULT_ROUTE_OPTIONS: RouteOptions = Object.freeze({
  ...routeOptionsSchema.parse({}),
  rules: null,
})

/** A route is served without these, by their defaults, rather than not at all. */
const HARMLESS: ReadonlySet<string> = new Set(['stripMount', 'allowHttp', 'hsts'])

/** Stored JSON → all options; each that cannot be used falls back to its default, or closes the route. */
export function resolveRouteOptions(stored: unknown): RouteOptions {
  const row = isJsonObject(stored) ? stored : {}
  // Most routes have none, and there may be a hundred thousand of them.
  if (Object.keys(row).length === 0) return DEFAULT_ROUTE_OPTIONS
  const unusable = closedBefore(row)
  const options = readable(routeOptionsSchema, row, unusable)
  const found = readable(rulesSchema, row, unusable)
  if (unusable.length === 0 && Object.keys(found).length === 0)
    return Object.freeze({ ...options, rules: null })
  const rules = unusable.length === 0 ? found : { ...found, unusable }
  return Object.freeze({ ...options, rules: Object.freeze(rules) })
}

/** As JSON that resolves to the same. */
export function storedRouteOptions({ rules, ...options }: RouteOptions): JsonObject {
  return { ...options, ...rules } as JsonObject
}

function readable<Schema extends z.ZodObject>(
  schema: Schema,
  row: JsonObject,
  unusable: string[],
): z.output<Schema> {
  // JSON of older versions may say null for what is absent.
  const present = Object.entries(row).filter(
    ([key, value]) => value !== null && Object.hasOwn(schema.shape, key),
  )
  const parsed = schema.safeParse(Object.fromEntries(present))
  if (parsed.success) return parsed.data
  const bad = new Set(parsed.error.issues.map(issue => String(issue.path[0])))
  for (const { path, message } of parsed.error.issues) {
    if (!HARMLESS.has(String(path[0]))) unusable.push(`${path.join('.')}: ${message}`)
  }
  return schema.parse(Object.fromEntries(present.filter(([key]) => !bad.has(key))))
}

/** Of a snapshot file: it holds what was understood, and that there was more. */
function closedBefore({ unusable }: JsonObject): string[] {
  if (unusable === undefined) return []
  return Array.isArray(unusable) ? unusable.map(String) : ['unusable']
}
