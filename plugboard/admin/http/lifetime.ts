// Durations as people write them, such as `90d`: the lifetime of a credential, and the time without requests for `prune`.

import { z } from '@hono/zod-openapi'
import { parseDuration } from '@vera-stack/shared/settings/kind.ts'

const MIN_MS = 10_000
const MAX_LENGTH = 100
const MAX_MS = 3650 * 86_400_000

const LIFETIME = /^(?:\d{1,15}(?:\.\d{1,15})?(?:ms|s|m|h|d))+$/
const lifetime = z.string().max(MAX_LENGTH).regex(LIFETIME, 'is not a duration such as 90d, 12h or 1h30m')

const MIN_UNUSED_MS = 3_600_000

/** Bounds of an ejection by an operator. */
const MIN_EJECT_MS = 1000
const MAX_EJECT_MS = 3_600_000

const secondsFrom =
  (minMs: number, range: string) =>
  (text: string, context: z.RefinementCtx): number => {
    const parsed = parseDuration(text)
    if (parsed.ok && parsed.value >= minMs && parsed.value <= MAX_MS) return Math.round(parsed.value / 1000)
    context.addIssue({
      code: 'custom',
      message: parsed.ok ? `"${text}" is out of range: ${range}` : parsed.problem,
    })
    return z.NEVER
  }
/** Parses the time of an ejection by an operator to ms. */
export const ejectForSchema = z
  .string()
  .max(MAX_LENGTH)
  .regex(LIFETIME, 'is not a duration such as 5m or 90s')
  .transform((text, context): number => {
    const parsed = parseDuration(text)
    if (parsed.ok && parsed.value >= MIN_EJECT_MS && parsed.value <= MAX_EJECT_MS) return parsed.value
    const message = parsed.ok ? `"${text}" is out of range: from 1s to 1h` : parsed.problem
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })
  .openapi({
    type: 'string',
    pattern: LIFETIME.source,
    maxLength: MAX_LENGTH,
    description:
      'The process gets no requests for this time, from 1s to 1h, while another process of the service takes requests.',
    example: '5m',
  })

const parse = secondsFrom(MIN_MS, 'from 10s to 3650d')

/** Parses a lifetime to seconds. `otherwise`: the text for an absent one. */
export const lifetimeSchema = (otherwise: string) =>
  lifetime.default(otherwise).transform(parse).openapi({
    type: 'string',
    pattern: LIFETIME.source,
    maxLength: MAX_LENGTH,
    description: 'Lifetime, from 10s to 3650d.',
    example: otherwise,
    default: otherwise,
  })

/** Parses to seconds, at least an hour: replicas record requests once a minute, and later while the database is unavailable. */
export const unusedForSchema = lifetime.transform(secondsFrom(MIN_UNUSED_MS, 'from 1h to 3650d')).openapi({
  type: 'string',
  pattern: LIFETIME.source,
  description: 'The time in which the route had no request, from 1h to 3650d.',
  example: '30d',
})

/** Parses a lifetime to seconds; undefined when it is absent. */
export const optionalLifetimeSchema = lifetime.transform(parse).optional().openapi({
  type: 'string',
  pattern: LIFETIME.source,
  maxLength: MAX_LENGTH,
  description:
    'Lifetime, from 10s to 3650d. Absent: the new key expires with the key of the request; if that key never expires, never.',
  example: '90d',
})
