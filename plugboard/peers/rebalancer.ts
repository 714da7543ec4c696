// Evens out tunnels when a replica has joined, or come back: one that has clearly more than its share asks a few of
// its telephones at a time to end a tunnel on the replica with the fewest. It only asks; telephones dial first and let
// go afterwards, and streams stay where they are until they are over.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { ReplicaId } from '../common/replica-id.ts'

export interface RebalancerOptions {
  /** Tunnels of the replicas that live, stay, and can be dialled; ours left out. */
  readonly others: () => readonly { readonly id: ReplicaId; readonly tunnels: number }[]
  /** Ours. */
  readonly tunnels: () => number
  /** Asks up to `count` telephones; returns how many it asked. */
  readonly move: (count: number, to: ReplicaId) => number
  readonly clock: Clock
  readonly log: Logger
}

const INTERVAL_MS = 2000
/** Above the mean by this much, and by one tunnel: less is not worth a dial. */
const TOLERANCE = 0.1
/** Of our tunnels, at one time: with the interval, a joining replica is filled in minutes, not at once. */
const SHARE = 0.02

export class Rebalancer {
  readonly #options: RebalancerOptions
  #timer: Timer
  #asked = 0

  constructor(options: RebalancerOptions) {
    this.#options = options
    this.#timer = options.clock.after(INTERVAL_MS, () => this.#tick())
  }

  /** Tunnels that were asked to move so far. */
  get asked(): number {
    return this.#asked
  }

  stop(): void {
    this.#timer.cancel()
  }

  #tick(): void {
    const { others, tunnels, move, clock, log } = this.#options
    this.#timer = clock.after(INTERVAL_MS, () => this.#tick())
    const target = moveTarget(tunnels(), others())
    if (target === undefined) return
    const asked = move(target.count, target.to)
    this.#asked += asked
    if (asked > 0) log.info('tunnels asked to move', { peerId: target.to, count: asked })
  }
}

/** How many tunnels should go where now; undefined: it is even enough. */
export function moveTarget(
  own: number,
  others: readonly { readonly id: ReplicaId; readonly tunnels: number }[],
): { readonly to: ReplicaId; readonly count: number } | undefined {
  const [first, ...rest] = others
  if (first === undefined) return undefined
  const least = rest.reduce((best, each) => (each.tunnels < best.tunnels ? each : best), first)
  const mean = others.reduce((sum, { tunnels }) => sum + tunnels, own) / (others.length + 1)
  const excess = Math.floor(own - mean)
  if (excess < 1 || own <= mean * (1 + TOLERANCE) || least.tunnels + 1 >= own) return undefined
  return { to: least.id, count: Math.min(excess, Math.max(1, Math.floor(own * SHARE))) }
}
