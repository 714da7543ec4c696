// A key that signs the tokens of telephones, as the API shows it: without the private key.

import { z } from '@hono/zod-openapi'
import type { SigningKey } from '../../../database/store/store.ts'
import { jsonObject, timestamp } from '../../http/formats.ts'

export const signingKeySchema = z
  .strictObject({
    kid: z.string(),
    algorithm: z.literal('EdDSA'),
    state: z.enum(['signing', 'retired']),
    publicJwk: jsonObject,
    createdAt: timestamp,
    retiredAt: timestamp.nullable().openapi({
      description: 'Since this time, the key only verifies tokens. null: the key signs tokens.',
    }),
  })
  .openapi('SigningKey')
export type SigningKeyBody = z.infer<typeof signingKeySchema>

export const signingKeyBody = (row: SigningKey): SigningKeyBody => ({
  kid: row.kid,
  algorithm: row.algorithm,
  state: row.retiredAt === null ? 'signing' : 'retired',
  publicJwk: row.publicJwk,
  createdAt: row.createdAt.toISOString(),
  retiredAt: row.retiredAt?.toISOString() ?? null,
})
