// The pools of all services: follows the registry, and keeps each line in the pool of its service. It moves lines between
// pools when a service is renamed. It picks no line, opens no stream, and does not depend on sockets or routes.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { Line } from '../../registry/line.ts'
import type { Registry } from '../../registry/registry.ts'
import type { Upstream } from '../../registry/upstream.ts'
import type { ServiceNames } from '../lines/service-names.ts'
import type { Outliers } from '../outliers/outliers.ts'
import { type LinePool, newPool } from './line-pool.ts'
import { startAtMedian } from './pool-latency.ts'
import { addLine, changeLine, removeLine } from './pool-lines.ts'
import { type OverrideSource, ProcessOverrides } from './process-overrides.ts'

export interface LinePoolsOptions {
  readonly registry: Registry
  /** Id of this replica; default: all lines are local. */
  readonly replicaId?: ReplicaId | undefined
  /** Returns the upstream of a line; undefined: this replica cannot reach the line. Called once, when the line is added. */
  readonly upstreamOf: (line: Line) => Upstream | undefined
  /** Maps announced names to services. Default: each announced name is the name of a service. */
  readonly names?: ServiceNames | undefined
  /** The overrides of processes. Default: none. */
  readonly overrides?: OverrideSource | undefined
  /** Share of the policy's stream limit that one client may hold, in percent. */
  readonly clientSharePercent: number
  readonly clock: Clock
  readonly outliers: Outliers
}

export class LinePools {
  readonly #pools = new Map<string, LinePool>()
  readonly #registry: Registry
  readonly #serviceOf: (announced: string) => string
  /** The pool name of each announced name that has lines. */
  readonly #poolNames = new Map<string, string>()
  readonly #upstreamOf: (line: Line) => Upstream | undefined
  readonly #replicaId: ReplicaId | undefined
  readonly #clientSharePercent: number
  readonly #clock: Clock
  readonly #outliers: Outliers
  readonly #overrides: ProcessOverrides
  readonly #unfollow: (() => void) | undefined
  readonly #unsubscribe: () => void

  constructor({
    registry,
    replicaId,
    upstreamOf,
    names,
    overrides,
    clientSharePercent,
    clock,
    outliers,
  }: LinePoolsOptions) {
    this.#registry = registry
    this.#serviceOf = announced => names?.serviceOf(announced) ?? announced
    this.#upstreamOf = upstreamOf
    this.#replicaId = replicaId
    this.#clientSharePercent = clientSharePercent
    this.#clock = clock
    this.#outliers = outliers
    const poolOf = (service: string) => this.#pools.get(service)
    this.#overrides = new ProcessOverrides({ clock, source: overrides, poolOf })
    this.#unfollow = names?.subscribe(announced => this.#regroup(announced))
    this.#unsubscribe = registry.subscribe({
      lineAdded: line => this.#add(line),
      lineChanged: line => this.#change(line),
      lineRemoved: line => this.#remove(line),
    })
    for (const line of registry.lines()) this.#add(line)
  }

  close(): void {
    this.#unsubscribe()
    this.#unfollow?.()
    this.#overrides.close(this)
  }

  /** The overrides of the processes. */
  get overrides(): Pick<ProcessOverrides, 'subscribe'> {
    return this.#overrides
  }

  [Symbol.iterator](): IterableIterator<LinePool> {
    return this.#pools.values()
  }

  get(service: string): LinePool | undefined {
    return this.#pools.get(service)
  }

  /** Removes the pool when it has no line and no open stream. */
  removeWhenEmpty(pool: LinePool): void {
    if (pool.candidates.length > 0 || pool.holders.length > 0) return
    // A request can hold a pool that was removed before: its stream ends after a new pool of the service was created.
    if (this.#pools.get(pool.service) === pool) this.#pools.delete(pool.service)
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
    const nowMs = this.#clock.now()
    const process = addLine(pool, line, upstream, local, nowMs)
    if (process.lines.length === 1) this.#overrides.apply(pool, process)
    startAtMedian(pool, process, nowMs)
    this.#outliers.lineAdded(pool, process)
  }

  #change(line: Line): void {
    const candidate = this.#poolOf(line)?.candidates.find(each => each.line.id === line.id)
    if (candidate === undefined) return
    const { health } = candidate.line
    if (!changeLine(candidate, line, this.#clock.now())) {
      this.#remove(line)
      this.#add(line)
    } else if (line.health !== health) {
      this.#outliers.healthChanged(candidate.pool, candidate.process, line.health)
    }
  }

  #remove(line: Line): void {
    const pool = this.#poolOf(line)
    const candidate = pool?.candidates.find(each => each.line.id === line.id)
    if (pool === undefined || candidate === undefined) return
    removeLine(pool, candidate)
    if (candidate.process.lines.length === 0) {
      this.#outliers.lastLineRemoved(candidate.process)
      this.#overrides.forget(candidate.process)
    }
    if (!pool.candidates.some(each => each.line.service === line.service))
      this.#poolNames.delete(line.service)
    this.removeWhenEmpty(pool)
  }
}
