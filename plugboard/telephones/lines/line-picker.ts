// Picks the line for the next stream of a service, and counts the open streams of the service. A pick reads only the pool of
// the service (line-pools.ts); the balancing policy (balancing/) chooses among its lines. This file opens no streams, and does
// not depend on sockets or routes.

import { DEFAULT_CLIENT_SHARE_PERCENT } from '@vera-stack/shared/client-shares.ts'
import { type Balancing, chooseLine } from '../balancing/balancing.ts'
import { addHolder, type Candidate, isThere, removeHolder, type StreamHolder } from './line-pool.ts'
import { LinePools, type LinePoolsOptions } from './line-pools.ts'
import { explainNoLine, isUnhealthy, type NoLine, type NoLineCause } from './no-line.ts'
import { preferredLine, retryLines } from './retry-choice.ts'

export interface PickPolicy {
  readonly balancing: Balancing
  /** Limit of open streams of the service through this replica; null: no limit. */
  readonly maxStreams: number | null
}

export interface LinePickerOptions extends Omit<LinePoolsOptions, 'clientSharePercent'> {
  /** Returns a uniform random number in [0, 1). */
  readonly random?: () => number
  /** Share of the policy's stream limit that one client may hold, in percent. */
  readonly clientSharePercent?: number | undefined
}

export class LinePicker {
  readonly #pools: LinePools
  readonly #random: () => number

  constructor(options: LinePickerOptions) {
    const { clientSharePercent = DEFAULT_CLIENT_SHARE_PERCENT, random = Math.random } = options
    this.#pools = new LinePools({ ...options, clientSharePercent })
    this.#random = random
  }

  close(): void {
    this.#pools.close()
  }

  /**
   * Returns a line that takes a stream now, except the lines in `tried`. After a failure it prefers, in this order:
   * 1. a line of another process, because the second tunnel of a failed process probably fails too;
   * 2. a line over another link, because a silent link is silent for all its lines;
   * 3. a local line, because it needs no link.
   * `preferred` is a line that was picked before. It comes first, then other lines of its process. `client` is the client of
   * the stream. A line is skipped when the client holds its share of that line's streams.
   */
  pick(
    service: string,
    policy: PickPolicy,
    tried?: readonly Candidate[],
    preferred?: Candidate,
    client: string = '',
  ): Candidate | NoLine {
    const pool = this.#pools.get(service)
    if (pool === undefined || pool.candidates.length === 0) return tried ? 'exhausted' : 'no_telephone'
    if (policy.maxStreams !== null) {
      if (pool.holders.length >= policy.maxStreams) return 'overloaded'
      if (!pool.shares.allows(client, policy.maxStreams)) return 'concurrency_limited'
    }
    if (preferred !== undefined) {
      const same = preferredLine(pool, preferred, tried, client)
      if (same !== undefined) return same
    }
    const { balancing } = policy
    if (tried !== undefined) {
      const choice = retryLines(pool, tried, client)
      if (choice.length === 0) return 'exhausted'
      return chooseLine(balancing, pool, choice, client, this.#random) ?? 'exhausted'
    }
    const chosen = chooseLine(balancing, pool, pool.candidates, client, this.#random)
    if (chosen !== undefined) return chosen
    if (!pool.candidates.some(isThere)) return isUnhealthy(pool) ? 'service_unhealthy' : 'no_telephone'
    const hasRoom = pool.candidates.some(each => isThere(each) && each.upstream.canOpen)
    return hasRoom ? 'concurrency_limited' : 'overloaded'
  }

  /** Returns the lines of a service with their upstreams, including lines that take no stream now. */
  candidatesOf(service: string): readonly Candidate[] {
    return this.#pools.get(service)?.candidates ?? []
  }

  /** Returns the cause and a text that explain why `pick` found no line. */
  explain(service: string, why: NoLine): NoLineCause {
    return explainNoLine(this.#pools.get(service), why, service)
  }

  /** Counts a stream that was opened on the candidate's line. Call `release` when the stream ends. */
  acquire(candidate: Candidate, holder: StreamHolder): void {
    candidate.active += 1
    addHolder(candidate.pool, holder)
  }

  release(candidate: Candidate, holder: StreamHolder): void {
    const { pool } = candidate
    candidate.active -= 1
    removeHolder(pool, holder)
    if (pool.holders.length === 0) this.#pools.removeWhenEmpty(pool)
  }
}
