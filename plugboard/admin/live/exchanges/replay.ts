// `POST /v1/exchanges/{id}/replay`: sends a captured request again, and compares the responses.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { ReplayRequest, ReplayResult } from '../../../observe/exchanges/replay-types.ts'
import { refuseWithout } from '../../access/permission.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { replayedSchema, replayInputSchema } from '../../bodies/requests/replay.ts'
import { body, json, operation } from '../../http/openapi.ts'
import { type ExchangeAccess, exchangeParams } from './exchanges.ts'
import { replayPlan } from './replay-plan.ts'
import { responseDiff } from './response-diff.ts'

/** The rules for a service whose policy has no inspector. */
const DEFAULT_RULES = { maxBodyBytes: 65_536, maskJson: [] }

const replayOperation = operation(
  {
    permission: 'traffic:replay',
    fails: ['not_found', 'conflict', 'overloaded', 'payload_too_large', 'unsupported_media_type'],
  },
  {
    method: 'post',
    path: '/v1/exchanges/{id}/replay',
    operationId: 'replayExchange',
    tags: ['exchanges'],
    summary: 'Send a captured request again, and compare the responses',
    description:
      'Plugboard handles it like a request of a client: rules of its route, choice of a telephone, retries. It does not count for ' +
      'rate limits. Masked values are left out unless the body of this operation sets them. The backend gets ' +
      '`Plugboard-Replay` with the id of the exchange. The ' +
      'response comes at the end of the replay, after 30 s at most. The change log has an entry for each replay. ' +
      'Also needs the scope `traffic:read`.',
    request: { params: exchangeParams, body: body(replayInputSchema) },
    responses: { 200: json(replayedSchema, 'The new exchange, and the differences between the responses.') },
  },
)

export function addReplayOperation(
  app: OpenAPIHono<AdminEnv>,
  { exchanges, replay }: AdminDependencies,
  access: ExchangeAccess,
): void {
  app.openapi(replayOperation, async c => {
    const key = c.get('key')
    // The response shows an exchange.
    refuseWithout('traffic:read', key)
    const original = await exchanges.get(c.req.valid('param').id)
    const service = access.serviceOf(original, key)
    const { request, leftOut } = replayPlan(
      original,
      c.req.valid('json'),
      service.policy.inspect ?? DEFAULT_RULES,
    )
    await access.log.replay(service, original.id, c.get('by'))
    const result = await replay(request)
    if (result.kind !== 'sent') throw failureOf(result, request, service.name)
    const exchange = await exchanges.get(result.id)
    return c.json({ exchange, leftOut: [...leftOut], diff: responseDiff(original.sent, exchange.sent) }, 200)
  })
}

function failureOf(
  result: Exclude<ReplayResult, { readonly kind: 'sent' }>,
  { telephone }: ReplayRequest,
  service: string,
): VeraError {
  switch (result.kind) {
    case 'unrouted':
      return new VeraError(
        'conflict',
        `Plugboard rejects this request before it reaches a service: ${result.meaning}`,
      )
    case 'other_service':
      return new VeraError(
        'conflict',
        `The route of this request now leads to the service "${result.service}", not to "${service}".`,
      )
    case 'no_line':
      return new VeraError(
        'conflict',
        `The telephone "${telephone}" is not connected for the service "${service}".`,
      )
    case 'busy':
      return new VeraError('overloaded', 'Too many replays are in progress on this replica. Try again later.')
    case 'unavailable':
      return new VeraError('overloaded', 'This replica is starting or stopping, so it sends no replay.')
    case 'not_kept':
      return new VeraError(
        'overloaded',
        'The replay has ended, but the inspector is at its limit of memory or of work, and could not keep the exchange. The backend may have received the request.',
      )
  }
}
