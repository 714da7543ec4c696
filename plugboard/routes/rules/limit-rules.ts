// The option `rateLimits` of routes, and the same key of a service's policy: how many requests or bytes a key may use in a window.

import { parseMount } from '@vera-stack/shared/mounts.ts'
import { z } from 'zod'
import { keyPartSchema, needsCredential } from './key-part.ts'
import { MAX_METHODS, methodName } from './method-rule.ts'

const MAX_LIMITS = 20
const MAX_KEY_PARTS = 4
const MAX_WINDOW_SECONDS = 2_678_400

const name = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9_.-]+$/, 'must have letters, digits, - _ and . only')
  .meta({
    description: 'Unique among the limits of the row. Responses and metrics show it.',
    example: 'login',
  })

const path = z
  .string()
  .max(1024)
  .refine(text => isMountPath(text), 'is not a path: begin with / and write no query and no dot segments')
  .meta({
    pattern: '^/[^?#]*$',
    description:
      'A prefix of the path, which ends at a segment: `/login` matches `/login` and `/login/again`.',
    example: '/api/login',
  })

const match = z
  .strictObject({ path: path.optional(), methods: z.array(methodName).min(1).max(MAX_METHODS).optional() })
  .meta({ description: 'The requests that count; absent: all.' })

const limit = z
  .strictObject({
    name,
    limit: z
      .int()
      .min(1)
      .max(1_000_000_000)
      .meta({ description: 'The average of a window is at most this number.', example: 100 }),
    windowSeconds: z.int().min(1).max(MAX_WINDOW_SECONDS).optional().meta({ description: 'Default: 1.' }),
    burst: z.int().min(1).max(1_000_000_000).optional().meta({
      description:
        'Requests that may come at once, at most `limit`; default: `limit`. A window admits at most limit + burst.',
    }),
    key: z
      .array(keyPartSchema)
      .max(MAX_KEY_PARTS)
      .optional()
      .meta({ description: 'Default: the client address. An empty list counts all clients together.' }),
    onMissing: z.enum(['address', 'skip', 'refuse']).optional().meta({
      description:
        'When the request lacks a part of the key: count by the address instead (default), do not count, or refuse.',
    }),
    match: match.optional(),
    count: z.enum(['requests', 'responseBytes']).optional().meta({ description: 'Default: requests.' }),
    scope: z.enum(['cluster', 'replica']).optional().meta({
      description: 'Count over all replicas (default), or on each replica separately.',
    }),
    enforce: z.boolean().optional().meta({ description: 'False: count, but never reject. Default: true.' }),
    headers: z
      .boolean()
      .optional()
      .meta({ description: 'Send the RateLimit fields on responses. Default: true.' }),
  })
  .refine(({ burst, limit: most }) => burst === undefined || burst <= most, {
    path: ['burst'],
    message: 'is above "limit"; use at most the limit',
  })

export type RateLimit = Readonly<z.output<typeof limit>>

export const rateLimitsSchema = z
  .array(limit)
  .max(MAX_LIMITS)
  .superRefine((limits, context) => {
    const seen = new Set<string>()
    for (const [index, each] of limits.entries()) {
      if (seen.size === seen.add(each.name).size) {
        context.addIssue({
          code: 'custom',
          path: [index, 'name'],
          message: 'is used twice; choose another name',
        })
      }
    }
  })

/** True when the limit can be checked only after the route has verified the credential. */
export function limitNeedsCredential({ key = [] }: RateLimit): boolean {
  return key.some(needsCredential)
}

/** True when the text is a path in the spelling that mounts have. */
function isMountPath(text: string): boolean {
  const parsed = parseMount(`host.test${text}`)
  return parsed.ok && text.startsWith('/') && parsed.value.path === text
}
