// The list of checks of `plugboard doctor`. The room plugboard/doctor creates the rows.

import { z } from '@hono/zod-openapi'
import { timestamp } from '../http/formats.ts'

const checkSchema = z
  .strictObject({
    id: z.string().openapi({
      description: 'The area and the name of the check. docs/operating/doctor.md lists all ids.',
      example: 'database.clock',
    }),
    state: z.enum(['ok', 'warning', 'failed', 'unknown']).openapi({
      description:
        '`failed`: requests or changes fail, or will fail after a restart; `warning`: a fault that becomes a failure, or costs ' +
        'time; `unknown`: this replica cannot find it out.',
    }),
    detail: z.string().openapi({ description: 'The finding with its values, for people. Without secrets.' }),
    remedy: z.string().nullable().openapi({
      description: 'The command or the setting that corrects the fault. null: there is no fault.',
    }),
  })
  .openapi('Check')
export type CheckBody = z.infer<typeof checkSchema>

export const doctorSchema = z
  .strictObject({
    replicaId: z.string().openapi({ description: 'The replica that has run the checks.' }),
    version: z.string(),
    node: z.string().openapi({ description: 'The version of Node.' }),
    checkedAt: timestamp,
    items: z
      .array(checkSchema)
      .openapi({ description: 'All checks, the most harmful state first: failed, warning, unknown, ok.' }),
  })
  .openapi('Doctor')
export type DoctorBody = z.infer<typeof doctorSchema>
