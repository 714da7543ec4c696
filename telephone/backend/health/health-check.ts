// Checks a backend at intervals, so that a Plugboard with several telephones for a service can prefer the telephones
// with a healthy backend. Optional: a service without a check is announced as up.

import { BACKEND_CAUSES } from '@vera-stack/shared/backend-causes.ts'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { HttpTarget } from '@vera-stack/shared/net/backend-target.ts'
import { createClient } from '../backend-client.ts'
import type { BackendClient } from '../backend-exchange.ts'
import { type BackendFailure, failureOf } from '../backend-failure.ts'
import type { ConnectorOptions } from '../connector.ts'
import type { BackendParsing } from '../http1/parser/response-parser.ts'
import { checkGrpcHealth } from './grpc-health.ts'

export interface HealthCheckOptions extends ConnectorOptions {
  readonly target: HttpTarget
  /**
   * `tcp`: a connection is enough; with HTTP/2 the backend must send SETTINGS. A path: GET must return a status from 200
   * to 399. `grpc`, or `grpc:` and the name of a service: the server's health service must respond with SERVING.
   */
  readonly check: string
  readonly intervalMs: number
  readonly clock: Clock
  /** The setting of the service: the check reads responses of the backend as the service does. */
  readonly backendParsing?: BackendParsing
  /** Called after each check with the failure, or with undefined when the check passed. */
  readonly onResult?: (failure: BackendFailure | undefined) => void
  /** `outage` is undefined when the health is `up`. Also called with a changed cause of an outage, at most once a minute. */
  readonly onChange: (health: 'up' | 'down', outage: HealthOutage | undefined) => void
}

/** The reason that a service is down. */
export interface HealthOutage extends BackendFailure {
  /** When the first check failed, milliseconds since 1970. */
  readonly sinceMs: number
}

const TIMEOUT_MS = 5000
/** Probes that may wait for the result of one check. A further one gets no response. */
const MAX_PROBES = 100
/** Failures in a row that are an outage. One failure may be a restart. A failure of the first check counts at once. */
const FAILURES_TO_DOWN = 2
/** Shortest time between two reports of one outage. More announcements would use up the rate limit of the token. */
const CAUSE_CHANGE_MS = 60_000

export class HealthCheck {
  readonly #options: HealthCheckOptions
  #health: 'unknown' | 'up' | 'down' = 'unknown'
  #failures = 0
  #sinceMs = 0
  #reported: string | undefined
  #reportedAtMs = 0
  #timer: Timer | undefined
  #abort: (() => void) | undefined
  #running = false
  /** The probes that wait for the result of the current check. */
  #probes: ((health: 'up' | 'down') => void)[] = []
  #stopped = false

  constructor(options: HealthCheckOptions) {
    this.#options = options
  }

  start(): void {
    this.#run()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#abort?.()
  }

  /**
   * Runs the check now, because requests to the backend fail, and calls `respond` with its result. Then a failure is an outage
   * at once. `onChange` is called before `respond`.
   */
  probe(respond: (health: 'up' | 'down') => void): void {
    if (this.#stopped || this.#probes.length >= MAX_PROBES) return
    this.#probes.push(respond)
    if (this.#running) return
    this.#timer?.cancel()
    this.#run()
  }

  #run(): void {
    const { clock, intervalMs, check } = this.#options
    let over = false
    const finish: Finish = failure => {
      if (over) return
      over = true
      this.#running = false
      this.#timer?.cancel()
      this.#abort?.()
      this.#abort = undefined
      if (this.#stopped) return
      const probes = this.#probes.splice(0)
      this.#evaluate(failure, probes.length > 0)
      this.#options.onResult?.(failure)
      for (const respond of probes) respond(failure === undefined ? 'up' : 'down')
      if (this.#stopped) return
      this.#timer = clock.after(intervalMs, () => this.#run())
    }
    this.#timer = clock.after(TIMEOUT_MS, () =>
      finish(failedCheck(`no response within ${TIMEOUT_MS / 1000} s`)),
    )
    this.#running = true
    this.#abort = this.#begin(check, finish)
  }

  /** `isConfirmed`: true when requests fail too. */
  #evaluate(failure: BackendFailure | undefined, isConfirmed: boolean): void {
    const { clock, onChange } = this.#options
    if (failure === undefined) {
      this.#failures = 0
      this.#reported = undefined
      const wasDown = this.#health === 'down'
      this.#health = 'up'
      // The announcement before the first check has the health `up`.
      if (wasDown) onChange('up', undefined)
      return
    }
    if (this.#failures === 0) this.#sinceMs = clock.wallTime()
    this.#failures += 1
    const first = this.#health === 'unknown'
    if (this.#failures < FAILURES_TO_DOWN && !first && !isConfirmed && this.#health === 'up') return
    const due = this.#health !== 'down' || clock.now() - this.#reportedAtMs >= CAUSE_CHANGE_MS
    this.#health = 'down'
    if (!due || failure.detail === this.#reported) return
    this.#reported = failure.detail
    this.#reportedAtMs = clock.now()
    onChange('down', { ...failure, sinceMs: this.#sinceMs })
  }

  #begin(check: string, finish: Finish): () => void {
    if (check === 'tcp') return this.#connect(finish)
    return check.startsWith('/') ? this.#get(check, finish) : this.#grpc(check.slice('grpc:'.length), finish)
  }

  #connect(finish: Finish): () => void {
    const client = this.#client()
    const stop = client.probe(finish)
    return () => {
      stop()
      client.close()
    }
  }

  #get(path: string, finish: Finish): () => void {
    const client = this.#client()
    const fields = ['User-Agent', 'telephone-health-check', 'Connection', 'close']
    const request = { method: 'GET', target: path, fields, upgrade: false, ended: true }
    const exchange = client.exchange(request, {
      onResponseHead(head) {
        if (head.status >= 200)
          finish(head.status < 400 ? undefined : failedCheck(`${path} returned ${head.status}`))
      },
      onResponseBody: () => undefined,
      onResponseEnd: () => undefined,
      onResponseWaiting: () => undefined,
      onRoom: () => undefined,
      onFailure: error => finish(failureOf(error) ?? failedCheck(error.message)),
    })
    exchange.run()
    return () => {
      exchange.abort()
      client.close()
    }
  }

  #grpc(service: string, finish: Finish): () => void {
    const client = this.#client()
    const done = (problem: string | undefined): void =>
      finish(problem === undefined ? undefined : failedCheck(problem))
    const exchange = checkGrpcHealth(client, service, done)
    return () => {
      exchange.abort()
      client.close()
    }
  }

  /** Creates a client for each check, because the check tests whether a new connection can be made. */
  #client(): BackendClient {
    const { target, clock } = this.#options
    const hostRule = { kind: 'fixed', host: target.authority } as const
    return createClient(target, clock, hostRule, { ...this.#options, maxConnections: 1, keepAliveMs: 0 })
  }
}

type Finish = (failure: BackendFailure | undefined) => void

function failedCheck(detail: string): BackendFailure {
  const cause = 'health_check_failed'
  return { cause, detail, remedy: BACKEND_CAUSES[cause].remedy }
}
