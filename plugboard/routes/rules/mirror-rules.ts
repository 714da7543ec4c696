// Copies of requests for a subset of a service (`mirror`): tests a version with real requests, without an effect on users.

import { z } from 'zod'
import { MAX_METHODS, methodName } from './method-rule.ts'
import { subsetName } from './subset-rules.ts'

/** Plugboard keeps at most this part of a body in memory, for retries and for copies. */
const MAX_BODY_BYTES = 65_536
/** Used when `mirror` has no `maxBodyBytes`. */
export const DEFAULT_MIRROR_BODY_BYTES = MAX_BODY_BYTES

export const mirrorSchema = z
  .strictObject({
    to: subsetName.meta({
      description: 'The subset whose processes get the copies. It is one of `subsets`.',
      example: 'canary',
    }),
    percent: z
      .number()
      .min(0)
      .max(100)
      .meta({ description: 'Share of the requests that are copied.', example: 10 }),
    methods: z.array(methodName).min(1).max(MAX_METHODS).optional().meta({
      description:
        'The methods of the requests that are copied. Default: the safe methods GET, HEAD, OPTIONS and TRACE.',
    }),
    maxBodyBytes: z
      .int()
      .min(0)
      .max(MAX_BODY_BYTES)
      .optional()
      .meta({
        description: `A request with a longer body is not copied. Default: ${DEFAULT_MIRROR_BODY_BYTES}.`,
      }),
  })
  .meta({
    description:
      'Sends copies of requests to a subset after the response of the real request has begun, and drops the responses to the copies.',
  })
export type MirrorRules = Readonly<z.output<typeof mirrorSchema>>
