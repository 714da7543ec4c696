// The failed and slow requests of all replicas. Each replica keeps its own (observe/requests/failure-ring.ts), so this replica asks the
// others over their links, for a bounded time. The functions that respond to other replicas are here too.

import { z } from '@hono/zod-openapi'
import { backendCause } from '@vera-stack/shared/backend-causes.ts'
import { ERRORS, type ErrorCode, VeraError } from '@vera-stack/shared/errors.ts'
import { type RequestLine, readRequestLine } from '@vera-stack/shared/inspect/request-line.ts'
import { decodeCursor, encodeCursor } from '../../../database/store/values/page.ts'
import { type FailedRequest, remoteFailedRequestSchema } from '../../../observe/requests/failed-request.ts'
import { type FailureRing, newestFirst } from '../../../observe/requests/failure-ring.ts'
import {
  type RequestFilter,
  readRequestFilter,
  requestTest,
} from '../../../observe/requests/request-filter.ts'
import type { MissingReplicas } from '../../bodies/replica.ts'
import type { ExplanationBody, RequestPageBody } from '../../bodies/requests/request.ts'
import { type AskReplicas, askAll } from '../ask-replicas.ts'
import { nextSteps } from './next-step.ts'

const LIST = 'failed-requests'
const FIND = 'failed-request'
/** Requests that a prefix of an id may match in one response. */
const MAX_FOUND = 10
/** Fewest characters of a prefix. */
export const MIN_PREFIX = 8
const MAX_ID = 200

const position = z.tuple([z.string(), z.string()])
const listParams = z.object({
  filter: z.unknown(),
  limit: z.int().min(1).max(501),
  before: position.optional(),
})
const listResponse = z.object({ items: z.array(z.unknown()).max(501) })
const findParams = z.object({ id: z.string().min(1).max(MAX_ID) })
export const findResponse = z.object({ items: z.array(remoteFailedRequestSchema).max(MAX_FOUND) })

export interface RequestViewOptions {
  readonly replicaId: string
  readonly failures: FailureRing
  readonly ask: AskReplicas
}

export class RequestView {
  readonly #options: RequestViewOptions

  constructor(options: RequestViewOptions) {
    this.#options = options
  }

  /** Returns the response to another replica; undefined for an unknown name. Throws for params that it cannot read. */
  respond(name: string, params: unknown): object | undefined {
    if (name === FIND) return { items: this.#options.failures.find(findParams.parse(params).id, MAX_FOUND) }
    if (name !== LIST) return undefined
    const { filter, limit, before } = listParams.parse(params)
    return { items: this.#own(readRequestFilter(filter), limit, before) }
  }

  /** Resolves with a page of the last failed or slow requests, the newest first. */
  async list(filter: RequestFilter, limit: number, cursor: string | undefined): Promise<RequestPageBody> {
    const before = cursor === undefined ? undefined : decodeCursor(position, cursor)
    const params = { filter, limit: limit + 1, before }
    const { values, missing } = await askAll(this.#options.ask, LIST, params, listResponse)
    const { replica } = filter
    const others = values
      .filter(({ replicaId }) => replica === undefined || replica === replicaId)
      .flatMap(({ value }) => value.items)
      .flatMap(item => readRequestLine(item) ?? [])
    const own = this.#own(filter, limit + 1, before)
    const all = [...own, ...others].sort((left, right) => (isNewer(left, right) ? -1 : 1))
    const items = all.slice(0, limit)
    const last = items.at(-1)
    const next = all.length > limit && last !== undefined ? encodeCursor([last.at, last.requestId]) : null
    return {
      items,
      next,
      missingReplicas: missing.filter(({ id }) => replica === undefined || replica === id),
    }
  }

  /** Resolves with the newest request with this id, or with an id that begins with this text. Rejects with VeraError. */
  async explain(id: string): Promise<ExplanationBody> {
    if (id.length < MIN_PREFIX || id.length > MAX_ID) {
      const detail = `Give the request id, or at least its first ${MIN_PREFIX} characters.`
      throw new VeraError('invalid_request', detail, { field: 'requestId' })
    }
    const { values, missing } = await askAll(this.#options.ask, FIND, { id }, findResponse)
    const others = values.flatMap(({ value }) => value.items) as readonly FailedRequest[]
    const found = [...this.#options.failures.find(id, MAX_FOUND), ...others].sort(newestFirst)
    const [newest] = found.filter(({ request }) => request.requestId === id).concat(found)
    if (newest === undefined) throw new VeraError('not_found', notFoundText(missing))
    const ids = new Set(found.map(({ request }) => request.requestId))
    if (newest.request.requestId !== id && ids.size > 1) {
      throw new VeraError(
        'conflict',
        `Several requests begin with this text. Give one of: ${[...ids].join(', ')}`,
      )
    }
    return explained(newest, missing)
  }

  #own(filter: RequestFilter, limit: number, before: z.output<typeof position> | undefined): RequestLine[] {
    const { replicaId, failures } = this.#options
    if (filter.replica !== undefined && filter.replica !== replicaId) return []
    return failures.newest(requestTest(filter), limit, before).map(({ request }) => request)
  }
}

function isNewer(left: RequestLine, right: RequestLine): boolean {
  return left.at === right.at ? left.requestId > right.requestId : left.at > right.at
}

function explained({ request, attempts, lines }: FailedRequest, missing: MissingReplicas): ExplanationBody {
  const { code, cause, status } = request
  return {
    request,
    meaning: meaningOf(request),
    attempts,
    lines,
    next: nextSteps(code, cause ?? attempts.at(-1)?.cause ?? undefined, status),
    missingReplicas: [...missing],
  }
}

function meaningOf({ code, cause, status }: RequestLine): string | null {
  const known =
    code !== undefined && Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode].meaning : undefined
  const meaning = backendCause(cause)?.meaning ?? known
  if (meaning !== undefined) return meaning
  if (status === 499) return 'The client closed the connection before a response began.'
  return status >= 500 ? `The backend responded with the status ${status}.` : null
}

function notFoundText(missing: MissingReplicas): string {
  const others =
    missing.length === 0
      ? ''
      : ` These replicas did not respond, and may have it: ${missing.map(({ id, reason }) => `${id} (${reason})`).join(', ')}.`
  return (
    'No replica has a failed or slow request with this id. It succeeded, or the backend responded with a status below 500; ' +
    'it is older than the last 5,000 such requests of its replica, or than the start of that replica; or another ' +
    `cluster served it.${others}`
  )
}
