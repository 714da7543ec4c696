// Sends captured requests again. A replay is handled like a client's request: admission, rules of the route, choice of a line, retries. It
// differs in four points: it does not count for rate limits, its backend gets `Plugboard-Replay`, it can be bound to one telephone, and its
// response goes to the inspector only.

import { ERRORS } from '@vera-stack/shared/errors.ts'
import type { ReplayRequest, ReplayResult } from '../../observe/exchanges/replay-types.ts'
import { simulatedRequest } from '../connections/simulated-request.ts'
import type { Admission } from '../edge/admission.ts'
import { hasBody, type RoutedRequest } from '../edge/routed-request.ts'
import { Exchange } from '../exchange/exchange.ts'
import { NO_BODY } from '../exchange/request-body.ts'
import type { RequestPolicy } from '../policy/request-policy.ts'
import type { ProxyContext } from '../proxy-context.ts'
import { noteLocalResponse } from '../report/local-response.ts'
import type { ProxyResponse } from '../response/local-responses.ts'
import { ReplayedBody, ReplayedConnection, ReplayedResponse } from './replayed-client.ts'

/** The field that names the exchange to the backend. A client cannot send it: the edge drops `Plugboard-*`. */
const REPLAY_FIELD = 'Plugboard-Replay'
/** All replays count as this one client, so that together they hold at most the share of one client of each limit. */
const REPLAY_CLIENT = 'replay'
/** Replays in progress on this replica. */
const MAX_ACTIVE = 16
/** A replay that takes longer is ended. Its exchange keeps the part of the response that has arrived. */
const TIMEOUT_MS = 30_000
/** A response with a longer body is ended. */
const MAX_RESPONSE_BYTES = 16 * 1024 * 1024

export interface ReplaysOptions {
  readonly context: ProxyContext
  readonly admission: Admission
  readonly policy: RequestPolicy
}

export class Replays {
  readonly #options: ReplaysOptions
  readonly #active = new Set<{ stop(): void }>()

  constructor(options: ReplaysOptions) {
    this.#options = options
  }

  /** Resolves when the replay has ended. Never rejects. */
  async send(replay: ReplayRequest): Promise<ReplayResult> {
    const { context } = this.#options
    if (context.draining || context.capture === undefined) return { kind: 'unavailable' }
    if (this.#active.size >= MAX_ACTIVE) return { kind: 'busy' }
    const { client, head } = requestOf(replay)
    const admitted = this.#options.admission.admit(head, client, 'http')
    if (admitted.kind !== 'routed') return { kind: 'unrouted', meaning: ERRORS[admitted.code].meaning }
    const { route, opening } = admitted
    if (route.service.id !== replay.serviceId) return { kind: 'other_service', service: route.service.name }
    const { telephone } = replay
    const candidates = context.picker.candidatesOf(route.service.name)
    if (telephone !== undefined && !candidates.some(({ line }) => line.telephone === telephone))
      return { kind: 'no_line' }
    const request = {
      ...admitted,
      replay: { exchange: replay.exchange, telephone },
      opening: { ...opening, client: REPLAY_CLIENT },
    }
    context.capture.start(request, head, replay.rules, replay.exchange)
    const id = await this.#run(request, replay)
    return id === undefined ? { kind: 'not_kept' } : { kind: 'sent', id }
  }

  /** Ends all replays. */
  close(): void {
    for (const active of this.#active) active.stop()
  }

  async #run(request: RoutedRequest, { exchange: id, body }: ReplayRequest): Promise<string | undefined> {
    const { context, policy } = this.#options
    const startedAtMs = context.clock.now()
    context.counters.requests += 1
    let exchange: Exchange | undefined
    let isStopped = false
    const active = {
      stop: () => {
        isStopped = true
        exchange?.clientClosed()
      },
    }
    this.#active.add(active)
    const timer = context.clock.after(TIMEOUT_MS, active.stop)
    try {
      const local: ProxyResponse | undefined = await policy.decide(request, false)
      if (local !== undefined) {
        noteLocalResponse(context, startedAtMs, request.opening.method, request, local)
      } else {
        request.opening.fields.push(REPLAY_FIELD, id)
        const source = hasBody(request) && body !== undefined ? new ReplayedBody(body) : NO_BODY
        const isHead = request.opening.method === 'HEAD'
        const response = new ReplayedResponse(isHead, MAX_RESPONSE_BYTES, () => setImmediate(active.stop))
        exchange = new Exchange(context, new ReplayedConnection(), request, startedAtMs, source, response)
        if (isStopped) exchange.clientClosed()
        else exchange.start()
      }
      return await request.capture?.stored
    } finally {
      timer.cancel()
      this.#active.delete(active)
    }
  }
}

/** Returns the client and the head of the replayed request. */
function requestOf(replay: ReplayRequest): ReturnType<typeof simulatedRequest> {
  const { body, fields } = replay
  const length = body === undefined ? [] : ['Content-Length', String(body.length)]
  return simulatedRequest({ ...replay, fields: [...fields, ...length] })
}
