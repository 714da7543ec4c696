// A token of a telephone as the API shows it, and the body of a request for a new token.

import { z } from '@hono/zod-openapi'
import { MAX_TOKEN_LIMIT } from '@vera-stack/shared/claims.ts'
import type { Token } from '../../../database/store/store.ts'
import { storedText } from '../../../database/store/values/stored-text.ts'
import { CREDENTIAL_STATES, credentialState } from '../../access/credential-state.ts'
import type { AdminDependencies } from '../../admin-env.ts'
import { id, mountText, serviceScopeText, timestamp } from '../../http/formats.ts'
import { lifetimeSchema } from '../../http/lifetime.ts'

const services = z
  .array(serviceScopeText)
  .max(1000)
  .openapi({
    description:
      'Services that the telephone may serve: names, prefixes such as `shop-*`, or `*`. Empty: no service.',
    example: ['shop'],
  })
const mounts = z
  .array(mountText)
  .max(1000)
  .openapi({
    description:
      'Mounts that the telephone may claim, including all mounts under them: `app.example.com/api`, or `*`. Empty: no mount.',
    example: ['app.example.com/api'],
  })
const name = storedText(1, 255).openapi({ description: 'The name of the telephone.', example: 'shop-1' })

const limit = (min: number, description: string) =>
  z.int().min(min).max(MAX_TOKEN_LIMIT).nullable().openapi({ description, example: 10 })
const limitFields = {
  tunnels: limit(
    1,
    'Tunnels that may be open at once, on all replicas. null: the setting `tokenMaxTunnels`. A telephone dials a ' +
      'replacement before it closes a tunnel, so allow one tunnel more than its telephones hold.',
  ),
  claims: limit(0, 'Routes that its telephones may claim. null: the setting `tokenMaxClaims`.'),
  announcementsPerMinute: limit(
    1,
    'Announcements and renewals within a minute, on one replica. null: the setting `tokenMaxAnnouncements`.',
  ),
} as const
const limits = z.strictObject(limitFields).openapi('TokenLimits')
const newLimits = z.strictObject(limitFields).partial().openapi('NewTokenLimits')
const usage = z
  .strictObject({
    tunnels: z
      .int()
      .openapi({ description: 'Open tunnels in the view of this replica. Late by up to one second.' }),
    claims: z.int().openapi({ description: 'Existing routes that its telephones have claimed.' }),
  })
  .openapi('TokenUsage')

const tokenFields = {
  id: id.openapi({ description: 'The claim `jti` of the JWT.' }),
  name,
  services: z.array(z.string()),
  mounts: z.array(z.string()),
  ttlSeconds: z.int(),
  limits,
  usage,
  state: z.enum(CREDENTIAL_STATES),
  version: z.int(),
  createdAt: timestamp,
  expiresAt: timestamp,
  revokedAt: timestamp.nullable(),
  lastSeenAt: timestamp.nullable(),
} as const
export const tokenSchema = z.strictObject(tokenFields).openapi('Token')
export type TokenBody = z.infer<typeof tokenSchema>
export const issuedTokenSchema = z
  .strictObject({
    ...tokenFields,
    token: z.string().openapi({ description: 'The JWT. Only this response contains it.' }),
    place: z
      .strictObject({ service: z.string().nullable(), mount: z.string().nullable() })
      .openapi('TokenPlace', {
        description:
          'A service and a mount that the token covers, for the command of its telephone. null: the Telephone needs none, or ' +
          'generates it.',
      }),
    plugboardUrl: z.string().openapi({
      description:
        'The URL for telephones: the setting `publicUrl`, or a URL of `localhost` when the setting is absent.',
      example: 'https://proxy.example.com',
    }),
  })
  .openapi('IssuedToken')
export type IssuedTokenBody = z.infer<typeof issuedTokenSchema>

export const newTokenSchema = z
  .strictObject({
    name,
    services: services.optional(),
    mounts: mounts.optional(),
    limits: newLimits.optional(),
    ttl: lifetimeSchema('30d'),
  })
  .openapi('NewToken')

export const tokenBody = (
  row: Token,
  claims: ReadonlyMap<string, number>,
  { clock, telephones }: Pick<AdminDependencies, 'clock' | 'telephones'>,
): TokenBody => ({
  id: row.id,
  name: row.name,
  services: [...row.services],
  mounts: [...row.mounts],
  ttlSeconds: row.ttlSeconds,
  limits: {
    tunnels: row.maxTunnels,
    claims: row.maxClaims,
    announcementsPerMinute: row.maxAnnouncementsPerMinute,
  },
  usage: { tunnels: telephones.tunnelsOfToken(row.id), claims: claims.get(row.id) ?? 0 },
  state: credentialState(row, clock),
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  expiresAt: row.expiresAt.toISOString(),
  revokedAt: row.revokedAt?.toISOString() ?? null,
  lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
})
