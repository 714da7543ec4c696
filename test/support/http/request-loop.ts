// Sends requests from several clients, each one request after the other, while a test changes something. Records each result.

import { send } from './http-client.ts'

export interface LoopTarget {
  readonly port: number
  readonly host: string
  readonly path?: string
}

/** `200`, `503 no_telephone`, `ECONNREFUSED`, `ECONNRESET` … */
export type Outcome = string

export class RequestLoop {
  readonly outcomes = new Map<Outcome, number>()
  #running = true
  readonly #clients: Promise<void>[]
  readonly #waiting = new Set<{ left: number; resolve: () => void }>()

  constructor(target: LoopTarget, clients = 4) {
    this.#clients = Array.from({ length: clients }, async () => {
      while (this.#running) {
        const outcome = await attempt(target)
        this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
        for (const waiter of this.#waiting) {
          if (outcome === '200') waiter.left -= 1
          if (waiter.left > 0) continue
          this.#waiting.delete(waiter)
          waiter.resolve()
        }
        // A refused connection fails at once. Without this pause, the loop would use all CPU.
        if (outcome !== '200') await new Promise(resolve => setTimeout(resolve, 5))
      }
    })
  }

  /** Resolves after `count` more responses with status 200. */
  successes(count: number): Promise<void> {
    return new Promise(resolve => this.#waiting.add({ left: count, resolve }))
  }

  /** Ends the loop. Resolves with the results of its requests, except responses with status 200. */
  async stop(): Promise<Outcome[]> {
    this.#running = false
    await Promise.all(this.#clients)
    return [...this.outcomes.keys()].filter(outcome => outcome !== '200').sort()
  }
}

async function attempt(target: LoopTarget): Promise<Outcome> {
  try {
    const { status, headers } = await send({ ...target, path: target.path ?? '/hello' })
    const code = headers['plugboard-error']
    return code === undefined ? String(status) : `${status} ${code}`
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}
