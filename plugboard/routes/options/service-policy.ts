// The traffic policy of a service: balancing, timeouts, limits. The admin API writes policies through `servicePolicyInputSchema`,
// which rejects unknown keys. The directory reads stored policies through `resolveServicePolicy`, which ignores unknown keys,
// because a newer replica may have written them.

import { isHostWithPort, parseServiceName, SERVICE_NAME_PATTERN } from '@vera-stack/shared/mounts.ts'
import { plainIssues } from '@vera-stack/shared/schema/issue-text.ts'
import { z } from 'zod'
import { isJsonObject } from '../../common/json.ts'
import { inspectSchema } from '../rules/inspect-rules.ts'
import { keyPartSchema } from '../rules/key-part.ts'
import { type RateLimit, rateLimitsSchema } from '../rules/limit-rules.ts'
import { mirrorSchema } from '../rules/mirror-rules.ts'
import { stickySchema } from '../rules/sticky-rules.ts'
import { splitBySchema, subsetsSchema } from '../rules/subset-rules.ts'
import { outlierInputSchema, outlierSchema } from './outlier-policy.ts'

const timeoutMs = z.int().min(1).max(86_400_000)

const fixedHost = z
  .string()
  .min(1)
  .max(255)
  .refine(isHostWithPort, 'is not a host: write app.internal, app.internal:8080 or [2001:db8::7]:8080')
  .meta({
    pattern: '^(?:\\[[0-9A-Fa-f:.]{2,45}\\]|[A-Za-z0-9_.-]+)(?::[0-9]{1,5})?$',
    description:
      'A host with an optional port from 0 to 65535: a name of ASCII labels, an IPv4 address, or IPv6 in brackets.',
    example: 'app.internal:8080',
  })

const alias = z
  .string()
  .max(63)
  .refine(name => parseServiceName(name).ok, 'is not a name of a service')
  .meta({ pattern: SERVICE_NAME_PATTERN, example: 'shop' })

/** Most aliases of a service. A rename adds one. */
export const MAX_ALIASES = 16

const fields = {
  /** The rule that selects the telephone process for the next stream. */
  balancing: z.enum(['peak_ewma', 'least_streams', 'round_robin', 'random', 'hash']).default('peak_ewma'),
  /** The value of a request that `hash` reads; null: another rule applies. */
  hashOn: keyPartSchema.nullable().default(null),
  /** Sticky sessions by a cookie or a header field; null: no sticky sessions. */
  sticky: stickySchema.nullable().default(null),
  /** Parts of the processes that get a share of the requests, for canary releases and splits. */
  subsets: subsetsSchema.default([]),
  /** The value of a request by which the percentages of `subsets` split. */
  splitBy: splitBySchema.default('address'),
  /** Sends copies of requests to a subset, and drops the responses to the copies; null: no copies. */
  mirror: mirrorSchema.nullable().default(null),
  /** Prefers processes whose label has the same value as the replica's (setting `labels`); null: all processes are equal. */
  locality: z
    .strictObject({
      label: z
        .string()
        .min(1)
        .max(63)
        .meta({ description: 'The name of a label of telephones and replicas.', example: 'region' }),
    })
    .nullable()
    .default(null),
  /** Time in which the weight of a new or re-admitted process grows from 10 % to its full value, ms; 0: at once. */
  slowStartMs: z.int().min(0).max(300_000).default(0),
  /** Passive ejection of failing processes; false: off. */
  outlier: outlierSchema,
  /** Whether requests are refused or sent nevertheless while the health check of each process fails. */
  whenAllDown: z.enum(['refuse', 'try']).default('refuse'),
  /** Longest time from the last byte of the request to the response head, ms. */
  responseHeadTimeoutMs: timeoutMs.default(30_000),
  /** Longest time without a byte in either direction of an exchange, ms. */
  idleTimeoutMs: timeoutMs.default(300_000),
  /** The same for an upgraded connection, such as a WebSocket, ms. */
  upgradeIdleTimeoutMs: timeoutMs.default(3_600_000),
  /** Longest request body, bytes; null: no limit. */
  maxRequestBodyBytes: z.int().min(0).max(Number.MAX_SAFE_INTEGER).nullable().default(null),
  /** Limit of open streams through one replica; null: no limit. */
  maxStreams: z.int().min(1).max(1_000_000).nullable().default(null),
  /** Limit of open streams of one telephone process through one replica; null: no limit. */
  maxStreamsPerTelephone: z.int().min(1).max(100_000).nullable().default(null),
  /** Limits of requests and bytes per key and window, over all replicas. */
  rateLimits: rateLimitsSchema.default([]),
  /** The same as a limit of `rateLimits` with key `address`, window 1 and scope `replica`; null: no limit. */
  maxRequestsPerSecond: z.int().min(1).max(1_000_000).nullable().default(null),
  /** Most attempts after the first one, on other lines, for requests that are safe to repeat. */
  retries: z.int().min(0).max(10).default(2),
  /** Most retries in flight, and most retries in a second, as a share of the streams of the service, in percent. */
  retryBudgetPercent: z.int().min(0).max(100).default(20),
  /** Status codes of a backend after which a request with an idempotent method is sent to another line. */
  retryStatuses: z
    .array(z.union([z.literal(502), z.literal(503), z.literal(504)], { error: 'is not 502, 503 or 504' }))
    .max(3)
    .refine(statuses => new Set(statuses).size === statuses.length, 'has a status twice')
    .meta({ uniqueItems: true })
    .default([]),
  /** Longest time for one attempt of a request with an idempotent method, ms; null: only responseHeadTimeoutMs applies. */
  tryTimeoutMs: z.int().min(1).max(3_600_000).nullable().default(null),
  /** Requests that wait while all processes are full: how many on one replica, and how long; null: no request waits. */
  queue: z
    .strictObject({
      max: z.int().min(1).max(10_000).default(100),
      timeoutMs: z.int().min(1).max(600_000).default(1000),
    })
    .nullable()
    .default(null),
  /** Time that a request waits for a telephone while no telephone is connected, ms; 0: it does not wait. */
  holdMs: z.int().min(0).max(30_000).default(0),
  /** The circuit breaker of the service on one replica. Null: the service has no circuit breaker. */
  breaker: z
    .strictObject({
      /** Share of the results in the window that opens the breaker, in percent. */
      errorPercent: z.int().min(1).max(100).default(50),
      /** The breaker opens only after this many results in the window. */
      minRequests: z.int().min(1).max(1_000_000).default(20),
      /** Length of the window, ms. */
      windowMs: z.int().min(100).max(600_000).default(10_000),
      /** Time for which the breaker rejects all requests, ms. */
      openMs: z.int().min(1).max(600_000).default(10_000),
    })
    .nullable()
    .default(null),
  /** The Host field for the backend: the client's host, the host of the backend's URL, or a fixed one. */
  hostHeader: z
    .union([z.enum(['preserve', 'backend']), z.strictObject({ fixed: fixedHost })])
    .default('preserve'),
  /** Keeps exchanges in memory for a person who looks for a fault; null: no exchange is kept. */
  inspect: inspectSchema.nullable().default(null),
  /** Further names under which telephones may announce the service. A rename adds the old name. */
  aliases: z.array(alias).max(MAX_ALIASES).default([]),
} as const

/** All keys, with defaults for absent ones. */
const servicePolicySchema = z.object(fields)
export type ServicePolicy = Readonly<z.output<typeof servicePolicySchema>>

/** The writable policy: any subset of the keys. Other keys are an error. Absent keys stay absent, so that defaults can change. */
export const servicePolicyInputSchema = z
  .strictObject({
    balancing: fields.balancing.removeDefault(),
    hashOn: fields.hashOn.removeDefault(),
    sticky: fields.sticky.removeDefault(),
    subsets: fields.subsets.removeDefault(),
    splitBy: fields.splitBy.removeDefault(),
    mirror: fields.mirror.removeDefault(),
    locality: fields.locality.removeDefault(),
    slowStartMs: fields.slowStartMs.removeDefault(),
    outlier: outlierInputSchema,
    whenAllDown: fields.whenAllDown.removeDefault(),
    responseHeadTimeoutMs: fields.responseHeadTimeoutMs.removeDefault(),
    idleTimeoutMs: fields.idleTimeoutMs.removeDefault(),
    upgradeIdleTimeoutMs: fields.upgradeIdleTimeoutMs.removeDefault(),
    maxRequestBodyBytes: fields.maxRequestBodyBytes.removeDefault(),
    maxStreams: fields.maxStreams.removeDefault(),
    maxStreamsPerTelephone: fields.maxStreamsPerTelephone.removeDefault(),
    rateLimits: fields.rateLimits.removeDefault(),
    maxRequestsPerSecond: fields.maxRequestsPerSecond.removeDefault(),
    retries: fields.retries.removeDefault(),
    retryBudgetPercent: fields.retryBudgetPercent.removeDefault(),
    retryStatuses: fields.retryStatuses.removeDefault(),
    tryTimeoutMs: fields.tryTimeoutMs.removeDefault(),
    queue: fields.queue.removeDefault(),
    holdMs: fields.holdMs.removeDefault(),
    breaker: fields.breaker.removeDefault(),
    hostHeader: fields.hostHeader.removeDefault(),
    inspect: fields.inspect.removeDefault(),
    aliases: fields.aliases.removeDefault(),
  })
  .partial()

export const DEFAULT_SERVICE_POLICY: ServicePolicy = Object.freeze(servicePolicySchema.parse({}))

/**
 * Returns the complete policy of stored JSON. JSON of another version must not stop traffic: an unknown key is ignored, and an
 * invalid value is replaced with its default and reported in `problems`.
 */
export function resolveServicePolicy(stored: unknown): {
  policy: ServicePolicy
  problems: readonly string[]
} {
  const parsed = servicePolicySchema.safeParse(stored)
  if (parsed.success) return { policy: Object.freeze(parsed.data), problems: [] }
  const bad = new Set(parsed.error.issues.map(issue => String(issue.path[0])))
  const rest = Object.entries(isJsonObject(stored) ? stored : {}).filter(([key]) => !bad.has(key))
  return {
    policy: Object.freeze(servicePolicySchema.parse(Object.fromEntries(rest))),
    problems: plainIssues(parsed.error.issues).map(({ path, text }) => `${path.join('.')}: ${text}`),
  }
}

/** Returns all limits of a policy, with `maxRequestsPerSecond` as a limit of its own. */
export function rateLimitsOf({ rateLimits, maxRequestsPerSecond }: ServicePolicy): readonly RateLimit[] {
  if (maxRequestsPerSecond === null) return rateLimits
  return [
    ...rateLimits,
    { name: 'maxRequestsPerSecond', limit: maxRequestsPerSecond, scope: 'replica', headers: false },
  ]
}
