// Balances tunnels after a replica has joined or come back. A replica with clearly more than its share asks a few telephones at
// a time to move a tunnel to the replica with the fewest tunnels. A telephone dials the new tunnel before it drains the old one,
// and open streams stay on their tunnel until they end.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'

export interface RebalancerOptions {
  /** Returns the tunnel counts of the other replicas that are alive, do not leave, and can be dialled. */
  readonly others: () => readonly { readonly id: ReplicaId; readonly tunnels: number }[]
  /** Returns the number of tunnels of this replica. */
  readonly tunnels: () => number
  /** Asks telephones to move up to `count` tunnels to replica `to`; returns the number asked. */
  readonly move: (count: number, to: ReplicaId) => number
  readonly clock: Clock
  readonly log: Logger
}

const INTERVAL_MS = 2000
/** Smallest excess over the mean that causes a move, as a part of the mean. It must also be at least one tunnel. */
const TOLERANCE = 0.1
/** Share of our tunnels that may move in one interval. A joining replica fills up over minutes instead of at once. */
const SHARE = 0.02

export class Rebalancer {
  readonly #options: RebalancerOptions
  #timer: Timer
  #asked = 0

  constructor(options: RebalancerOptions) {
    this.#options = options
    this.#timer = options.clock.after(INTERVAL_MS, () => this.#tick())
  }

  /** Number of tunnels that were asked to move since the start. */
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

/** Returns the number of tunnels to move and their target; undefined when the tunnels are balanced. */
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
