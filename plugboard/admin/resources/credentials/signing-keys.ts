// The keys that sign the tokens of telephones: list, rotate and remove over HTTP. Other programs verify tokens with the public
// keys, which are available as a JWKS (RFC 7517). The JWKS is served from memory, so it works without the database.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { SigningKey } from '../../../database/store/store.ts'
import { storedText } from '../../../database/store/values/stored-text.ts'
import { refuseLimitedKey } from '../../access/key-limits.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { signingKeyBody, signingKeySchema } from '../../bodies/credentials/signing-key.ts'
import { jsonObject } from '../../http/formats.ts'
import { json, operation, problems } from '../../http/openapi.ts'
import { isDryRun, writeQuery, writerOf } from '../../writes/dry-run.ts'
import {
  IDEMPOTENCY_FAILS,
  idempotencyHeader,
  idempotencyOf,
  REPLAYED_HEADER,
  replayed,
} from '../../writes/idempotency.ts'

const tags = ['signing keys']

const listOperation = operation(
  { permission: 'keys:read' },
  {
    method: 'get',
    path: '/v1/signing-keys',
    operationId: 'listSigningKeys',
    tags,
    summary: 'List signing keys, newest first',
    responses: {
      200: json(
        z.strictObject({ items: z.array(signingKeySchema) }).openapi('SigningKeys'),
        'All signing keys.',
      ),
    },
  },
)
const rotateOperation = operation(
  { permission: 'keys:write', fails: IDEMPOTENCY_FAILS },
  {
    method: 'post',
    path: '/v1/signing-keys/rotate',
    operationId: 'rotateSigningKey',
    tags,
    summary: 'Create a new signing key',
    description: 'Earlier keys no longer sign tokens. Tokens that they have signed stay valid.',
    request: { query: writeQuery, headers: idempotencyHeader },
    responses: {
      200: json(signingKeySchema, 'With dryRun=true: a key as it would be. It is not stored.'),
      201: { ...json(signingKeySchema, 'The new key.'), headers: REPLAYED_HEADER },
    },
  },
)
const removeOperation = operation(
  { permission: 'admin', fails: ['not_found', 'conflict'] },
  {
    method: 'delete',
    path: '/v1/signing-keys/{kid}',
    operationId: 'removeSigningKey',
    tags,
    summary: 'Remove a signing key',
    description:
      'Plugboard then refuses each token that the key has signed, and closes the tunnels with these tokens.',
    request: {
      query: writeQuery,
      params: z.object({ kid: storedText(1, 255).openapi({ description: 'The id of the signing key.' }) }),
    },
    responses: { 204: { description: 'The signing key is removed.' } },
  },
)

export function addSigningKeyOperations(app: OpenAPIHono<AdminEnv>, deps: AdminDependencies): void {
  const { store, generateSigningKey } = deps
  app.openapi(listOperation, async c => {
    const rows = await store.signingKeys.list()
    return c.json({ items: rows.map(signingKeyBody) }, 200)
  })
  app.openapi(rotateOperation, async c => {
    refuseLimitedKey(c.get('key'), 'The key that signs tokens')
    if (isDryRun(c)) {
      const row = await store.signingKeys.rotate(await generateSigningKey(), writerOf(c))
      return c.json(signingKeyBody(row), 200)
    }
    const idempotency = await idempotencyOf<SigningKey>(c, row => ({
      location: `/v1/signing-keys/${row.kid}`,
      body: signingKeyBody(row),
    }))
    const rotate = async () => {
      const by = { ...writerOf(c), idempotency }
      const row = await store.signingKeys.rotate(await generateSigningKey(), by)
      return c.json(signingKeyBody(row), 201)
    }
    return (await replayed(c, () => undefined, rotate)) as Awaited<ReturnType<typeof rotate>>
  })
  app.openapi(removeOperation, async c => {
    await store.signingKeys.remove(c.req.valid('param').kid, writerOf(c))
    return c.body(null, 204)
  })
}

/** Adds the operation for the JWKS. It is public and needs no credential. */
export function addJwks(app: OpenAPIHono<AdminEnv>, { directory }: AdminDependencies): void {
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/.well-known/jwks.json',
    operationId: 'getJwks',
    tags,
    summary: 'Read the public keys for the verification of tokens',
    security: [],
    responses: {
      200: json(z.strictObject({ keys: z.array(jsonObject) }).openapi('Jwks'), 'A JWK set.'),
      ...problems('forbidden'),
    },
  })
  app.get('/.well-known/jwks.json', c => {
    const keys = directory.verificationKeys().map(({ kid, publicJwk }) => ({
      ...publicJwk,
      kid,
      alg: 'EdDSA',
      use: 'sig',
    }))
    c.header('Cache-Control', 'public, max-age=300')
    return c.json({ keys })
  })
}
