// Admin keys over HTTP. The key is shown once; nobody hands out a scope that they do not hold.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { AdminKey } from '../database/store.ts'
import type { AdminDependencies, AdminEnv } from './admin-env.ts'
import { createApiKey } from './api-key.ts'
import { CREDENTIAL_STATES, credentialState } from './credential-state.ts'
import { etagOf, notModified } from './etag.ts'
import { optionalLifetimeSchema } from './lifetime.ts'
import {
  body,
  ETAG_HEADER,
  ifNoneMatchHeader,
  json,
  NOT_MODIFIED,
  operation,
  timestamp,
} from './operation.ts'
import { flagQuery, pageBody, pageOf, pageQuery } from './page.ts'
import { RequestError } from './problem.ts'
import { includes, SCOPES } from './scope.ts'

const name = z.string().min(1).max(255).openapi({ description: 'What or who it is for.', example: 'deploy' })
const keyFields = {
  id: z.string(),
  name,
  prefix: z.string().openapi({ description: 'First characters of the key, to tell keys apart.' }),
  scopes: z.array(z.string()),
  state: z.enum(CREDENTIAL_STATES),
  version: z.int(),
  createdAt: timestamp,
  expiresAt: timestamp.nullable(),
  revokedAt: timestamp.nullable(),
  lastUsedAt: timestamp.nullable().openapi({ description: 'To the minute.' }),
} as const
const keySchema = z.strictObject(keyFields).openapi('AdminKey')
const newKeySchema = z
  .strictObject({ ...keyFields, key: z.string().openapi({ description: 'The key. Shown this once.' }) })
  .openapi('CreatedAdminKey')

const keyBody = (row: AdminKey, clock: Clock): z.infer<typeof keySchema> => ({
  id: row.id,
  name: row.name,
  prefix: row.prefix,
  scopes: [...row.scopes],
  state: credentialState(row, clock),
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  expiresAt: row.expiresAt?.toISOString() ?? null,
  revokedAt: row.revokedAt?.toISOString() ?? null,
  lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
})

const params = z.object({ id: z.string().min(1).max(255) })
const tags = ['keys']

const createOperation = operation(
  { permission: 'keys:write', fails: ['payload_too_large', 'unsupported_media_type'] },
  {
    method: 'post',
    path: '/v1/keys',
    operationId: 'createKey',
    tags,
    summary: 'Make an API key',
    description: 'Only scopes that the asking key holds itself.',
    request: {
      body: body(
        z
          .strictObject({
            name,
            scopes: z
              .array(z.enum(SCOPES))
              .max(SCOPES.length)
              .openapi({ description: 'Empty: may do nothing.' }),
            ttl: optionalLifetimeSchema,
          })
          .openapi('NewAdminKey'),
      ),
    },
    responses: { 201: { ...json(newKeySchema, 'The row, with the key itself.'), headers: ETAG_HEADER } },
  },
)
const listOperation = operation(
  { permission: 'keys:read' },
  {
    method: 'get',
    path: '/v1/keys',
    operationId: 'listKeys',
    tags,
    summary: 'List API keys, newest first',
    request: { query: z.strictObject({ ...pageQuery, active: flagQuery('Neither revoked nor expired.') }) },
    responses: { 200: json(pageOf(keySchema, 'AdminKey'), 'A page of keys.') },
  },
)
const readOperation = operation(
  { permission: 'keys:read', fails: ['not_found'] },
  {
    method: 'get',
    path: '/v1/keys/{id}',
    operationId: 'getKey',
    tags,
    summary: 'Read an API key',
    request: { params, headers: ifNoneMatchHeader },
    responses: { 200: { ...json(keySchema, 'The key.'), headers: ETAG_HEADER }, ...NOT_MODIFIED },
  },
)
const revokeOperation = operation(
  { permission: 'keys:write', fails: ['not_found'] },
  {
    method: 'post',
    path: '/v1/keys/{id}/revoke',
    operationId: 'revokeKey',
    tags,
    summary: 'Revoke an API key',
    description: 'It opens nothing from this moment on. Doing it twice is no error.',
    request: { params },
    responses: { 200: { ...json(keySchema, 'The key, revoked.'), headers: ETAG_HEADER } },
  },
)

export function addKeyOperations(app: OpenAPIHono<AdminEnv>, { store, clock }: AdminDependencies): void {
  app.openapi(createOperation, async c => {
    const { name, scopes, ttl } = c.req.valid('json')
    const missing = scopes.flatMap((scope, index) =>
      includes(c.get('key').scopes, scope) ? [] : [{ scope, index }],
    )
    if (missing.length > 0) {
      const names = missing.map(({ scope }) => scope).join(', ')
      throw new RequestError(
        'forbidden',
        `Your key cannot hand out what it does not hold: ${names}.`,
        missing.map(({ index }) => ({ pointer: `/scopes/${index}`, detail: 'Your key does not hold it.' })),
      )
    }
    const { key, prefix, hash } = createApiKey()
    const expiresAt = ttl === undefined ? null : new Date(clock.wallTime() + ttl * 1000)
    const row = await store.adminKeys.create(
      { name, prefix, hash, scopes: [...new Set(scopes)], expiresAt },
      { actor: c.get('actor') },
    )
    c.header('Location', `/v1/keys/${row.id}`)
    c.header('ETag', etagOf(row))
    return c.json({ ...keyBody(row, clock), key }, 201)
  })
  app.openapi(listOperation, async c => {
    const page = await store.adminKeys.list(c.req.valid('query'))
    return c.json(
      pageBody(c, page, row => keyBody(row, clock)),
      200,
    )
  })
  app.openapi(readOperation, async c => {
    const row = await store.adminKeys.get(c.req.valid('param').id)
    return notModified(c, row) ? c.body(null, 304) : c.json(keyBody(row, clock), 200)
  })
  app.openapi(revokeOperation, async c => {
    const row = await store.adminKeys.revoke(c.req.valid('param').id, { actor: c.get('actor') })
    c.header('ETag', etagOf(row))
    return c.json(keyBody(row, clock), 200)
  })
}
