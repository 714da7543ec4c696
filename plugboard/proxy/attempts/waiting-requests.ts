// Requests that wait for a line: in the queue of their service while all processes are full (`queue`), or while no telephone is
// connected (`holdMs`). A service has one list in the order of arrival. The list is tried again when a stream of the service
// ends, when lines change, and at each check of the first request's deadline. Each request has a timer of its own; the body of a
// waiting request is not read. Services without these keys have no list. A list belongs to the id of its service, because the name
// of a service can change while its requests wait.

import { ClientShares } from '@vera-stack/shared/client-shares.ts'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { ServiceId } from '../../common/ids/row-ids.ts'
import type { ServiceDecisions } from '../../common/service-decisions.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import type { ProxyCounters } from '../counters.ts'
import { hasNoLine, type RequestFailure } from './request-failure.ts'

/** Requests that wait for a telephone at the same time: of one service, and in all. Further ones fail at once. */
const MAX_HELD_OF_SERVICE = 5000
const MAX_HELD = 10_000

/** A request that can wait. */
export interface WaitingRequest {
  readonly serviceId: ServiceId
  /** Name of the service, for texts. */
  readonly service: string
  /** The client of the request; empty: unknown. */
  readonly client: string
  readonly policy: Pick<ServicePolicy, 'queue' | 'holdMs'>
  /** Starts the request. Returns the error code when no line takes it. */
  tryStart(): ErrorCode | undefined
  /** Fails the request, because it has not started in time. `failure`: undefined: that of the last `tryStart`. */
  waitFailed(code: ErrorCode, failure: RequestFailure | undefined): void
  /** Receives the time of a wait that has ended, before the call that follows from it. */
  waited?(durationMs: number): void
}

/** `queue`: all processes are full. `hold`: no telephone is connected. */
type WaitKind = 'queue' | 'hold'

/** The place of one request in a list. */
export interface WaitingPlace {
  readonly request: WaitingRequest
  kind: WaitKind
  /** The time at which the wait of this kind began. */
  sinceMs: number
  /** The end of the wait of each kind. It stays when the request changes its kind several times, so the wait is bounded. */
  readonly untilMs: Record<WaitKind, number | undefined>
  timer: Timer
}

export type WaitResult =
  | { readonly kind: 'waits'; readonly place: WaitingPlace }
  | { readonly kind: 'refused'; readonly code: ErrorCode }

/** The list of one service. */
interface ServiceList {
  /** In the order of arrival. */
  readonly places: Set<WaitingPlace>
  /** The number of places of each kind, in all and of each client. */
  readonly shares: Readonly<Record<WaitKind, ClientShares>>
  /** True until a planned `#tryAll` has run. */
  planned: boolean
}

export interface WaitingRequestsOptions {
  readonly clock: Clock
  readonly counters: ProxyCounters
  readonly decisions: ServiceDecisions
  /** The share of the places that one client may hold, in percent. */
  readonly clientSharePercent: number
  /** Calls `listener` after a line was added or changed, until the returned function is called. */
  readonly whenLinesChange: (listener: () => void) => () => void
}

export class WaitingRequests {
  readonly #options: WaitingRequestsOptions
  readonly #lists = new Map<ServiceId, ServiceList>()
  #held = 0
  #size = 0
  #unsubscribe: (() => void) | undefined

  constructor(options: WaitingRequestsOptions) {
    this.#options = options
  }

  /** The number of requests that wait now. */
  get size(): number {
    return this.#size
  }

  /** Returns the number of requests of the service that wait now, by kind. */
  waitingOf(service: ServiceId): Readonly<Record<WaitKind, number>> {
    const shares = this.#lists.get(service)?.shares
    return { queue: shares?.queue.held ?? 0, hold: shares?.hold.held ?? 0 }
  }

  /** Returns the error for which requests of the service wait, because a new request waits behind them; undefined: none waits. */
  errorOf(service: ServiceId): ErrorCode | undefined {
    const [first] = this.#lists.get(service)?.places ?? []
    if (first === undefined) return undefined
    return first.kind === 'queue' ? 'overloaded' : 'no_telephone'
  }

  /** Lets the request wait. Refuses it when its policy does not let it wait after this error, or when there is no place. */
  add(request: WaitingRequest, code: ErrorCode): WaitResult {
    const kind = kindAfter(code, request.policy)
    if (kind === undefined) return { kind: 'refused', code }
    const known = this.#lists.get(request.serviceId)
    const list = known ?? this.#newList()
    const { counters, decisions } = this.#options
    if (!this.#hasRoom(list, kind, request.policy)) {
      if (kind === 'queue') {
        counters.queueFull += 1
        decisions.of(request.serviceId).queueFull += 1
      }
      return { kind: 'refused', code }
    }
    if (!list.shares[kind].allows(request.client, capacityOf(kind, request.policy)))
      return { kind: 'refused', code: kind === 'queue' ? 'concurrency_limited' : code }
    if (known === undefined) this.#lists.set(request.serviceId, list)
    this.#unsubscribe ??= this.#options.whenLinesChange(() => this.#linesChanged())
    const place: WaitingPlace = {
      request,
      kind,
      sinceMs: 0,
      untilMs: { queue: undefined, hold: undefined },
      timer: NO_TIMER,
    }
    list.places.add(place)
    this.#size += 1
    this.#beginWait(list, place, kind)
    return { kind: 'waits', place }
  }

  /** Removes a request that has ended. No effect when it does not wait. */
  remove(place: WaitingPlace): void {
    const { serviceId } = place.request
    const list = this.#lists.get(serviceId)
    if (list === undefined || !list.places.delete(place)) return
    this.#endWait(list, place)
    this.#size -= 1
    if (list.places.size === 0) this.#lists.delete(serviceId)
    if (this.#size > 0) return
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
  }

  /** Call when a stream of the service has ended. */
  streamEnded(service: ServiceId): void {
    this.#plan(service)
  }

  /** Call at each check of the request's deadline: a line can become usable without an event. */
  check({ request }: WaitingPlace): void {
    const [first] = this.#lists.get(request.serviceId)?.places ?? []
    if (first?.request === request) this.#plan(request.serviceId)
  }

  #linesChanged(): void {
    for (const service of this.#lists.keys()) this.#plan(service)
  }

  /** Tries the list after the current event, because its handler may still change lines and counts. */
  #plan(service: ServiceId): void {
    const list = this.#lists.get(service)
    if (list === undefined || list.planned) return
    list.planned = true
    queueMicrotask(() => {
      list.planned = false
      this.#tryAll(list)
    })
  }

  /** Starts the requests in order, until no line takes the next one. */
  #tryAll(list: ServiceList): void {
    /** Clients that hold their share of the streams of the service. */
    const limited = new Set<string>()
    for (const place of list.places) {
      const { client } = place.request
      if (limited.has(client)) continue
      const code = place.request.tryStart()
      if (code === 'concurrency_limited' && place.kind === 'queue') {
        limited.add(client)
        continue
      }
      const { kind } = place
      if (code !== undefined && this.#stays(list, place, code)) {
        if (place.kind !== kind) this.#changeKinds(list, code)
        return
      }
      this.remove(place)
      if (code !== undefined) place.request.waitFailed(code, undefined)
    }
  }

  /** Applies to all requests the change from a missing telephone to full ones, or the reverse. */
  #changeKinds(list: ServiceList, code: ErrorCode): void {
    for (const place of list.places) {
      if (this.#stays(list, place, code)) continue
      this.remove(place)
      place.request.waitFailed(code, undefined)
    }
  }

  /** Returns true when the request waits on after this error, in the same list. */
  #stays(list: ServiceList, place: WaitingPlace, code: ErrorCode): boolean {
    if (place.kind === 'queue' ? code === 'overloaded' : hasNoLine(code)) return true
    const kind = kindAfter(code, place.request.policy)
    if (kind === undefined || !this.#hasRoom(list, kind, place.request.policy)) return false
    const untilMs = place.untilMs[kind]
    if (untilMs !== undefined && untilMs <= this.#options.clock.now()) return false
    this.#endWait(list, place)
    this.#beginWait(list, place, kind)
    return true
  }

  #endWait(list: ServiceList, place: WaitingPlace): void {
    const { kind, timer, request } = place
    timer.cancel()
    list.shares[kind].remove(request.client)
    if (kind === 'hold') this.#held -= 1
    this.#countWait(place)
  }

  /** Counts the end of a wait, with its time. */
  #countWait({ kind, sinceMs, request }: WaitingPlace): void {
    const { clock, decisions } = this.#options
    const waitedMs = clock.now() - sinceMs
    const counts = decisions.of(request.serviceId)
    request.waited?.(waitedMs)
    if (kind === 'queue') {
      counts.queueWaits += 1
      counts.queueWaitMs += waitedMs
    } else {
      counts.holdWaits += 1
      counts.holdWaitMs += waitedMs
    }
  }

  #beginWait(list: ServiceList, place: WaitingPlace, kind: WaitKind): void {
    const { clock, counters } = this.#options
    const { queue, holdMs } = place.request.policy
    const nowMs = clock.now()
    place.kind = kind
    place.sinceMs = nowMs
    list.shares[kind].add(place.request.client)
    if (kind === 'hold') this.#held += 1
    const waitMs = kind === 'queue' ? (queue?.timeoutMs ?? 0) : holdMs
    let untilMs = place.untilMs[kind]
    if (untilMs === undefined) {
      untilMs = nowMs + waitMs
      place.untilMs[kind] = untilMs
      counters[kind === 'queue' ? 'queued' : 'held'] += 1
    }
    place.timer = clock.after(untilMs - nowMs, () => this.#elapsed(place, waitMs))
  }

  #elapsed(place: WaitingPlace, waitMs: number): void {
    const { request, kind } = place
    this.remove(place)
    const timeouts = kind === 'queue' ? 'queueTimeouts' : 'holdTimeouts'
    this.#options.counters[timeouts] += 1
    this.#options.decisions.of(request.serviceId)[timeouts] += 1
    const [code, cause, key] =
      kind === 'queue'
        ? (['overloaded', 'queue_timeout', 'queue.timeoutMs'] as const)
        : (['no_telephone', 'hold_timeout', 'holdMs'] as const)
    const detail = `The request waited ${waitMs / 1000} s for a telephone of service "${request.service}" (${key} of the service).`
    request.waitFailed(code, { cause, detail })
  }

  #hasRoom(list: ServiceList, kind: WaitKind, policy: WaitingRequest['policy']): boolean {
    if (kind === 'hold' && this.#held >= MAX_HELD) return false
    return list.shares[kind].held < capacityOf(kind, policy)
  }

  #newList(): ServiceList {
    const { clientSharePercent: percent } = this.#options
    return {
      places: new Set(),
      shares: { queue: new ClientShares(percent), hold: new ClientShares(percent) },
      planned: false,
    }
  }
}

function capacityOf(kind: WaitKind, { queue }: WaitingRequest['policy']): number {
  return kind === 'queue' ? (queue?.max ?? 0) : MAX_HELD_OF_SERVICE
}

const NO_TIMER: Timer = { cancel: () => undefined }

function kindAfter(code: ErrorCode, { queue, holdMs }: WaitingRequest['policy']): WaitKind | undefined {
  if (code === 'overloaded' && queue !== null) return 'queue'
  return code === 'no_telephone' && holdMs > 0 ? 'hold' : undefined
}
