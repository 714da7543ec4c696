// A tunnel of a telephone, as the API shows it and as replicas send it to each other. The fields are those of
// telephones/listed-telephone.ts.

import { z } from '@hono/zod-openapi'
import { listedServiceSchema, listedTelephoneSchema } from '../../telephones/listed-telephone.ts'
import { cursorText } from '../http/formats.ts'
import { missingReplicasSchema } from './replica.ts'

const { shape } = listedTelephoneSchema
const { shape: serviceShape } = listedServiceSchema

export const telephonePageSchema = z
  .strictObject({
    items: z.array(z.strictObject(shape).openapi('Telephone')),
    next: cursorText
      .nullable()
      .openapi({ description: 'Cursor of the next page. null: this is the last page.' }),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('TelephonePage')
export type TelephonePageBody = z.infer<typeof telephonePageSchema>

/**
 * A tunnel in the response of another replica. Further keys of a newer version are removed, and keys that an older version does
 * not send get a value. A replica does not list overrides, ejections and stops of subsets here,
 * because each one adds them itself.
 */
export const remoteTelephoneSchema = z.object({
  ...shape,
  tokenExpiresAt: shape.tokenExpiresAt.default(null),
  services: z.array(
    z.object({
      ...serviceShape,
      outage: serviceShape.outage.default(null),
      override: z.null().catch(null),
      ejections: z.array(z.never()).catch([]),
      subsetStops: z.array(z.never()).catch([]),
    }),
  ),
})
