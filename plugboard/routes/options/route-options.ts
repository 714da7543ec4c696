// The options of one route, in addition to the policy of its service. They are written through the strict input schema and read
// leniently (see service-policy.ts). Rules about access and header fields are an exception: when such a rule cannot be read, for
// example a rule of a newer version, the route is closed, so that it never serves without its protection.

import { plainIssues } from '@vera-stack/shared/schema/issue-text.ts'
import { z } from 'zod'
import { isJsonObject, type JsonObject } from '../../common/json.ts'
import { withCurrentNames } from '../../common/renamed-options.ts'
import { accessInputSchema, accessSchema } from '../rules/access-rules.ts'
import { corsSchema } from '../rules/cors-rules.ts'
import { ownFieldName } from '../rules/field-rules.ts'
import { headerEditsSchema } from '../rules/header-rules.ts'
import { hstsSchema } from '../rules/hsts-rules.ts'
import { rateLimitsSchema } from '../rules/limit-rules.ts'
import { redirectSchema, respondSchema } from '../rules/respond-rules.ts'

const plain = {
  /** The backend sees the path without the mount: `/api/users` behind mount `/api` arrives as `/users`. */
  stripMount: z.boolean(),
  /** True: the route serves plain HTTP, even when `httpsRedirect` is on. */
  allowHttp: z.boolean(),
  /**
   * A header field, such as `X-Tenant`, that carries the part of the host in place of the `*` to the backend: `acme` for
   * `acme.example.com` on `*.example.com`. Clients cannot send this field on the route. Null: no field.
   */
  tenantHeader: ownFieldName,
  /** Limits of requests and bytes per key and window, over all replicas. Null: no limits. */
  rateLimits: rateLimitsSchema,
}
const rules = {
  access: accessSchema,
  cors: corsSchema,
  requestHeaders: headerEditsSchema,
  responseHeaders: headerEditsSchema,
  redirect: redirectSchema,
  respond: respondSchema,
  hsts: hstsSchema,
}
const rulesSchema = z.object(rules).partial()

/** The rules of a route. */
export interface RouteRules extends Readonly<z.output<typeof rulesSchema>> {
  /** The options that could not be read, with the reasons. A route with entries is closed. */
  readonly unusable?: readonly string[] | undefined
}

const routeOptionsSchema = z.object({
  stripMount: plain.stripMount.default(false),
  allowHttp: plain.allowHttp.default(false),
  tenantHeader: plain.tenantHeader.nullable().default(null),
  rateLimits: plain.rateLimits.nullable().default(null),
})

/** All options, with defaults for absent keys. */
export interface RouteOptions extends Readonly<z.output<typeof routeOptionsSchema>> {
  /** Null: the route has no rules, as most routes. */
  readonly rules: RouteRules | null
}

/** The writable options: any subset of the keys. Other keys are an error. */
export const routeOptionsInputSchema = z
  .strictObject({ ...plain, ...rules, access: accessInputSchema })
  .partial()
/** The names of the writable options. */
export const ROUTE_RULES = routeOptionsInputSchema.keyof().options
export type RouteOptionsInput = z.output<typeof routeOptionsInputSchema>

export const DEFAULT_ROUTE_OPTIONS: RouteOptions = Object.freeze({
  ...routeOptionsSchema.parse({}),
  rules: null,
})

/** The effect of an option that a replica cannot read: it closes the route, or gets its default. */
export interface OptionFate {
  readonly unreadable: 'closes' | 'default'
  /** The oldest version of Plugboard that has the option. */
  readonly since: string
}

const FATES: Readonly<Record<keyof typeof plain | keyof typeof rules, OptionFate>> = {
  stripMount: { unreadable: 'default', since: '0.1.0' },
  allowHttp: { unreadable: 'default', since: '0.1.0' },
  tenantHeader: { unreadable: 'closes', since: '0.1.0' },
  rateLimits: { unreadable: 'closes', since: '0.2.0' },
  access: { unreadable: 'closes', since: '0.1.0' },
  cors: { unreadable: 'closes', since: '0.1.0' },
  requestHeaders: { unreadable: 'closes', since: '0.1.0' },
  responseHeaders: { unreadable: 'closes', since: '0.1.0' },
  redirect: { unreadable: 'closes', since: '0.1.0' },
  respond: { unreadable: 'closes', since: '0.1.0' },
  hsts: { unreadable: 'default', since: '0.1.0' },
}

/** The key of stored options that names options which close the route, each with the oldest version that has it. */
const REQUIRES = 'requires'
/** Every version that reads REQUIRES has the options of this version. */
const FIRST_VERSION = '0.1.0'

/**
 * Returns options as they are stored: with the versions that options which close the route need. An older replica drops
 * unknown keys, so without these versions it would serve the route without its protection.
 */
export function withRequirements(
  options: JsonObject,
  fates: Readonly<Record<string, OptionFate>> = FATES,
): JsonObject {
  const { [REQUIRES]: stored, ...rest } = options
  // Keeps the entries of a newer version for its options.
  const kept = Object.entries(isJsonObject(stored) ? stored : {}).filter(
    ([key]) => !Object.hasOwn(fates, key) && Object.hasOwn(rest, key),
  )
  const own = Object.keys(rest).flatMap(key => {
    const fate = Object.hasOwn(fates, key) ? fates[key] : undefined
    return fate?.unreadable === 'closes' && fate.since !== FIRST_VERSION ? [[key, fate.since] as const] : []
  })
  const requires = [...kept, ...own]
  return requires.length === 0 ? rest : { ...rest, [REQUIRES]: Object.fromEntries(requires) }
}

/** Returns options as users wrote them. */
export function withoutRequirements({ [REQUIRES]: _, ...options }: JsonObject): JsonObject {
  return options
}

/** Returns problems for options that this version does not have and that close the route. */
function unknownRequirements(row: JsonObject): string[] {
  const requires = row[REQUIRES]
  if (requires === undefined) return []
  if (!isJsonObject(requires)) return [`${REQUIRES}: is not an object`]
  return Object.entries(requires)
    .filter(([key]) => !Object.hasOwn(FATES, key))
    .map(([key, version]) => `${key}: needs Plugboard ${version} or newer`)
}

/**
 * Returns all options of stored JSON of this version or an older one. An invalid option gets its default, or closes the route.
 */
export function resolveRouteOptions(stored: unknown): RouteOptions {
  // Most routes have no options, and there may be a hundred thousand routes.
  if (!isJsonObject(stored) || Object.keys(stored).length === 0) return DEFAULT_ROUTE_OPTIONS
  const row = withCurrentNames(stored)
  const unusable = [...closedBefore(row), ...unknownRequirements(row)]
  const options = readable(routeOptionsSchema, row, unusable)
  const found = readable(rulesSchema, row, unusable)
  if (unusable.length === 0 && Object.keys(found).length === 0)
    return Object.freeze({ ...options, rules: null })
  const rules = unusable.length === 0 ? found : { ...found, unusable }
  return Object.freeze({ ...options, rules: Object.freeze(rules) })
}

/** Returns the options as JSON that resolves to the same options. */
export function storedRouteOptions({ rules, ...options }: RouteOptions): JsonObject {
  return { ...options, ...rules } as JsonObject
}

function readable<Schema extends z.ZodObject>(
  schema: Schema,
  row: JsonObject,
  unusable: string[],
): z.output<Schema> {
  // JSON of older versions may have null for an absent option.
  const present = Object.entries(row).filter(
    ([key, value]) => value !== null && Object.hasOwn(schema.shape, key),
  )
  const parsed = schema.safeParse(Object.fromEntries(present))
  if (parsed.success) return parsed.data
  const bad = new Set(parsed.error.issues.map(issue => String(issue.path[0])))
  for (const { path, text } of plainIssues(parsed.error.issues)) {
    if (FATES[path[0] as keyof typeof FATES]?.unreadable !== 'default')
      unusable.push(`${path.join('.')}: ${text}`)
  }
  return schema.parse(Object.fromEntries(present.filter(([key]) => !bad.has(key))))
}

/** Returns the problems of a closed route in a snapshot file. The file holds the valid options and these problems. */
function closedBefore({ unusable }: JsonObject): string[] {
  if (unusable === undefined) return []
  return Array.isArray(unusable) ? unusable.map(String) : ['unusable']
}
