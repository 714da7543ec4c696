// Admin keys over HTTP. The key is shown once. A key can make, and revoke, only keys that may do no more than itself.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Scope as KeyLimits } from '../../database/store/store.ts'
import { storedText } from '../../database/store/stored-text.ts'
import { scopeProblem } from '../../telephones/tokens/tokens.ts'
import { createApiKey } from '../access/api-key.ts'
import { includesLimits } from '../access/key-limits.ts'
import { includes } from '../access/scope.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { createdKeySchema, keyBody, keySchema, newKeySchema } from '../bodies/key.ts'
import { flagQuery } from '../http/page.ts'
import { RequestError } from '../http/problem.ts'
import { addResource } from './resource.ts'

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
    store: store.adminKeys,
    show: rows => rows.map(row => keyBody(row, clock)),
    list: { order: 'newest first', filters: { active: flagQuery('Neither revoked nor expired.') } },
    create: {
      summary: 'Make an API key',
      description:
        'Only with scopes that the asking key holds itself, within its limits, and until it expires.',
      result: 'The row, with the key itself.',
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
            `Your key cannot hand out what it does not hold: ${names}.`,
            missing.map(({ index }) => ({
              pointer: `/scopes/${index}`,
              detail: 'Your key does not hold it.',
            })),
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
          by,
        )
        return { row, body: { ...keyBody(row, clock), key } }
      },
    },
    revoke: {
      description:
        'It is refused from this moment on. Revoking it twice is no error. The asking key must hold all scopes of the key, ' +
        'and its limits. The last active key with the scope `admin` needs `force`.',
      fails: ['conflict'],
      query: { force: flagQuery('Revoke even the last active key with the scope `admin`.') },
      run: async (id, { force }, { key: own, by }) => {
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
          throw new VeraError(
            'forbidden',
            'Your key cannot revoke a key whose limits are wider than its own.',
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
