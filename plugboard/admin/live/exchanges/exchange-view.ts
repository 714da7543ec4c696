// The captured exchanges of all replicas. Each replica keeps its own (shared/inspect/exchange-ring.ts), so this replica asks the others
// over their links, for a bounded time. The functions that respond to other replicas are here too.

import { z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import {
  type CapturedExchange,
  type ExchangeSummary,
  readExchangeSummary,
  remoteExchangeSchema,
} from '@vera-stack/shared/inspect/captured-exchange.ts'
import type { ExchangeRing } from '@vera-stack/shared/inspect/exchange-ring.ts'
import { decodeCursor, encodeCursor } from '../../../database/store/values/page.ts'
import {
  type ExchangeFilter,
  type ExchangeParams,
  exchangeTest,
  readExchangeParams,
} from '../../../observe/exchanges/exchange-filter.ts'
import type { MissingReplicas } from '../../bodies/replica.ts'
import { type AskReplicas, askAll } from '../ask-replicas.ts'

const LIST = 'exchanges'
const FIND = 'exchange'
/** Most exchanges of one service on one replica, and most characters of an id. */
const MAX_LISTED = 501
const MAX_ID = 64

const position = z.tuple([z.string(), z.string()])
type Position = z.output<typeof position>
const listParams = z.object({
  params: z.unknown(),
  limit: z.int().min(1).max(MAX_LISTED),
  before: position.optional(),
})
const listResponse = z.object({ items: z.array(z.unknown()).max(MAX_LISTED) })
const findParams = z.object({ id: z.string().min(1).max(MAX_ID) })
export const exchangeResponse = z.object({ exchange: remoteExchangeSchema.nullable() })

export interface ExchangeViewOptions {
  readonly replicaId: string
  readonly ring: Pick<ExchangeRing, 'ofService' | 'get'>
  readonly ask: AskReplicas
}

export interface ExchangeList {
  readonly items: readonly ExchangeSummary[]
  /** Cursor of the next page; null: this is the last one. */
  readonly next: string | null
  readonly missingReplicas: MissingReplicas
}

export class ExchangeView {
  readonly #options: ExchangeViewOptions

  constructor(options: ExchangeViewOptions) {
    this.#options = options
  }

  /** Returns the response to another replica; undefined for an unknown name. Throws for params that it cannot read. */
  respond(name: string, params: unknown): object | undefined {
    if (name === FIND) return { exchange: this.#options.ring.get(findParams.parse(params).id) ?? null }
    if (name !== LIST) return undefined
    const { params: wanted, limit, before } = listParams.parse(params)
    return { items: this.#own(readExchangeParams(wanted), limit, before) }
  }

  /** Resolves with a page of the exchanges of a service, the newest first. */
  async list(
    serviceId: string,
    filter: ExchangeFilter,
    limit: number,
    cursor: string | undefined,
  ): Promise<ExchangeList> {
    const before = cursor === undefined ? undefined : decodeCursor(position, cursor)
    const wanted = { serviceId, filter }
    const params = { params: wanted, limit: limit + 1, before }
    const { values, missing } = await askAll(this.#options.ask, LIST, params, listResponse)
    const isAsked = (id: string) => filter.replica === undefined || filter.replica === id
    const others = values
      .filter(({ replicaId }) => isAsked(replicaId))
      .flatMap(({ value }) => value.items)
      .flatMap(item => readExchangeSummary(item) ?? [])
    const all = [...this.#own(wanted, limit + 1, before), ...others].sort(newestFirst)
    const items = all.slice(0, limit)
    const last = items.at(-1)
    const next = all.length > limit && last !== undefined ? encodeCursor([...positionOf(last)]) : null
    return { items, next, missingReplicas: missing.filter(({ id }) => isAsked(id)) }
  }

  /** Resolves with the exchange. Rejects with VeraError. */
  async get(id: string): Promise<CapturedExchange> {
    const own = this.#options.ring.get(id)
    if (own !== undefined) return own
    const { values, missing } = await askAll(this.#options.ask, FIND, { id }, exchangeResponse)
    for (const { value } of values) if (value.exchange !== null) return value.exchange
    throw new VeraError('not_found', notFoundText(missing))
  }

  #own(params: ExchangeParams, limit: number, before: Position | undefined): ExchangeSummary[] {
    const { replicaId, ring } = this.#options
    const { replica } = params.filter
    if (replica !== undefined && replica !== replicaId) return []
    const test = exchangeTest(params)
    return ring
      .ofService(params.serviceId)
      .filter(each => test(each) && (before === undefined || isAfter(before, positionOf(each))))
      .sort(newestFirst)
      .slice(0, limit)
  }
}

/** The position in a list: the newest exchanges are first. Exchanges of the same time are in the order of their ids. */
function positionOf({ id, request }: ExchangeSummary): Position {
  return [request.at, id]
}

function newestFirst(left: ExchangeSummary, right: ExchangeSummary): number {
  return isAfter(positionOf(left), positionOf(right)) ? -1 : 1
}

function isAfter([leftAt, leftId]: Position, [rightAt, rightId]: Position): boolean {
  return leftAt === rightAt ? leftId > rightId : leftAt > rightAt
}

function notFoundText(missing: MissingReplicas): string {
  const others =
    missing.length === 0
      ? ''
      : ` These replicas did not respond, and may have it: ${missing.map(({ id, reason }) => `${id} (${reason})`).join(', ')}.`
  return (
    'No replica has an exchange with this id. Each replica keeps the newest 200 exchanges of a service, for at most 24 h, in at ' +
    `most 32 MiB; a restart removes them.${others}`
  )
}
