// The header field `Idempotency-Key` of creations (draft-ietf-httpapi-idempotency-key-header): a client that lost its connection
// sends the request again, and gets the response to the first one. database/store/idempotency.ts stores the keys.

import { createHmac } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { RepeatedRequest } from '../../database/store/idempotency.ts'
import type { IdempotentCreation } from '../../database/store/store.ts'
import type { AdminEnv } from '../admin-env.ts'

const MAX_LENGTH = 255
const QUOTED = '"(?:[ !#-\\[\\]-~]|\\\\["\\\\])+"'
const BARE = '[!#-+\\--~]+'
const FORM = new RegExp(`^(?:${QUOTED}|${BARE})$`)

export const idempotencyHeader = z.looseObject({
  'idempotency-key': z
    .string()
    .max(MAX_LENGTH)
    .regex(FORM, 'is not a key: write a string of visible ASCII characters, such as "8e03978e"')
    .optional()
    .openapi({
      description:
        'A unique text for this request, in quotes; a UUID is best. A repetition within 24 h has no effect, and gets the first ' +
        'response again. When that response had a secret, the repetition gets 409 with the path of the created row. Another request with ' +
        'the same key gets 422.',
      example: '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
    }),
})

/** Error codes of a creation with the header. */
export const IDEMPOTENCY_FAILS = ['conflict', 'idempotency_key_reused'] as const

/** The header of a response that was stored. */
export const REPLAYED_HEADER = {
  'Idempotent-Replayed': {
    description: '`true`: this is the stored response to an earlier request with the same `Idempotency-Key`.',
    schema: { type: 'string' },
  },
} as const

/** Returns the key of the request and how its result is stored. Undefined: the request has no key. */
export async function idempotencyOf<Row>(
  c: Context<AdminEnv>,
  result: (row: Row) => { readonly location: string; readonly body: unknown },
): Promise<IdempotentCreation | undefined> {
  const header = c.req.header('idempotency-key')
  if (header === undefined) return undefined
  const key = header.startsWith('"') ? header.slice(1, -1).replaceAll(/\\(["\\])/g, '$1') : header
  // The body may have passwords. Only a person who has the API key can compute the fingerprint, so it protects them.
  const fingerprint = createHmac('sha256', c.req.header('authorization') ?? '')
    .update(`${c.req.method} ${c.req.path}\n${await c.req.text()}`)
    .digest('hex')
  return {
    key,
    fingerprint,
    result: row => {
      const { location, body } = result(row)
      return { location, body: body === undefined ? null : JSON.stringify(body) }
    },
  }
}

/** Resolves with the response of `create`, or with the stored one when the request was made before. */
export async function replayed(
  c: Context<AdminEnv>,
  etagOf: (body: never) => string | undefined,
  create: () => Promise<Response>,
): Promise<Response> {
  try {
    return await create()
  } catch (error) {
    if (!(error instanceof RepeatedRequest)) throw error
    const etag = etagOf(JSON.parse(error.body) as never)
    if (etag !== undefined) c.header('ETag', etag)
    c.header('Location', error.location)
    c.header('Idempotent-Replayed', 'true')
    c.header('Content-Type', 'application/json')
    return c.body(error.body, 201)
  }
}
