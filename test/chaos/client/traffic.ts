// The client: sends requests to all hosts at a steady rate, without waiting for earlier responses. It passes each result,
// with its times and its replica, to `onAsked`.

import { type Random, randomInteger } from '../../support/seeded-random.ts'
import type { Balancer } from '../cluster/balancer.ts'
import type { RunClock } from '../run-clock.ts'
import { payload } from './payload.ts'
import { type Outcome, type Plan, sendPlanned } from './request.ts'

export interface Asked {
  readonly plan: Plan
  readonly sentAtMs: number
  readonly endedAtMs: number
  /** The replica that the balancer chose. Undefined: no replica was available. */
  readonly replica: string | undefined
  readonly outcome: Outcome
}

/** The requests of about 8 s. With more open requests, the machine would be tested, not the cluster. */
const MOST_OPEN = 500
const NOTHING = Buffer.alloc(0)

export interface TrafficOptions {
  readonly balancer: Balancer
  readonly hosts: () => readonly string[]
  readonly perSecond: number
  readonly random: Random
  readonly clock: RunClock
  readonly onAsked: (asked: Asked) => void
}

export class Traffic {
  readonly #options: TrafficOptions
  readonly #open = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  #sent = 0
  #skipped = 0

  constructor(options: TrafficOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#ask(), 1000 / options.perSecond)
  }

  get sent(): number {
    return this.#sent
  }

  /** Requests that were not sent because too many were open. */
  get skipped(): number {
    return this.#skipped
  }

  /** Sends no new requests. Resolves when the last request has ended. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
  }

  #ask(): void {
    if (this.#open.size >= MOST_OPEN) {
      this.#skipped += 1
      return
    }
    const { balancer, clock, onAsked } = this.#options
    const plan = this.#plan()
    const sentAtMs = clock.now()
    const asking = sendPlanned(plan, balancer.port).then(({ outcome, localPort }) => {
      this.#open.delete(asking)
      const replica = localPort === undefined ? undefined : balancer.takeReplicaOf(localPort)
      onAsked({ plan, sentAtMs, endedAtMs: clock.now(), replica, outcome })
    })
    this.#open.add(asking)
  }

  /**
   * Returns a random request: mostly small ones, some with large bodies, some of two seconds, a few that may not be repeated.
   */
  #plan(): Plan {
    const { random, hosts } = this.#options
    this.#sent += 1
    const all = hosts()
    const nonce = `n${this.#sent}-${randomInteger(random, 0, 0xffff_ffff).toString(36)}`
    const small: Plan = {
      method: 'GET',
      host: all[randomInteger(random, 0, all.length - 1)]!,
      nonce,
      upload: NOTHING,
      bytes: randomInteger(random, 0, 2000),
      pieces: 1,
      everyMs: 0,
      withLength: random() < 0.5,
    }
    const lot = random()
    if (lot < 0.6) return small
    if (lot < 0.75) return { ...small, bytes: randomInteger(random, 10_000, 200_000), pieces: 3, everyMs: 5 }
    if (lot < 0.82)
      return { ...small, bytes: randomInteger(random, 20_000, 40_000), pieces: 20, everyMs: 100 }
    const method = lot < 0.94 ? 'PUT' : 'POST'
    // Plugboard cannot repeat a PUT whose body is longer than the part that it keeps, so such a PUT is not sent.
    const most = method === 'PUT' ? 60_000 : 300_000
    return { ...small, method, upload: payload(`${nonce}-up`, randomInteger(random, 1, most)) }
  }
}
