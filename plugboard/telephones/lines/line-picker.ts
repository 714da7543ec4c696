// Picks the line for the next stream of a service. It follows the registry, so a pick reads only the lines of the service.
// It keeps the state that a pick needs: the turn of each line and the open streams of the service. It does not open streams,
// and does not depend on sockets or routes.

import { DEFAULT_CLIENT_SHARE_PERCENT } from '@vera-stack/shared/client-shares.ts'
import type { ReplicaId } from '../../common/replica-id.ts'
import { type Line, sameProcess } from '../../registry/line.ts'
import type { Registry } from '../../registry/registry.ts'
import type { Upstream } from '../../registry/upstream.ts'
import {
  addHolder,
  type Candidate,
  canTake,
  isShared,
  isThere,
  type LinePool,
  newPool,
  removeHolder,
  type StreamHolder,
} from './line-pool.ts'
import { explainNoLine, isUnhealthy, type NoLine, type NoLineCause } from './no-line.ts'
import type { ServiceNames } from './service-names.ts'

export interface PickPolicy {
  readonly balancing: 'least_streams' | 'round_robin' | 'random'
  /** Limit of open streams of the service through this replica; null: no limit. */
  readonly maxStreams: number | null
}

export interface LinePickerOptions {
  readonly registry: Registry
  /** Id of this replica; default: all lines are local. */
  readonly replicaId?: ReplicaId
  /** Returns the upstream of a line; undefined: this replica cannot reach the line. Called once, when the line is added. */
  readonly upstreamOf: (line: Line) => Upstream | undefined
  /** Maps announced names to services. Default: each announced name is the name of a service. */
  readonly names?: ServiceNames | undefined
  /** Returns a uniform random number in [0, 1). */
  readonly random?: () => number
  /** Share of the policy's stream limit that one client may hold, in percent. */
  readonly clientSharePercent?: number | undefined
}

/** Up to this number, all lines are compared. Above it, two random lines are: nearly as even, at a constant cost. */
const COMPARE_ALL = 16

export class LinePicker {
  readonly #pools = new Map<string, LinePool>()
  readonly #registry: Registry
  readonly #serviceOf: (announced: string) => string
  readonly #unfollow: (() => void) | undefined
  /** The pool name of each announced name that has lines. */
  readonly #poolNames = new Map<string, string>()
  readonly #upstreamOf: (line: Line) => Upstream | undefined
  readonly #random: () => number
  readonly #replicaId: ReplicaId | undefined
  readonly #clientSharePercent: number
  readonly #unsubscribe: () => void

  constructor(options: LinePickerOptions) {
    this.#registry = options.registry
    const { names } = options
    this.#serviceOf = announced => names?.serviceOf(announced) ?? announced
    this.#unfollow = names?.subscribe(announced => this.#regroup(announced))
    this.#upstreamOf = options.upstreamOf
    this.#random = options.random ?? Math.random
    this.#replicaId = options.replicaId
    this.#clientSharePercent = options.clientSharePercent ?? DEFAULT_CLIENT_SHARE_PERCENT
    this.#unsubscribe = options.registry.subscribe({
      lineAdded: line => this.#add(line),
      lineChanged: line => this.#change(line),
      lineRemoved: line => this.#remove(line),
    })
    for (const line of options.registry.lines()) this.#add(line)
  }

  close(): void {
    this.#unsubscribe()
    this.#unfollow?.()
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
      const same = sameAgain(pool, preferred, tried, client)
      if (same !== undefined) return same
    }
    if (tried !== undefined) {
      const usable = pool.candidates.filter(each => canTake(each, client) && !tried.includes(each))
      const choice = leastSuspect(usable, tried)
      return choice.length === 0 ? 'exhausted' : (this.#choose(pool, choice, policy, client) ?? 'exhausted')
    }
    const chosen = this.#choose(pool, pool.candidates, policy, client)
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
    if (pool.holders.length === 0) this.#forgetWhenEmpty(pool)
  }

  #choose(
    pool: LinePool,
    from: readonly Candidate[],
    policy: PickPolicy,
    client: string,
  ): Candidate | undefined {
    switch (policy.balancing) {
      case 'least_streams':
        if (from.length > COMPARE_ALL) {
          const pair = lighter(this.#anyLocal(pool, from, client), this.#anyOf(from, client))
          if (pair !== undefined) return pair
        }
        return leastStreams(pool, from, client)
      case 'round_robin':
        return nextTurn(from, client)
      case 'random':
        return this.#weighted(from, client)
    }
  }

  #anyOf(from: readonly Candidate[], client: string): Candidate | undefined {
    const candidate = from[Math.floor(this.#random() * from.length)]
    return candidate !== undefined && canTake(candidate, client) ? candidate : undefined
  }

  /** Returns a random local line first, because a random choice among many remote lines would rarely find a local one. */
  #anyLocal(pool: LinePool, from: readonly Candidate[], client: string): Candidate | undefined {
    const first = isShared(pool) && from === pool.candidates ? this.#anyOf(pool.locals, client) : undefined
    return first ?? this.#anyOf(from, client)
  }

  #weighted(from: readonly Candidate[], client: string): Candidate | undefined {
    let total = 0
    for (const candidate of from) if (canTake(candidate, client)) total += candidate.line.weight
    let point = this.#random() * total
    let last: Candidate | undefined
    for (const candidate of from) {
      if (!canTake(candidate, client)) continue
      last = candidate
      point -= candidate.line.weight
      if (point < 0) return candidate
    }
    return last
  }

  /**
   * Moves the lines of these announced names after a change of the name or the aliases of their service. Open streams are not
   * affected. A pool that moves as a whole keeps its count of streams.
   */
  #regroup(announced: Iterable<string>): void {
    for (const name of announced) {
      const before = this.#poolNames.get(name)
      const after = this.#serviceOf(name)
      if (before === undefined || before === after) continue
      if (!this.#renamePool(before, after)) this.#moveLines(name)
    }
  }

  /** Returns false when another pool already has the name, or when lines of the pool belong to another service. */
  #renamePool(before: string, after: string): boolean {
    const pool = this.#pools.get(before)
    if (pool === undefined || this.#pools.has(after)) return false
    if (pool.candidates.some(({ line }) => this.#serviceOf(line.service) !== after)) return false
    this.#pools.delete(before)
    pool.service = after
    this.#pools.set(after, pool)
    for (const { line } of pool.candidates) this.#poolNames.set(line.service, after)
    return true
  }

  #moveLines(announced: string): void {
    const lines = [...this.#registry.linesOf(announced)]
    for (const line of lines) this.#remove(line)
    this.#poolNames.delete(announced)
    for (const line of lines) this.#add(line)
  }

  #poolOf({ service }: Line): LinePool | undefined {
    const name = this.#poolNames.get(service)
    return name === undefined ? undefined : this.#pools.get(name)
  }

  #add(line: Line): void {
    const upstream = this.#upstreamOf(line)
    if (upstream === undefined) return
    // Lines of one announced name stay in one pool until `#regroup`.
    const service = this.#poolNames.get(line.service) ?? this.#serviceOf(line.service)
    this.#poolNames.set(line.service, service)
    let pool = this.#pools.get(service)
    if (pool === undefined) {
      pool = newPool(service, this.#clientSharePercent)
      this.#pools.set(service, pool)
    }
    const local = this.#replicaId === undefined || line.replicaId === this.#replicaId
    const candidate = { line, upstream, pool, local, active: 0, turn: 0 }
    pool.candidates.push(candidate)
    if (local) pool.locals.push(candidate)
  }

  #change(line: Line): void {
    const candidate = this.#poolOf(line)?.candidates.find(each => each.line.id === line.id)
    if (candidate !== undefined) candidate.line = line
  }

  #remove(line: Line): void {
    const pool = this.#poolOf(line)
    const index = pool?.candidates.findIndex(each => each.line.id === line.id) ?? -1
    if (pool === undefined || index === -1) return
    const [removed] = pool.candidates.splice(index, 1)
    if (removed?.local) pool.locals.splice(pool.locals.indexOf(removed), 1)
    if (!pool.candidates.some(each => each.line.service === line.service))
      this.#poolNames.delete(line.service)
    this.#forgetWhenEmpty(pool)
  }

  #forgetWhenEmpty(pool: LinePool): void {
    if (pool.candidates.length === 0 && pool.holders.length === 0) this.#pools.delete(pool.service)
  }
}

function sameAgain(
  { candidates }: LinePool,
  preferred: Candidate,
  tried: readonly Candidate[] = [],
  client: string,
): Candidate | undefined {
  const usable = (candidate: Candidate) => canTake(candidate, client) && !tried.includes(candidate)
  if (usable(preferred) && candidates.includes(preferred)) return preferred
  return candidates.find(candidate => sameProcess(candidate.line, preferred.line) && usable(candidate))
}

/** Returns the candidates of `usable` that share the fewest parts (process, link) with the candidates that failed. */
function leastSuspect(usable: readonly Candidate[], tried: readonly Candidate[]): readonly Candidate[] {
  let least: Candidate[] = []
  let leastSuspicion = Number.POSITIVE_INFINITY
  for (const candidate of usable) {
    const { line, local } = candidate
    const suspicion =
      (tried.some(other => sameProcess(other.line, line)) ? 4 : 0) +
      (!local && tried.some(other => other.line.replicaId === line.replicaId) ? 2 : 0) +
      (local ? 0 : 1)
    if (suspicion > leastSuspicion) continue
    if (suspicion < leastSuspicion) least = []
    leastSuspicion = suspicion
    least.push(candidate)
  }
  return least
}

/**
 * Returns the load of a line. In a pool of local lines, all streams of the tunnel count, for every service. The stream count
 * of another replica's tunnel is not available here, so in a pool with such lines only the streams of this replica count.
 */
function load({ pool, active, upstream, line }: Candidate): number {
  return ((isShared(pool) ? active : upstream.streamCount) + 1) / line.weight
}

function lighter(left: Candidate | undefined, right: Candidate | undefined): Candidate | undefined {
  if (left === undefined || right === undefined) return left ?? right
  const [leftLoad, rightLoad] = [load(left), load(right)]
  if (leftLoad === rightLoad) return right.local && !left.local ? right : left
  return rightLoad < leftLoad ? right : left
}

function leastStreams(pool: LinePool, from: readonly Candidate[], client: string): Candidate | undefined {
  let best: Candidate | undefined
  let bestLoad = Number.POSITIVE_INFINITY
  let index = pool.cursor
  pool.cursor = (pool.cursor + 1) % pool.candidates.length
  for (let seen = 0; seen < from.length; seen += 1, index += 1) {
    const candidate = from[index % from.length] as Candidate
    if (!canTake(candidate, client)) continue
    const itsLoad = load(candidate)
    // Among equal loads the first line wins, except that a local line wins over a remote one, because it saves a hop.
    const preferred = itsLoad === bestLoad && candidate.local && best?.local === false
    if (itsLoad >= bestLoad && !preferred) continue
    best = candidate
    bestLoad = itsLoad
  }
  return best
}

/** Smooth weighted round robin: each line gains its weight, and the line with the highest credit pays the sum of weights. */
function nextTurn(from: readonly Candidate[], client: string): Candidate | undefined {
  let total = 0
  let best: Candidate | undefined
  for (const candidate of from) {
    if (!canTake(candidate, client)) continue
    total += candidate.line.weight
    candidate.turn += candidate.line.weight
    if (best === undefined || candidate.turn > best.turn) best = candidate
  }
  if (best !== undefined) best.turn -= total
  return best
}
