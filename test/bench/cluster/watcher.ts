// Observes the responses of one replica from outside: one request after the other on one connection, with pauses, so that
// observing three replicas costs only a few percent of a core. A result is late by up to one pause and one round trip;
// `intervalMs` is the measured value.

import { Agent, request } from 'node:http'

export interface Sighting {
  /** The times when its request was sent and when its response head arrived, by performance.now(). */
  readonly askedMs: number
  readonly seenMs: number
  /** `200`, `503 no_telephone`, `404 route_not_found` … */
  readonly outcome: string
}

interface Waiter {
  readonly wanted: ReadonlySet<string>
  readonly fromMs: number
  resolve(sighting: Sighting): void
}

const PAUSE_MS = 1
const PATIENCE_MS = 20_000

export class Watcher {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #port: number
  #host: string
  #running = true
  #requests = 0
  readonly #startedMs = performance.now()
  #waiter: Waiter | undefined
  readonly #done: Promise<void>

  constructor(port: number, host: string) {
    this.#port = port
    this.#host = host
    this.#done = this.#watch()
  }

  get intervalMs(): number {
    return (performance.now() - this.#startedMs) / this.#requests
  }

  /** Sets the host of further requests. */
  lookAt(host: string): void {
    this.#host = host
  }

  /**
   * Resolves with the first of these outcomes of a request that was sent at `fromMs` or later. Rejects after 20 s without
   * one.
   */
  see(outcomes: readonly string[], fromMs: number): Promise<Sighting> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`port ${this.#port} never responded with ${outcomes.join(' or ')}`)),
        PATIENCE_MS,
      )
      const settle = (sighting: Sighting): void => {
        clearTimeout(timer)
        resolve(sighting)
      }
      this.#waiter = { wanted: new Set(outcomes), fromMs, resolve: settle }
    })
  }

  async stop(): Promise<void> {
    this.#running = false
    await this.#done
    this.#agent.destroy()
  }

  async #watch(): Promise<void> {
    while (this.#running) {
      const sighting = await this.#ask()
      this.#requests += 1
      const waiter = this.#waiter
      if (waiter?.wanted.has(sighting.outcome) && sighting.askedMs >= waiter.fromMs) {
        this.#waiter = undefined
        waiter.resolve(sighting)
      }
      await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
    }
  }

  #ask(): Promise<Sighting> {
    const askedMs = performance.now()
    return new Promise(resolve => {
      const end = (outcome: string): void => resolve({ askedMs, seenMs: performance.now(), outcome })
      const options = {
        host: '127.0.0.1',
        port: this.#port,
        headers: { host: this.#host },
        agent: this.#agent,
      }
      const outgoing = request(options, incoming => {
        const code = incoming.headers['plugboard-error']
        const outcome = `${incoming.statusCode}${code === undefined ? '' : ` ${String(code)}`}`
        incoming.resume()
        incoming.once('end', () => end(outcome))
        incoming.once('error', error => end(error.message))
      })
      outgoing.once('error', error => end(error.message))
      outgoing.end()
    })
  }
}
