// Admin keys over HTTP. A key is shown once. A key can create and revoke only keys that have no more rights than itself.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { CREDENTIAL_SORTS, type Scope as KeyLimits } from '../../../database/store/store.ts'
import { storedText } from '../../../database/store/values/stored-text.ts'
import { scopeProblem } from '../../../telephones/tokens/tokens.ts'
import { createApiKey } from '../../access/api-key-format.ts'
import { includesLimits } from '../../access/key-limits.ts'
import { includes } from '../../access/scope.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { createdKeySchema, keyBody, keySchema, newKeySchema } from '../../bodies/credentials/key.ts'
import { credentialSearch, flagQuery, sortQuery } from '../../http/page.ts'
import { RequestError } from '../../http/problem.ts'
import { addResource, counted } from '../resource.ts'

export function addKeyOperations(app: OpenAPIHono<AdminEnv>, { store, clock }: AdminDependencies): void {
  addResource(app, {
    names: {
      path: '/v1/keys',
      tag: 'keys',
      component: 'AdminKey',
      operationId: ['Key', 'Keys'],
      one: 'key',
      many: 'keys',
      title: ['an API key', 'API keys'],
    },
    id: storedText(1, 255),
    body: keySchema,
    store: { get: store.adminKeys.get, list: counted(store.adminKeys) },
    show: rows => rows.map(row => keyBody(row, clock)),
    list: {
      order: 'newest first',
      filters: {
        q: credentialSearch,
        active: flagQuery('true: only keys that are neither revoked nor expired.'),
        sort: sortQuery(CREDENTIAL_SORTS, '-createdAt'),
      },
    },
    create: {
      summary: 'Create an API key',
      description:
        'The new key has only scopes that the key of the request has too, is within its limits, and does not expire later.',
      result: 'The new key. Only this response contains the key itself.',
      input: newKeySchema,
      body: createdKeySchema,
      run: async (input, { key: own, by }) => {
        const { name, scopes, limits = own.limits, ttl } = input
        const missing = scopes.flatMap((scope, index) =>
          includes(own.scopes, scope) ? [] : [{ scope, index }],
        )
        if (missing.length > 0) {
          const names = missing.map(({ scope }) => scope).join(', ')
          throw new RequestError(
            'forbidden',
            `Your key cannot create a key with scopes that it does not have: ${names}. Remove these scopes, or use a key that has them.`,
            missing.map(({ index }) => ({
              pointer: `/scopes/${index}`,
              detail: 'Your key does not have this scope.',
            })),
          )
        }
        if (!includesLimits(own.limits, limits)) {
          const detail =
            'The limits are beyond the limits of your key. Choose services and mounts within them.'
          throw new RequestError('forbidden', detail, [{ pointer: '/limits', detail }])
        }
        if (limits !== null) refuseUselessLimits(scopes, limits)
        const expiresAt = ttl === undefined ? own.expiresAt : new Date(clock.wallTime() + ttl * 1000)
        if (own.expiresAt !== null && expiresAt !== null && expiresAt > own.expiresAt) {
          const until = own.expiresAt.toISOString()
          throw new RequestError(
            'forbidden',
            `Your key expires at ${until}, so a key that it creates cannot expire later. Choose a shorter ttl.`,
            [{ pointer: '/ttl', detail: `This is later than ${until}.` }],
          )
        }
        const { key, prefix, hash } = createApiKey()
        const row = await store.adminKeys.create(
          { name, prefix, hash, scopes: [...new Set(scopes)], limits, expiresAt },
          by,
        )
        return { row, body: { ...keyBody(row, clock), key } }
      },
    },
    revoke: {
      description:
        'Plugboard refuses the key from this moment on. A second revocation is not an error. The key of the request must have ' +
        'all scopes of the key, and must cover its limits. The last active key with the scope `admin` needs `force`.',
      fails: ['conflict'],
      query: {
        force: flagQuery('true: revoke the key even if it is the last active key with the scope `admin`.'),
      },
      run: async (id, { force }, { key: own, by }) => {
        // Scopes and limits of a key never change.
        const { scopes, limits } = await store.adminKeys.get(id)
        const missing = scopes.filter(scope => !includes(own.scopes, scope))
        if (missing.length > 0) {
          throw new VeraError(
            'forbidden',
            `Your key cannot revoke a key with more scopes: it lacks ${missing.join(', ')}. Use a key that has them.`,
          )
        }
        if (!includesLimits(own.limits, limits)) {
          throw new VeraError(
            'forbidden',
            'Your key cannot revoke a key whose limits are wider than its own. Use a key with wider limits.',
          )
        }
        return await store.adminKeys.revoke(id, by, { force })
      },
    },
  })
}

/** Throws `invalid_request` for limits of a key that cannot have limits, and for patterns that can never match. */
function refuseUselessLimits(scopes: readonly string[], limits: KeyLimits): void {
  if (scopes.includes('admin')) {
    throw new RequestError('invalid_request', 'A key with the scope admin cannot have limits.', [
      {
        pointer: '/limits',
        detail:
          'A key with the scope admin cannot have limits, because it could create a key without limits.',
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
