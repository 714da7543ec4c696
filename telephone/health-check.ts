// Asks a backend again and again whether it is there, so that a Plugboard with several telephones for a service
// can prefer those whose backend is. Optional: without it a service is announced as up.

import type { HttpTarget } from '@vera-stack/shared/backend-target.ts'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { createClient } from './backend-client.ts'
import type { BackendClient } from './backend-exchange.ts'
import type { ConnectorOptions } from './connector.ts'
import { checkGrpcHealth } from './grpc-health.ts'
import type { BackendParsing } from './http1/response-parser.ts'

export interface HealthCheckOptions extends ConnectorOptions {
  readonly target: HttpTarget
  /**
   * `tcp`: a connection is enough; with HTTP/2 the backend must greet. A path: GET must give a status from 200 to 399.
   * `grpc`, or `grpc:` and a service's name: the server's own health service must say SERVING.
   */
  readonly check: string
  readonly intervalMs: number
  readonly clock: Clock
  /** The setting of the service: the check reads responses of the backend as the service does. */
  readonly backendParsing?: BackendParsing
  /** After each check: what is wrong, if anything. */
  readonly onResult?: (problem: string | undefined) => void
  readonly onChange: (health: 'up' | 'down', detail: string) => void
}

const TIMEOUT_MS = 5000
/** One failure may be a restart; two in a row are an outage. The very first one counts at once. */
const FAILURES_TO_DOWN = 2

export class HealthCheck {
  readonly #options: HealthCheckOptions
  #health: 'unknown' | 'up' | 'down' = 'unknown'
  #failures = 0
  #timer: Timer | undefined
  #abort: (() => void) | undefined
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

  #run(): void {
    const { clock, intervalMs, check } = this.#options
    let over = false
    const finish = (problem: string | undefined): void => {
      if (over) return
      over = true
      this.#timer?.cancel()
      this.#abort?.()
      this.#abort = undefined
      if (this.#stopped) return
      this.#judge(problem)
      this.#options.onResult?.(problem)
      if (this.#stopped) return
      this.#timer = clock.after(intervalMs, () => this.#run())
    }
    this.#timer = clock.after(TIMEOUT_MS, () => finish('no answer in time'))
    this.#abort = this.#begin(check, finish)
  }

  #judge(problem: string | undefined): void {
    this.#failures = problem === undefined ? 0 : this.#failures + 1
    const down = this.#failures >= FAILURES_TO_DOWN || (this.#failures > 0 && this.#health === 'unknown')
    if (problem !== undefined && !down) return
    const health = problem === undefined ? 'up' : 'down'
    const before = this.#health
    this.#health = health
    // What was announced before the first check is "up".
    if (health !== (before === 'unknown' ? 'up' : before))
      this.#options.onChange(health, problem ?? 'it answers')
  }

  #begin(check: string, finish: (problem: string | undefined) => void): () => void {
    if (check === 'tcp') return this.#connect(finish)
    return check.startsWith('/') ? this.#get(check, finish) : this.#grpc(check.slice('grpc:'.length), finish)
  }

  #connect(finish: (problem: string | undefined) => void): () => void {
    const client = this.#client()
    const stop = client.probe(finish)
    return () => {
      stop()
      client.close()
    }
  }

  #get(path: string, finish: (problem: string | undefined) => void): () => void {
    const client = this.#client()
    const fields = ['User-Agent', 'telephone-health-check', 'Connection', 'close']
    const request = { method: 'GET', target: path, fields, upgrade: false, ended: true }
    const exchange = client.exchange(request, {
      onAnswerHead(head) {
        if (head.status >= 200) finish(head.status < 400 ? undefined : `${path} answered ${head.status}`)
      },
      onAnswerBody: () => undefined,
      onAnswerEnd: () => undefined,
      onAnswerWaiting: () => undefined,
      onRoom: () => undefined,
      onFailure: error => finish(error.message),
    })
    exchange.run()
    return () => {
      exchange.abort()
      client.close()
    }
  }

  #grpc(service: string, finish: (problem: string | undefined) => void): () => void {
    const client = this.#client()
    const exchange = checkGrpcHealth(client, service, finish)
    return () => {
      exchange.abort()
      client.close()
    }
  }

  /** One of its own for each check: what is asked is whether a new connection can be made. */
  #client(): BackendClient {
    const { target, clock } = this.#options
    const hostRule = { kind: 'fixed', host: target.authority } as const
    return createClient(target, clock, hostRule, { ...this.#options, maxConnections: 1, keepAliveMs: 0 })
  }
}
