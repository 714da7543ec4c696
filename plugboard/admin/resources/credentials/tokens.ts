// Tokens of telephones over HTTP. Only the response to the issue of a token has the JWT. Lists show the rights of each token.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { asTokenId } from '../../../common/ids/row-ids.ts'
import { placeOf } from '../../../common/tokens/token-place.ts'
import { CREDENTIAL_SORTS, type Token } from '../../../database/store/store.ts'
import { storedText } from '../../../database/store/values/stored-text.ts'
import { atField, refuseBeyondLimits } from '../../access/key-limits.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import {
  issuedTokenSchema,
  newTokenSchema,
  type TokenBody,
  tokenBody,
  tokenSchema,
} from '../../bodies/credentials/token.ts'
import { credentialSearch, flagQuery, sortQuery } from '../../http/page.ts'
import { addResource, counted } from '../resource.ts'

export function addTokenOperations(app: OpenAPIHono<AdminEnv>, deps: AdminDependencies): void {
  const { store, tokens } = deps
  const show = async (rows: readonly Token[]): Promise<TokenBody[]> => {
    const claims = await store.tokens.claimCounts(rows.map(({ id }) => id))
    return rows.map(row => tokenBody(row, claims, deps))
  }
  addResource(app, {
    names: {
      path: '/v1/tokens',
      tag: 'tokens',
      component: 'Token',
      operationId: ['Token', 'Tokens'],
      one: 'token',
      many: 'tokens',
    },
    id: storedText(1, 255),
    body: tokenSchema,
    store: { get: id => store.tokens.get(asTokenId(id)), list: counted(store.tokens) },
    show,
    list: {
      order: 'newest first',
      filters: {
        q: credentialSearch,
        active: flagQuery('true: only tokens that are neither revoked nor expired.'),
        sort: sortQuery(CREDENTIAL_SORTS, '-createdAt'),
      },
    },
    create: {
      operationId: 'issueToken',
      summary: 'Issue a token for a telephone',
      description:
        'A telephone with a token for a service receives traffic of this service. So a key with this scope and without limits ' +
        'can redirect all traffic.',
      result: 'The new token. Only this response contains the JWT.',
      input: newTokenSchema,
      body: issuedTokenSchema,
      run: async ({ name, services = [], mounts = [], limits, ttl }, { key, by }) => {
        refuseBeyondLimits(key, { services, mounts, pointer: atField })
        const { row, token } = await tokens.issue({ name, services, mounts, limits, ttlSeconds: ttl }, by)
        const claims = await store.tokens.claimCounts([row.id])
        return {
          row,
          body: {
            ...tokenBody(row, claims, deps),
            token,
            place: placeOf(row),
            plugboardUrl: deps.plugboardUrl(),
          },
        }
      },
    },
    revoke: {
      description:
        'Plugboard closes the tunnels with this token on every replica at once. A second revocation is not an error.',
      run: async (id, _query, { key, by }) => {
        const tokenId = asTokenId(id)
        if (key.limits !== null) refuseBeyondLimits(key, await store.tokens.get(tokenId))
        return await tokens.revoke(tokenId, by)
      },
    },
  })
}
