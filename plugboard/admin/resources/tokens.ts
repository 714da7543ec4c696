// Tokens of telephones over HTTP. The JWT is shown once, when it is issued; what is listed is who may do what.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { MAX_TOKEN_LIMIT } from '@vera-stack/shared/claims.ts'
import type { Token } from '../../database/store/store.ts'
import { storedText } from '../../database/store/stored-text.ts'
import { CREDENTIAL_STATES, credentialState } from '../access/credential-state.ts'
import { atField, refuseBeyondLimits } from '../access/key-limits.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { etagOf, notModified } from '../http/etag.ts'
import { mountText, serviceScopeText } from '../http/formats.ts'
import { lifetimeSchema } from '../http/lifetime.ts'
import {
  body,
  CREATED_HEADERS,
  ETAG_HEADER,
  id,
  ifNoneMatchHeader,
  json,
  NOT_MODIFIED,
  operation,
  timestamp,
} from '../http/operation.ts'
import { flagQuery, pageBody, pageQuery, pageResponse } from '../http/page.ts'

const services = z
  .array(serviceScopeText)
  .max(1000)
  .openapi({
    description: 'Services that it may serve: names, `shop-*`, or `*`. Empty: none.',
    example: ['shop'],
  })
const mounts = z
  .array(mountText)
  .max(1000)
  .openapi({
    description:
      'Mounts that it may claim, with all beneath them: `app.example.com/api`, or `*`. Empty: none.',
    example: ['app.example.com/api'],
  })
const name = storedText(1, 255).openapi({ description: 'Of the telephone.', example: 'shop-1' })

const limit = (min: number, description: string) =>
  z.int().min(min).max(MAX_TOKEN_LIMIT).nullable().openapi({ description, example: 10 })
const limitFields = {
  tunnels: limit(
    1,
    'Tunnels open at once, over all replicas; null: `tokenMaxTunnels`. A telephone dials a replacement before it ' +
      'closes a tunnel, so allow one more than the telephones hold.',
  ),
  claims: limit(0, 'Routes that its telephones may have claimed; null: `tokenMaxClaims`.'),
  announcementsPerMinute: limit(
    1,
    'Announcements and renewals within a minute, on one replica; null: `tokenMaxAnnouncements`.',
  ),
} as const
const limits = z.strictObject(limitFields).openapi('TokenLimits')
const newLimits = z.strictObject(limitFields).partial().openapi('NewTokenLimits')
const usage = z
  .strictObject({
    tunnels: z.int().openapi({ description: 'Open now, as far as this replica knows; late by a second.' }),
    claims: z.int().openapi({ description: 'Routes that its telephones have claimed and that exist.' }),
  })
  .openapi('TokenUsage')

const tokenFields = {
  id: id.openapi({ description: '`jti` of the JWT.' }),
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
const tokenSchema = z.strictObject(tokenFields).openapi('Token')
const issuedTokenSchema = z
  .strictObject({
    ...tokenFields,
    token: z.string().openapi({ description: 'The JWT. Shown this once.' }),
    plugboardUrl: z.string().openapi({
      description:
        'Where telephones reach this Plugboard, as far as it is configured: `publicUrl`, else an address of `localhost`.',
      example: 'https://proxy.example.com',
    }),
  })
  .openapi('IssuedToken')

const tokenBody = (
  row: Token,
  claims: ReadonlyMap<string, number>,
  { clock, telephones }: Pick<AdminDependencies, 'clock' | 'telephones'>,
): z.infer<typeof tokenSchema> => ({
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

const params = z.object({ id: storedText(1, 255) })
const tags = ['tokens']

const issueOperation = operation(
  { permission: 'tokens:write', fails: ['payload_too_large', 'unsupported_media_type'] },
  {
    method: 'post',
    path: '/v1/tokens',
    operationId: 'issueToken',
    tags,
    summary: 'Issue a token for a telephone',
    description:
      'A telephone with a token for a service receives traffic of this service: a key with this scope and without limits ' +
      'can give away all traffic.',
    request: {
      body: body(
        z
          .strictObject({
            name,
            services: services.optional(),
            mounts: mounts.optional(),
            limits: newLimits.optional(),
            ttl: lifetimeSchema('30d'),
          })
          .openapi('NewToken'),
      ),
    },
    responses: { 201: { ...json(issuedTokenSchema, 'The token, with its JWT.'), headers: CREATED_HEADERS } },
  },
)
const listOperation = operation(
  { permission: 'tokens:read' },
  {
    method: 'get',
    path: '/v1/tokens',
    operationId: 'listTokens',
    tags,
    summary: 'List tokens, newest first',
    request: { query: z.strictObject({ ...pageQuery, active: flagQuery('Neither revoked nor expired.') }) },
    responses: { 200: pageResponse(tokenSchema, 'Token', 'A page of tokens.') },
  },
)
const readOperation = operation(
  { permission: 'tokens:read', fails: ['not_found'] },
  {
    method: 'get',
    path: '/v1/tokens/{id}',
    operationId: 'getToken',
    tags,
    summary: 'Read a token',
    request: { params, headers: ifNoneMatchHeader },
    responses: { 200: { ...json(tokenSchema, 'The token.'), headers: ETAG_HEADER }, ...NOT_MODIFIED },
  },
)
const revokeOperation = operation(
  { permission: 'tokens:write', fails: ['not_found'] },
  {
    method: 'post',
    path: '/v1/tokens/{id}/revoke',
    operationId: 'revokeToken',
    tags,
    summary: 'Revoke a token',
    description: 'Its tunnels close on every replica at once. Doing it twice is no error.',
    request: { params },
    responses: { 200: { ...json(tokenSchema, 'The token, revoked.'), headers: ETAG_HEADER } },
  },
)

export function addTokenOperations(app: OpenAPIHono<AdminEnv>, deps: AdminDependencies): void {
  const { store, tokens } = deps
  const whole = async (row: Token) => tokenBody(row, await store.tokens.claimCounts([row.id]), deps)
  app.openapi(issueOperation, async c => {
    const { name, services = [], mounts = [], limits, ttl } = c.req.valid('json')
    refuseBeyondLimits(c.get('key'), { services, mounts, pointer: atField })
    const issued = await tokens.issue({ name, services, mounts, limits, ttlSeconds: ttl }, c.get('by'))
    const row = await store.tokens.get(issued.id)
    c.header('Location', `/v1/tokens/${row.id}`)
    c.header('ETag', etagOf(row))
    const plugboardUrl = deps.plugboardUrl()
    return c.json({ ...(await whole(row)), token: issued.token, plugboardUrl }, 201)
  })
  app.openapi(listOperation, async c => {
    const page = await store.tokens.list(c.req.valid('query'))
    const claims = await store.tokens.claimCounts(page.items.map(({ id }) => id))
    return c.json(
      pageBody(c, page, row => tokenBody(row, claims, deps)),
      200,
    )
  })
  app.openapi(readOperation, async c => {
    const row = await store.tokens.get(c.req.valid('param').id)
    return notModified(c, row) ? c.body(null, 304) : c.json(await whole(row), 200)
  })
  app.openapi(revokeOperation, async c => {
    const { id } = c.req.valid('param')
    if (c.get('key').limits !== null) refuseBeyondLimits(c.get('key'), await store.tokens.get(id))
    await tokens.revoke(id, c.get('by'))
    const row = await store.tokens.get(id)
    c.header('ETag', etagOf(row))
    return c.json(await whole(row), 200)
  })
}
