// The client: requests at a steady rate, whether earlier ones were answered or not, over everything there is to ask
// for. It hands each one, with its times and its replica, to whoever judges it.

import { type Random, randomInteger } from '../support/seeded-random.ts'
import type { Balancer } from './balancer.ts'
import { payload } from './payload.ts'
import { type Outcome, type Plan, sendPlanned } from './request.ts'
import type { RunClock } from './run-clock.ts'

export interface Asked {
  readonly plan: Plan
  readonly sentAtMs: number
  readonly endedAtMs: number
  /** That the balancer chose; undefined: it had none. */
  readonly replica: string | undefined
  readonly outcome: Outcome
}

/** Some 5 s of all requests unanswered at the same time: beyond that the machine, not the cluster, is tested. */
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

  /** No new ones; resolves when the last one has ended. */
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

  /** Mostly small ones; some bodies each way, some that take two seconds, a few that may not be repeated. */
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
    // Of what is longer than Plugboard keeps, no PUT can be repeated once it has been taken: nobody promises that.
    const most = method === 'PUT' ? 60_000 : 300_000
    return { ...small, method, upload: payload(`${nonce}-up`, randomInteger(random, 1, most)) }
  }
}
