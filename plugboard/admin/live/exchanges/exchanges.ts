// The captured exchanges of the inspector over HTTP: the list, also as an event stream, and one exchange in several formats.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { CapturedExchange } from '@vera-stack/shared/inspect/captured-exchange.ts'
import { curlText } from '@vera-stack/shared/inspect/curl-text.ts'
import { harOf } from '@vera-stack/shared/inspect/har.ts'
import { asServiceId } from '../../../common/ids/row-ids.ts'
import { limitOf } from '../../../database/store/values/page.ts'
import { storedText } from '../../../database/store/values/stored-text.ts'
import type { ObserveViewer } from '../../../observe/stream/observe-viewer.ts'
import type { DirectoryService } from '../../../routes/directory.ts'
import { refuseBeyondLimits } from '../../access/key-limits.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { exchangePageSchema, exchangeQuery, exchangeSchema } from '../../bodies/requests/exchange.ts'
import type { EventStreams } from '../../http/event-streams.ts'
import { json, LINK_HEADER, operation } from '../../http/openapi.ts'
import { linkToNext } from '../../http/page.ts'
import { namedService } from '../named-service.ts'
import { streamLive } from '../requests/live-stream.ts'
import { InspectionLog } from './inspection-log.ts'

const tags = ['exchanges']

const listOperation = operation(
  { permission: 'traffic:read', fails: ['not_found', 'overloaded', 'concurrency_limited'] },
  {
    method: 'get',
    path: '/v1/services/{id}/exchanges',
    operationId: 'listExchanges',
    tags,
    summary: 'List the captured exchanges of a service on all replicas, newest first',
    description:
      'The inspector (`inspect` of the policy) captures them. With `Accept: text/event-stream`, the response is a stream of new ' +
      'exchanges. The event `exchange` has an ExchangeSummary. A WebSocket or an event stream has one event at its start, and ' +
      'another one at its end. The events `replicas` and `dropped` are those of `/v1/requests/stream`. Reading is recorded in the ' +
      'change log, with one entry for each key, service and hour.',
    request: {
      params: z.object({
        id: storedText(1, 63, 'shop').openapi({
          description: 'The name or the id of the service.',
          example: 'shop',
        }),
      }),
      query: exchangeQuery,
    },
    responses: {
      200: {
        description: 'A page of exchanges, or events.',
        content: {
          'application/json': { schema: exchangePageSchema },
          'text/event-stream': { schema: z.string() },
        },
        headers: LINK_HEADER,
      },
    },
  },
)

export const exchangeParams = z.strictObject({
  id: z.string().min(1).max(64).openapi({
    description: 'The id of the exchange, from the list.',
    example: '0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e',
  }),
})

const getOperation = operation(
  { permission: 'traffic:read', fails: ['not_found'] },
  {
    method: 'get',
    path: '/v1/exchanges/{id}',
    operationId: 'getExchange',
    tags,
    summary: 'Show an exchange, or export it as HAR or as a curl command',
    description: 'Reading is recorded in the change log, with one entry for each key, service and hour.',
    request: {
      params: exchangeParams,
      query: z.strictObject({
        format: z.enum(['json', 'har', 'curl']).optional().openapi({
          default: 'json',
          description: '`har`: HAR 1.2. `curl`: a command without the masked fields, as text.',
        }),
      }),
    },
    responses: {
      200: {
        ...json(z.union([exchangeSchema, z.looseObject({ log: z.looseObject({}) })]), 'The exchange.'),
        content: {
          'application/json': {
            schema: z.union([exchangeSchema, z.looseObject({ log: z.looseObject({}) })]),
          },
          'text/plain': { schema: z.string() },
        },
      },
    },
  },
)

/** Checks and records access to exchanges. */
export class ExchangeAccess {
  readonly #directory: AdminDependencies['directory']
  readonly log: InspectionLog

  constructor({ store, directory, clock }: AdminDependencies) {
    this.#directory = directory
    this.log = new InspectionLog(store.inspections, clock)
  }

  /** Returns the service with this name or id. Throws `not_found`, and `forbidden` for a service beyond the limits of the key. */
  service(text: string, key: AdminEnv['Variables']['key']): DirectoryService {
    const service = namedService(this.#directory, text)
    refuseBeyondLimits(key, { services: [service.name] })
    return service
  }

  /** Returns the service of the exchange. */
  serviceOf({ serviceId }: CapturedExchange, key: AdminEnv['Variables']['key']): DirectoryService {
    const service = this.#directory.service(asServiceId(serviceId))
    if (service === undefined)
      throw new VeraError('not_found', 'The service of this exchange has been deleted.')
    refuseBeyondLimits(key, { services: [service.name] })
    return service
  }
}

export function addExchangeOperations(
  app: OpenAPIHono<AdminEnv>,
  deps: AdminDependencies,
  access: ExchangeAccess,
  { streams, stopping }: { readonly streams: EventStreams; readonly stopping: AbortSignal },
): void {
  const { exchanges, liveLog, clock } = deps

  app.openapi(listOperation, async c => {
    const key = c.get('key')
    const service = access.service(c.req.valid('param').id, key)
    const { limit, cursor, ...filter } = c.req.valid('query')
    await access.log.read(service, key, c.get('by'))
    if (wantsEvents(c.req.header('accept'))) {
      const onEnd = streams.open(key.id)
      const params = { serviceId: service.id, filter }
      const watch = (viewer: ObserveViewer) => liveLog.watchExchanges(params, viewer)
      return streamLive(c, deps, { event: 'exchange', watch, stopping, onEnd }) as never
    }
    const page = await exchanges.list(service.id, filter, limitOf({ limit }), cursor)
    linkToNext(c, page.next)
    const until = service.policy.inspect?.until
    const isOn = until !== undefined && Date.parse(until) > clock.wallTime()
    return c.json({ ...page, items: [...page.items], inspectedUntil: isOn ? until : null }, 200)
  })

  app.openapi(getOperation, async c => {
    const key = c.get('key')
    const exchange = await exchanges.get(c.req.valid('param').id)
    await access.log.read(access.serviceOf(exchange, key), key, c.get('by'))
    switch (c.req.valid('query').format) {
      case 'har':
        return c.json(harOf(exchange, deps.version), 200)
      case 'curl':
        return c.text(curlText(exchange), 200)
      default:
        return c.json(exchange, 200)
    }
  })
}

function wantsEvents(accept: string | undefined): boolean {
  return accept !== undefined && /(?:^|,)\s{0,16}text\/event-stream\b/i.test(accept)
}
