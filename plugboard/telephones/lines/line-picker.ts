// Picks the line that takes a service's next stream. It follows the registry, so that a pick looks only at the
// service's own lines, and keeps what a choice needs: the turn of each line, the streams of the service.
// It does not open the stream, and knows neither sockets nor routes.

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
  /** Streams of the service open at once through this replica; null: no limit. */
  readonly maxStreams: number | null
}

export interface LinePickerOptions {
  readonly registry: Registry
  /** Ours; default: all lines are local. */
  readonly replicaId?: ReplicaId
  /** The way to a line; asked once, when the line appears. Undefined: a line that cannot be reached from here. */
  readonly upstreamOf: (line: Line) => Upstream | undefined
  /** The services that announced names mean. Default: each name is that of a service. */
  readonly names?: ServiceNames | undefined
  /** Uniform in [0, 1). */
  readonly random?: () => number
  /** How many of the streams that a policy allows one client may hold, in percent. */
  readonly clientSharePercent?: number | undefined
}

/** Up to this many lines are all compared; of more, two at random are: nearly as even, and it does not grow. */
const COMPARE_ALL = 16

export class LinePicker {
  readonly #pools = new Map<string, LinePool>()
  readonly #registry: Registry
  readonly #serviceOf: (announced: string) => string
  readonly #unfollow: (() => void) | undefined
  /** Where the lines of an announced name are, while there are any. */
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
   * A line that takes a stream now, none of `tried`: by preference of another process than those, since what failed
   * behind one tunnel of a process fails behind its second too; then by another way, since a link that has gone
   * silent has done so for all lines behind it; then a local one, where no other link is in between. `preferred`: a line
   * that was picked before. It comes first, then other lines of its process.
   * `client`: whom the stream is for; it takes no line where it holds its share of the streams.
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

  /** The lines of a service with the way to each, also those that take no stream now. */
  candidatesOf(service: string): readonly Candidate[] {
    return this.#pools.get(service)?.candidates ?? []
  }

  /** Returns the cause, in words, why `pick` found no line. */
  explain(service: string, why: NoLine): NoLineCause {
    return explainNoLine(this.#pools.get(service), why, service)
  }

  /** A stream was opened on the candidate's line; `release` once it is over. */
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

  /** Few lines out of many are local: by lot alone they would hardly ever be compared. */
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
   * The service that these announced names mean has changed: its name, or its aliases. Their lines follow it. Streams that
   * are open stay what they are, and a pool that moves as a whole keeps its count of them.
   */
  #regroup(announced: Iterable<string>): void {
    for (const name of announced) {
      const before = this.#poolNames.get(name)
      const after = this.#serviceOf(name)
      if (before === undefined || before === after) continue
      if (!this.#renamePool(before, after)) this.#moveLines(name)
    }
  }

  /** False when another pool has the name already, or lines of the pool belong elsewhere. */
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
    // Lines of one announced name stay together until `regroup`.
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

/** Those of `usable` that have least in common with what has failed. */
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
 * Where all lines are local, all streams of a tunnel count, of whatever service. How busy another replica's tunnel
 * is shows only there: with such lines around, each replica spreads its own streams evenly, over all alike.
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
    // Of equals the first, but a local one before all others: it saves a hop.
    const preferred = itsLoad === bestLoad && candidate.local && best?.local === false
    if (itsLoad >= bestLoad && !preferred) continue
    best = candidate
    bestLoad = itsLoad
  }
  return best
}

/** Smooth weighted round robin: all gain their weight, the richest takes the turn and pays the round. */
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
