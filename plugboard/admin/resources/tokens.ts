// Tokens of telephones over HTTP. The JWT is shown once, when it is issued; what is listed is who may do what.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Token } from '../../database/store/store.ts'
import { storedText } from '../../database/store/stored-text.ts'
import { atField, refuseBeyondLimits } from '../access/key-limits.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { issuedTokenSchema, newTokenSchema, tokenBody, tokenSchema } from '../bodies/token.ts'
import { etagOf, notModified } from '../http/etag.ts'
import {
  body,
  CREATED_HEADERS,
  ETAG_HEADER,
  ifNoneMatchHeader,
  json,
  NOT_MODIFIED,
  operation,
} from '../http/operation.ts'
import { flagQuery, pageBody, pageQuery, pageResponse } from '../http/page.ts'

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
      body: body(newTokenSchema),
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
