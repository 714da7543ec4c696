// Access lines of refusals before a request was parsed: bytes that are not HTTP, heads that are too slow or too large,
// malformed HTTP/2. Each refusal gets an id, which its response carries as well. Repetitions of one client get only a few
// lines. Further ones are counted and reported in one line, so that an attack cannot flood the log.

import type { Timer } from '@vera-stack/shared/clock.ts'
import { ERRORS, type ErrorCode } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { UuidV7 } from '../../common/ids/uuid-v7.ts'
import { addressGroup } from '../../common/net/address-group.ts'
import type { RequestMetrics } from '../../metrics/request-metrics.ts'
import { countProblem, type ProxyCounters } from '../counters.ts'
import { type ReportContext, reportFinished, withoutAttempt } from './finished-request.ts'

export interface RefusalLogOptions extends ReportContext {
  readonly ids: UuidV7
  readonly counters: ProxyCounters
  /** Counts the refusals that have no report. */
  readonly metrics?: RequestMetrics | undefined
  readonly log: Logger
}

export interface RefusedRequest {
  readonly clientAddress: string
  readonly code: ErrorCode
  /** The error text of the parser, without text of the client. */
  readonly detail: string | undefined
  /** The time of the clock since which its first byte could arrive. Undefined when it is unknown; the duration is then 0. */
  readonly startedAtMs?: number | undefined
  /** Default: a new id. */
  readonly requestId?: string | undefined
  readonly method?: string | undefined
  /** The scheme of the connection. */
  readonly proto: string
  /** Bytes of the response's body. Default 0. */
  readonly bytesOut?: number | undefined
}

/** Refusals of one client (IPv6: /64) with the same code. */
interface Repeated {
  readonly group: string | undefined
  readonly code: ErrorCode
  lines: number
  unwritten: number
}

const WINDOW_MS = 10_000
/** Limits for lines within a window: for one client with one code, and for all clients. */
const MAX_LINES_PER_CLIENT = 10
const MAX_LINES = 200
/** The number of pairs of client and code that are counted separately. All others are counted by code only. */
const MAX_COUNTED = 100

export class RefusalLog {
  readonly #options: RefusalLogOptions
  readonly #repeated = new Map<string, Repeated>()
  #lines = 0
  #timer: Timer | undefined

  constructor(options: RefusalLogOptions) {
    this.#options = options
  }

  /** Returns the id for the response. */
  newId(): string {
    return this.#options.ids.next()
  }

  /** Counts the refusal, and writes its access line unless there are too many. */
  note(refused: RefusedRequest): void {
    const { clientAddress, proto, code, detail, requestId, method = '', bytesOut = 0 } = refused
    const { counters, metrics, clock } = this.#options
    const { status } = ERRORS[code]
    const nowMs = clock.now()
    const { startedAtMs = nowMs } = refused
    countProblem(counters, code)
    const repeated = this.#count(addressGroup(clientAddress), code)
    if (repeated.lines >= MAX_LINES_PER_CLIENT || this.#lines >= MAX_LINES) {
      repeated.unwritten += 1
      metrics?.finished(undefined, method, proto, status, code, nowMs - startedAtMs, 0, bytesOut)
      return
    }
    repeated.lines += 1
    this.#lines += 1
    const finished = withoutAttempt({
      facts: { requestId: requestId ?? this.newId(), clientAddress, proto, host: '', path: '' },
      method,
      route: undefined,
      startedAtMs,
      status,
      code,
      bytesOut,
      failure: { cause: undefined, detail },
    })
    reportFinished(this.#options, finished)
  }

  /** Reports the refusals that were counted but got no access line. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const { log } = this.#options
    for (const { group, code, unwritten } of this.#repeated.values()) {
      if (unwritten === 0) continue
      const fields = { remoteAddress: group, code, count: unwritten }
      log.warn('further refused requests, not logged individually', fields)
    }
    this.#repeated.clear()
    this.#lines = 0
  }

  #count(group: string, code: ErrorCode): Repeated {
    this.#timer ??= this.#options.clock.after(WINDOW_MS, () => this.flush())
    const key = `${code} ${group}`
    const known = this.#repeated.get(key)
    if (known !== undefined) return known
    return this.#repeated.size < MAX_COUNTED ? this.#add(key, group, code) : this.#others(code)
  }

  #others(code: ErrorCode): Repeated {
    return this.#repeated.get(code) ?? this.#add(code, undefined, code)
  }

  #add(key: string, group: string | undefined, code: ErrorCode): Repeated {
    const repeated = { group, code, lines: 0, unwritten: 0 }
    this.#repeated.set(key, repeated)
    return repeated
  }
}
