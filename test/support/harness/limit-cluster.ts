// Replicas that share one limit, in simulated time: each has a limiter with its shared budgets, and messages between two replicas
// arrive after a delay, or are lost. Requests come at fixed times, so that a run is the same each time.

import type { Timer } from '@vera-stack/shared/clock.ts'
import { type CompiledLimit, compileLimits } from '../../../plugboard/limits/compiled-limits.ts'
import { LimitTable } from '../../../plugboard/limits/limit-table.ts'
import { type LimitedRequest, Limiter } from '../../../plugboard/limits/limiter.ts'
import type { PeerShare } from '../../../plugboard/limits/sharing/peer-share.ts'
import { SharedBudgets } from '../../../plugboard/limits/sharing/shared-budgets.ts'
import type { RateLimit } from '../../../plugboard/routes/rules/limit-rules.ts'
import { ManualClock } from '../manual-clock.ts'

const LINK_DELAY_MS = 2
/** Replicas do not start at the same moment, so their intervals begin at different times, ms. */
const START_GAP_MS = 37

interface SimulatedReplica {
  readonly id: string
  readonly incarnation: string
  readonly limiter: Limiter
  readonly budgets: SharedBudgets
  readonly limits: readonly CompiledLimit[]
}

export interface LimitClusterOptions {
  readonly replicas: number
  readonly rule: Omit<RateLimit, 'name'>
  /** Returns true when a message is lost. */
  readonly loses?: () => boolean
}

/** One stream of requests of one client to one replica. */
export interface Offer {
  readonly replica: number
  readonly perSecond: number
  readonly client?: string
  /** Requests at the same instant. Default 1. */
  readonly atOnce?: number
}

export class LimitCluster {
  readonly clock = new ManualClock(0)
  readonly replicas: SimulatedReplica[] = []
  /** The times of admitted requests, ms, in order. */
  readonly admitted: number[] = []
  rejected = 0
  readonly #options: LimitClusterOptions
  #starts = 0

  constructor(options: LimitClusterOptions) {
    this.#options = options
    for (let index = 0; index < options.replicas; index += 1) {
      this.restart(index)
      this.clock.advance(START_GAP_MS)
    }
  }

  /** Starts a replica, or replaces it by a new start without any counts. */
  restart(index: number): void {
    this.kill(index)
    this.#starts += 1
    const table = new LimitTable()
    const budgets = new SharedBudgets({ table, clock: this.clock })
    const { rule } = this.#options
    const { beforeCredential: limits } = compileLimits([{ name: 'simulated', ...rule }], 'row')
    const limiter = new Limiter({
      table,
      onAdmitted: (limit, slot, cost) => budgets.admitted(limit, slot, cost),
    })
    const replica = { id: `replica-${index}`, incarnation: `start-${this.#starts}`, limiter, budgets, limits }
    this.replicas[index] = replica
    for (const other of this.replicas) if (other !== replica) this.#link(replica, other)
  }

  /** Stops the exchange of a replica with the others. They get no notice. */
  kill(index: number): void {
    this.replicas[index]?.budgets.stop()
  }

  partition(): void {
    for (const { budgets } of this.replicas) budgets.stop()
  }

  heal(): void {
    for (const [index, left] of this.replicas.entries())
      for (const right of this.replicas.slice(index + 1)) this.#link(left, right)
  }

  /** Runs requests for this time. Returns the number of admitted requests. */
  run(forMs: number, offers: readonly Offer[]): number {
    const before = this.admitted.length
    const endMs = this.clock.now() + forMs
    const timers = offers.map(offer => this.#offer(offer, endMs))
    this.clock.advance(forMs)
    for (const timer of timers) timer.cancel()
    return this.admitted.length - before
  }

  /** Returns the most requests that were admitted in any window of this length. */
  worstWindow(windowMs: number): number {
    let [first, most] = [0, 0]
    for (const [index, atMs] of this.admitted.entries()) {
      while ((this.admitted[first] as number) <= atMs - windowMs) first += 1
      most = Math.max(most, index - first + 1)
    }
    return most
  }

  #offer({ replica: index, perSecond, client = '192.0.2.1', atOnce = 1 }: Offer, endMs: number): Timer {
    const periodMs = (1000 * atOnce) / perSecond
    // Each replica gets its requests at other moments of a period.
    let dueMs = this.clock.now() + (atOnce > 1 ? 0 : (periodMs * (index + 1)) / (this.replicas.length + 1))
    let timer: Timer
    const next = (): void => {
      for (let count = 0; count < atOnce; count += 1) this.#request(index, client)
      dueMs += periodMs
      if (dueMs < endMs) timer = this.clock.after(dueMs - this.clock.now(), next)
    }
    timer = this.clock.after(dueMs - this.clock.now(), next)
    return { cancel: () => timer.cancel() }
  }

  #request(index: number, clientAddress: string): void {
    const replica = this.replicas[index] as SimulatedReplica
    const request: LimitedRequest = {
      ...{ clientAddress, host: 'app.example.com', hostPattern: 'app.example.com', path: '/' },
      ...{ method: 'GET', fields: [], identity: undefined },
    }
    const { kind } = replica.limiter.check(replica.limits, request, this.clock.now())
    if (kind === 'admitted') this.admitted.push(this.clock.now())
    else this.rejected += 1
  }

  #link(left: SimulatedReplica, right: SimulatedReplica): void {
    const ends: { toLeft?: PeerShare; toRight?: PeerShare } = {}
    const opened = (
      from: SimulatedReplica,
      to: SimulatedReplica,
      far: () => PeerShare | undefined,
    ): PeerShare => {
      const share: PeerShare = from.budgets.open({
        peerId: to.id,
        incarnation: to.incarnation,
        onReady: () => this.#send(share, far),
        onFault: () => {
          throw new Error('a message is malformed')
        },
      })
      return share
    }
    ends.toRight = opened(left, right, () => ends.toLeft)
    ends.toLeft = opened(right, left, () => ends.toRight)
    this.#send(ends.toRight, () => ends.toLeft)
    this.#send(ends.toLeft, () => ends.toRight)
  }

  #send(share: PeerShare, far: () => PeerShare | undefined): void {
    for (let message = share.pull(); message !== undefined; message = share.pull()) {
      const bytes = message
      if (this.#options.loses?.() === true) continue
      this.clock.after(LINK_DELAY_MS, () => {
        const receiver = far()
        if (receiver?.isOpen === true && share.isOpen) receiver.receive(bytes)
      })
    }
  }
}
