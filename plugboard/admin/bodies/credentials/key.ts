// An API key as the API shows it, and the body of a request for a new key.

import { z } from '@hono/zod-openapi'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { AdminKey } from '../../../database/store/store.ts'
import { storedText } from '../../../database/store/values/stored-text.ts'
import { CREDENTIAL_STATES, credentialState } from '../../access/credential-state.ts'
import { SCOPES } from '../../access/scope.ts'
import { id, mountText, serviceScopeText, timestamp } from '../../http/formats.ts'
import { optionalLifetimeSchema } from '../../http/lifetime.ts'

const name = storedText(1, 255).openapi({
  description: 'The purpose or the owner of the key.',
  example: 'deploy',
})
const limits = z
  .strictObject({
    services: z
      .array(serviceScopeText)
      .max(1000)
      .openapi({
        description: 'Names of services, prefixes such as `shop-*`, or `*`. Empty: no service.',
        example: ['shop-*'],
      }),
    mounts: z
      .array(mountText)
      .max(1000)
      .openapi({
        description:
          'Mounts, including all mounts under them: `shop.example.com`, `*.example.com`, or `*`. Empty: no mount.',
        example: ['shop.example.com'],
      }),
  })
  .openapi('KeyLimits')
const keyFields = {
  id,
  name,
  prefix: z.string().openapi({ description: 'The first characters of the key, to distinguish keys.' }),
  scopes: z.array(z.string()),
  limits: limits.nullable().openapi({
    description:
      'The key may issue and revoke tokens, and change routes and services, only within these limits. null: no limits.',
  }),
  state: z.enum(CREDENTIAL_STATES),
  version: z.int(),
  createdAt: timestamp,
  expiresAt: timestamp.nullable(),
  revokedAt: timestamp.nullable(),
  lastUsedAt: timestamp.nullable().openapi({ description: 'Late by up to one minute. null: never used.' }),
} as const
export const keySchema = z.strictObject(keyFields).openapi('AdminKey')
export type KeyBody = z.infer<typeof keySchema>
export const createdKeySchema = z
  .strictObject({
    ...keyFields,
    key: z.string().openapi({ description: 'The key. Only this response contains it.' }),
  })
  .openapi('CreatedAdminKey')
export type CreatedKeyBody = z.infer<typeof createdKeySchema>

export const newKeySchema = z
  .strictObject({
    name,
    scopes: z
      .array(z.enum(SCOPES))
      .max(SCOPES.length)
      .openapi({
        description:
          'Empty: the key has no rights. `tokens:write` or `routes:write` without limits gives control over all ' +
          'traffic; `admin` gives control over everything.',
      }),
    limits: limits.nullable().optional().openapi({
      description:
        'Absent: the limits of the key of the request. A key with the scope `admin` cannot have limits.',
    }),
    ttl: optionalLifetimeSchema,
  })
  .openapi('NewAdminKey')

export const keyBody = (row: AdminKey, clock: Clock): KeyBody => ({
  id: row.id,
  name: row.name,
  prefix: row.prefix,
  scopes: [...row.scopes],
  limits: row.limits && { services: [...row.limits.services], mounts: [...row.limits.mounts] },
  state: credentialState(row, clock),
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  expiresAt: row.expiresAt?.toISOString() ?? null,
  revokedAt: row.revokedAt?.toISOString() ?? null,
  lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
})
