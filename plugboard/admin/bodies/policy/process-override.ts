// The override of one telephone process as the API shows it, and the bodies of requests that write it.

import { z } from '@hono/zod-openapi'
import type { ProcessOverride } from '../../../database/store/store.ts'
import { storedText } from '../../../database/store/values/stored-text.ts'
import { id, timestamp } from '../../http/formats.ts'
import { ejectForSchema } from '../../http/lifetime.ts'

const weight = z
  .int()
  .min(0)
  .max(1000)
  .nullable()
  .openapi({
    description:
      'Replaces the weight that the telephone announces. 0: no new requests (drain); streams in flight end, and clients of sticky ' +
      'sessions stay. null: the announced weight applies.',
    example: 0,
  })
const reason = storedText(1, 200, 'deploy').nullable().openapi({
  description: 'For other operators.',
  example: 'deploy',
})
const force = z.boolean().optional().openapi({
  description: 'true: also for the last process of the service that takes requests.',
})

export const processOverrideSchema = z
  .strictObject({
    id,
    service: z.string().openapi({ description: 'The name of the service.', example: 'shop' }),
    process: z.string().openapi({ description: 'The id of the process. Each start has a new one.' }),
    telephone: z.string(),
    weight,
    ejectedUntil: timestamp.nullable().openapi({ description: 'null: it is not ejected.' }),
    reason,
    setBy: z.string().openapi({ description: 'The name of the API key that wrote it last.', example: 'ana' }),
    version: z.int(),
    createdAt: timestamp,
    updatedAt: timestamp,
    deletedAt: timestamp.nullable().openapi({ description: 'null: it applies.' }),
  })
  .openapi('ProcessOverride')
export type ProcessOverrideBody = z.infer<typeof processOverrideSchema>

export const newOverrideSchema = z
  .strictObject({
    service: storedText(1, 63, 'shop').openapi({ description: 'The name or the id of the service.' }),
    process: storedText(1, 255, 'laptop').openapi({
      description:
        'The id of a process that is connected now, or the name of its telephone if it has one process.',
    }),
    weight: weight.optional(),
    ejectFor: ejectForSchema.optional(),
    reason: reason.optional(),
    force,
  })
  .refine(({ weight: given, ejectFor }) => typeof given === 'number' || ejectFor !== undefined, {
    path: ['weight'],
    message: 'is missing: give a weight or ejectFor',
  })
  .openapi('NewProcessOverride')

export const overrideChangeSchema = z
  .strictObject({
    weight: weight.optional(),
    ejectFor: ejectForSchema
      .nullable()
      .optional()
      .openapi({
        type: ['string', 'null'],
        description: 'From 1s to 1h, from now. null: ends the ejection.',
      }),
    reason: reason.optional(),
    force,
  })
  .openapi('ProcessOverrideChange')

/** `service`: its name. */
export const processOverrideBody = (row: ProcessOverride, service: string): ProcessOverrideBody => ({
  id: row.id,
  service,
  process: row.instance,
  telephone: row.telephone,
  weight: row.weight,
  ejectedUntil: row.ejectedUntil?.toISOString() ?? null,
  reason: row.reason,
  setBy: row.setBy,
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
  deletedAt: row.deletedAt?.toISOString() ?? null,
})
