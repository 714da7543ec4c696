// A rate limit with its decisions and its use on all replicas, as the API shows it, and the counts of one replica, as replicas send
// them to each other. live/policy/limit-view.ts creates both.

import { z } from '@hono/zod-openapi'
import { HOTTEST_KEYS } from '../../../limits/limit-use.ts'
import { cursorText, id } from '../../http/formats.ts'
import { missingReplicasSchema } from '../replica.ts'

/** Limits in one page. */
export const MAX_LIMITS_OF_PAGE = 100
/** Limits in the response of one replica: those of all rows of a page. */
const MAX_LIMITS_OF_REPLICA = 2_500

const count = (description: string) => z.int().openapi({ description })

const countFields = {
  admitted: count('Requests that the limit has admitted.'),
  rejected: count('Requests that the limit has rejected.'),
  wouldReject: count('Requests that the limit would have rejected, if it had not `enforce: false`.'),
  keys: count('Keys (clients, for example) that have used a part of their quota at the moment.'),
} as const

const hotKeyFields = {
  key: z.string().openapi({
    description: 'The hash of the values of the key. Plugboard does not keep the values.',
    example: '0c41f2a977b310',
  }),
  usedPercent: z.number().openapi({
    description:
      'The used part of the burst. Above 100 after requests to other replicas, or with `count: responseBytes`.',
    example: 80,
  }),
} as const

const replicaCountsSchema = z
  .strictObject({ replicaId: z.string(), ...countFields })
  .openapi('LimitOnReplica')

export const limitRowSchema = z
  .strictObject({
    route: z
      .strictObject({ id, mount: z.string() })
      .nullable()
      .openapi({ description: 'The route that has the limit. null: the service has it.' }),
    service: z
      .string()
      .nullable()
      .openapi({ description: 'The service of the limit or of its route. null: the route has no service.' }),
    name: z.string().openapi({ example: 'login' }),
    limit: z.int(),
    windowSeconds: z.int(),
    burst: z.int(),
    count: z.enum(['requests', 'responseBytes']),
    scope: z.enum(['cluster', 'replica']),
    enforce: z.boolean().openapi({ description: 'false: the limit counts, but never rejects.' }),
    ...countFields,
    keys: count(
      'Keys (clients, for example) that have used a part of their quota at the moment. A key counts once for each replica that ' +
        'got a request of it.',
    ),
    hottestKeys: z
      .array(
        z.strictObject({
          ...hotKeyFields,
          replicaId: z.string().openapi({ description: 'The replica on which the used part is largest.' }),
        }),
      )
      .max(HOTTEST_KEYS)
      .openapi({ description: `The ${HOTTEST_KEYS} keys with the largest used part.` }),
    replicas: z.array(replicaCountsSchema).openapi({
      description:
        'The counts of each replica. They start at 0 with the replica, and when the limit is added.',
    }),
  })
  .openapi('Limit')
export type LimitRowBody = z.infer<typeof limitRowSchema>

const shareFields = {
  peerId: z.string().openapi({ description: 'The replica that sends its counts.' }),
  state: z.enum(['open', 'closed', 'unsupported']).openapi({
    description:
      '`open`: the counts arrive; `closed`: the two replicas count separately at the moment; `unsupported`: the version of the ' +
      'sender does not share limits.',
  }),
  ageMs: z.int().nullable().openapi({
    description: 'The time since its last counts, normally at most a second. null: none have arrived.',
  }),
} as const
export type LimitShareBody = z.infer<z.ZodObject<typeof shareFields>>

export const limitPageSchema = z
  .strictObject({
    items: z.array(limitRowSchema),
    next: cursorText
      .nullable()
      .openapi({ description: 'Cursor of the next page. null: this is the last page.' }),
    shares: z
      .array(
        z.strictObject({
          replicaId: z.string().openapi({ description: 'The replica that receives the counts.' }),
          ...shareFields,
        }),
      )
      .openapi({ description: 'The exchange of counts of `scope: cluster` between each two replicas.' }),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('LimitPage')
export type LimitPageBody = z.infer<typeof limitPageSchema>

/** The response of another replica. Further keys of a newer version are removed. */
export const remoteLimitsSchema = z.object({
  limits: z
    .array(
      z.object({
        rowId: z.string(),
        name: z.string(),
        ...countFields,
        hottest: z.array(z.object(hotKeyFields)).max(HOTTEST_KEYS),
      }),
    )
    .max(MAX_LIMITS_OF_REPLICA),
  shares: z.array(z.object(shareFields)),
})
export type ReplicaLimits = z.infer<typeof remoteLimitsSchema>
