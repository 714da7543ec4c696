// How a service wants its traffic handled: balancing, timeouts, limits. The admin API writes policies through
// `servicePolicyInputSchema`, where an unknown key is an error; the directory reads stored ones through
// `resolveServicePolicy`, where it is not: a newer replica may have written it.

import { isHostWithPort, parseServiceName, SERVICE_NAME_PATTERN } from '@vera-stack/shared/mounts.ts'
import { z } from 'zod'
import { isJsonObject } from '../common/json.ts'

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

/** Former names of a service; a rename adds one. */
export const MAX_ALIASES = 16

const fields = {
  /** Which line gets the next stream. */
  balancing: z.enum(['least_streams', 'round_robin', 'random']).default('least_streams'),
  /** From the last byte of the request to the answer's head. ms */
  responseHeadTimeoutMs: timeoutMs.default(30_000),
  /** Without a byte in either direction of an exchange. ms */
  idleTimeoutMs: timeoutMs.default(300_000),
  /** The same for an upgraded connection, a WebSocket say. ms */
  upgradeIdleTimeoutMs: timeoutMs.default(3_600_000),
  /** Bytes; null: no limit. */
  maxRequestBodyBytes: z.int().min(0).max(Number.MAX_SAFE_INTEGER).nullable().default(null),
  /** Streams open at once through one replica; null: no limit. */
  maxStreams: z.int().min(1).max(1_000_000).nullable().default(null),
  /** Requests and upgrades per second of one client address (IPv6: one /64) through one replica; null: no limit. */
  maxRequestsPerSecond: z.int().min(1).max(1_000_000).nullable().default(null),
  /** More attempts after the first, on other lines, where repeating is safe. */
  retries: z.int().min(0).max(10).default(2),
  /** The Host that the backend sees: the client's, that of the backend's own URL, or this one. */
  hostHeader: z
    .union([z.enum(['preserve', 'backend']), z.strictObject({ fixed: fixedHost })])
    .default('preserve'),
  /** Further names under which telephones may announce the service; a rename adds the old one. */
  aliases: z.array(alias).max(MAX_ALIASES).default([]),
} as const

/** Every key filled in. */
const servicePolicySchema = z.object(fields)
export type ServicePolicy = Readonly<z.output<typeof servicePolicySchema>>

/** What may be written: any subset of the keys, nothing else. Absent keys stay absent, so defaults can move. */
export const servicePolicyInputSchema = z
  .strictObject({
    balancing: fields.balancing.removeDefault(),
    responseHeadTimeoutMs: fields.responseHeadTimeoutMs.removeDefault(),
    idleTimeoutMs: fields.idleTimeoutMs.removeDefault(),
    upgradeIdleTimeoutMs: fields.upgradeIdleTimeoutMs.removeDefault(),
    maxRequestBodyBytes: fields.maxRequestBodyBytes.removeDefault(),
    maxStreams: fields.maxStreams.removeDefault(),
    maxRequestsPerSecond: fields.maxRequestsPerSecond.removeDefault(),
    retries: fields.retries.removeDefault(),
    hostHeader: fields.hostHeader.removeDefault(),
    aliases: fields.aliases.removeDefault(),
  })
  .partial()

export const DEFAULT_SERVICE_POLICY: ServicePolicy = Object.freeze(servicePolicySchema.parse({}))

/**
 * Stored JSON → the whole policy. What another version of this program may have written must not stop traffic: an
 * unknown key is dropped, a value out of bounds falls back to its default and is named in `problems`.
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
    problems: parsed.error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`),
  }
}
