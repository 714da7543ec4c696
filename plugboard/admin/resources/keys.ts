// Admin keys over HTTP. The key is shown once. A key can make, and revoke, only keys that may do no more than itself.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Scope as KeyLimits } from '../../database/store/store.ts'
import { storedText } from '../../database/store/stored-text.ts'
import { scopeProblem } from '../../telephones/tokens/tokens.ts'
import { createApiKey } from '../access/api-key.ts'
import { includesLimits } from '../access/key-limits.ts'
import { includes } from '../access/scope.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { createdKeySchema, keyBody, keySchema, newKeySchema } from '../bodies/key.ts'
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
import { RequestError } from '../http/problem.ts'

const params = z.object({ id: storedText(1, 255) })
const tags = ['keys']

const createOperation = operation(
  { permission: 'keys:write', fails: ['payload_too_large', 'unsupported_media_type'] },
  {
    method: 'post',
    path: '/v1/keys',
    operationId: 'createKey',
    tags,
    summary: 'Make an API key',
    description:
      'Only with scopes that the asking key holds itself, within its limits, and until it expires.',
    request: {
      body: body(newKeySchema),
    },
    responses: {
      201: { ...json(createdKeySchema, 'The row, with the key itself.'), headers: CREATED_HEADERS },
    },
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
    responses: { 200: pageResponse(keySchema, 'AdminKey', 'A page of keys.') },
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
  { permission: 'keys:write', fails: ['not_found', 'conflict'] },
  {
    method: 'post',
    path: '/v1/keys/{id}/revoke',
    operationId: 'revokeKey',
    tags,
    summary: 'Revoke an API key',
    description:
      'It is refused from this moment on. Revoking it twice is no error. The asking key must hold all scopes of the key, ' +
      'and its limits. The last active key with the scope `admin` needs `force`.',
    request: {
      params,
      query: z.strictObject({ force: flagQuery('Revoke even the last active key with the scope `admin`.') }),
    },
    responses: { 200: { ...json(keySchema, 'The key, revoked.'), headers: ETAG_HEADER } },
  },
)

export function addKeyOperations(app: OpenAPIHono<AdminEnv>, { store, clock }: AdminDependencies): void {
  app.openapi(createOperation, async c => {
    const own = c.get('key')
    const { name, scopes, limits = own.limits, ttl } = c.req.valid('json')
    const missing = scopes.flatMap((scope, index) => (includes(own.scopes, scope) ? [] : [{ scope, index }]))
    if (missing.length > 0) {
      const names = missing.map(({ scope }) => scope).join(', ')
      throw new RequestError(
        'forbidden',
        `Your key cannot hand out what it does not hold: ${names}.`,
        missing.map(({ index }) => ({ pointer: `/scopes/${index}`, detail: 'Your key does not hold it.' })),
      )
    }
    if (!includesLimits(own.limits, limits)) {
      throw new RequestError('forbidden', 'Your key cannot hand out more than its own limits.', [
        { pointer: '/limits', detail: 'These are beyond the limits of your key.' },
      ])
    }
    if (limits !== null) refuseUselessLimits(scopes, limits)
    const expiresAt = ttl === undefined ? own.expiresAt : new Date(clock.wallTime() + ttl * 1000)
    if (own.expiresAt !== null && expiresAt !== null && expiresAt > own.expiresAt) {
      const until = own.expiresAt.toISOString()
      throw new RequestError(
        'forbidden',
        `Your key expires at ${until}, and can make no key that lives longer.`,
        [{ pointer: '/ttl', detail: `This is later than ${until}.` }],
      )
    }
    const { key, prefix, hash } = createApiKey()
    const row = await store.adminKeys.create(
      { name, prefix, hash, scopes: [...new Set(scopes)], limits, expiresAt },
      c.get('by'),
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
    const { id } = c.req.valid('param')
    const own = c.get('key')
    // Scopes and limits of a key never change.
    const { scopes, limits } = await store.adminKeys.get(id)
    const missing = scopes.filter(scope => !includes(own.scopes, scope))
    if (missing.length > 0) {
      throw new VeraError(
        'forbidden',
        `Your key cannot revoke a key that may do more than itself: it lacks ${missing.join(', ')}.`,
      )
    }
    if (!includesLimits(own.limits, limits)) {
      throw new VeraError('forbidden', 'Your key cannot revoke a key whose limits are wider than its own.')
    }
    const { force } = c.req.valid('query')
    const row = await store.adminKeys.revoke(id, c.get('by'), { force })
    c.header('ETag', etagOf(row))
    return c.json(keyBody(row, clock), 200)
  })
}

/** Throws `invalid_request` for limits of a key that cannot have limits, and for patterns that can never match. */
function refuseUselessLimits(scopes: readonly string[], limits: KeyLimits): void {
  if (scopes.includes('admin')) {
    throw new RequestError('invalid_request', 'A key with the scope admin cannot have limits.', [
      {
        pointer: '/limits',
        detail: 'A key with the scope admin cannot have limits: it could make a key without limits.',
      },
    ])
  }
  const problem = scopeProblem(limits)
  if (problem !== undefined) {
    throw new RequestError('invalid_request', problem.message, [
      { pointer: `/limits/${problem.list}/${problem.index}`, detail: problem.message },
    ])
  }
}
