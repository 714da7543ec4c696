// Picks the line for the next stream of a service, and counts the open streams of the service. A pick has two steps: the
// balancing policy (balancing/) chooses a telephone process of the service's pool (line-pools.ts), and the process then chooses
// one of its lines (process-lines.ts). So the share of a process does not depend on its number of tunnels. This file opens no
// streams, and does not depend on sockets or routes.

import { DEFAULT_CLIENT_SHARE_PERCENT } from '@vera-stack/shared/client-shares.ts'
import { type Clock, systemClock } from '@vera-stack/shared/clock.ts'
import { type Logger, silentLogger } from '@vera-stack/shared/log.ts'
import type { Registry } from '../../registry/registry.ts'
import { COMPARE_ALL, chooseProcess, comparesTwo } from '../balancing/balancing.ts'
import type { EjectionCounts } from '../outliers/ejection-counts.ts'
import { Outliers, type OutliersOptions } from '../outliers/outliers.ts'
import { setSeeds } from '../pools/hash-seeds.ts'
import {
  addStream,
  type Candidate,
  isAvailable,
  isBelowLimit,
  type LinePool,
  type PooledProcess,
  removeStream,
  type StreamHolder,
} from '../pools/line-pool.ts'
import { LinePools, type LinePoolsOptions } from '../pools/line-pools.ts'
import { recordFailure, recordResponse } from '../pools/pool-latency.ts'
import { bestLine, hasLineFor, lineForStream, takesStream, tunnelStreams } from '../pools/process-lines.ts'
import { applySlowStart } from '../pools/slow-start.ts'
import { boundLine } from '../sticky/bound-process.ts'
import { groupProcesses, groupsFor } from '../subsets/pool-subsets.ts'
import type { SubsetChoice } from '../subsets/subset-choice.ts'
import { SubsetGuards } from '../subsets/subset-guards.ts'
import { type Labels, nearProcesses } from './near-processes.ts'
import {
  explainNoLine,
  isUnhealthy,
  type NoLine,
  type NoLineCause,
  servingLines,
  whyFull,
} from './no-line.ts'
import type { PickPolicy, PickRequest } from './pick-request.ts'
import { downLines, lineOfTelephone, preferredLine, processesOf, retryLines } from './retry-choice.ts'

/** The cursor of a pool starts at 0 again after this value. */
const LARGEST_CURSOR = 2 ** 30 - 1

/**
 * Why an attempt failed before the head of the response. `refused`: the backend refuses connections. `connect`: it cannot be
 * reached for another reason. `reset`: it broke the connection or sent no valid response. `timeout`: it sent no head in time.
 * `lost`: the line ended.
 */
export type AttemptFailure = 'refused' | 'connect' | 'reset' | 'timeout' | 'lost'

export interface LinePickerOptions
  extends Omit<LinePoolsOptions, 'clientSharePercent' | 'clock' | 'outliers'> {
  readonly clock?: Clock
  /** Returns a uniform random number in [0, 1). */
  readonly random?: () => number
  /** The labels of this replica, for the policy `locality`. */
  readonly labels?: Labels
  /** Share of the policy's stream limit that one client may hold, in percent. */
  readonly clientSharePercent?: number | undefined
  /** True when the caller does not count its streams with `acquire`: the load is then the number of streams on the tunnels. */
  readonly countsTunnelStreams?: boolean
  /** Receives one line for each change of an ejection. */
  readonly log?: Logger
  /** Asks the telephone of an ejected process for its own health check. */
  readonly probe?: OutliersOptions['probe']
}

export class LinePicker {
  readonly #registry: Registry
  readonly #outliers: Outliers
  readonly #guards: SubsetGuards
  readonly #pools: LinePools
  readonly #clock: Clock
  readonly #random: () => number
  readonly #countsTunnelStreams: boolean
  readonly #labels: Labels

  constructor(options: LinePickerOptions) {
    const {
      clientSharePercent = DEFAULT_CLIENT_SHARE_PERCENT,
      clock = systemClock,
      random = Math.random,
    } = options
    const { log = silentLogger } = options
    this.#outliers = new Outliers({ clock, log, probe: options.probe })
    this.#guards = new SubsetGuards({ clock, log })
    this.#pools = new LinePools({ ...options, clientSharePercent, clock, outliers: this.#outliers })
    this.#registry = options.registry
    this.#clock = clock
    this.#random = random
    this.#countsTunnelStreams = options.countsTunnelStreams === true
    this.#labels = options.labels ?? {}
  }

  close(): void {
    this.#pools.close()
    this.#outliers.close(this.#pools)
  }

  /**
   * Returns a line that takes a stream now, except the lines in `tried`. After a failure it prefers, in this order:
   * 1. a line of another process, because the second tunnel of a failed process probably fails too;
   * 2. a line over another link, because a silent link is silent for all its lines;
   * 3. a local line, because it needs no link.
   * A line of an ejected process comes last. The first attempt uses one only while no serving process is available.
   */
  pick(request: PickRequest): Candidate | NoLine {
    const { policy, tried, preferred, client, session } = request
    const pool = this.#pools.get(request.service)
    if (pool === undefined || pool.candidates.length === 0) return tried ? 'exhausted' : 'no_telephone'
    if (policy.outlier !== pool.outlier) this.#outliers.usePolicy(pool, policy.outlier)
    if (policy.maxStreams !== null) {
      if (pool.holders.length >= policy.maxStreams) return 'overloaded'
      if (!pool.shares.allows(client, policy.maxStreams)) return 'concurrency_limited'
    }
    if (request.onlyTelephone !== undefined)
      return lineOfTelephone(pool, request) ?? (tried ? 'exhausted' : 'no_telephone')
    const subset = request.subset === undefined ? undefined : this.#subsetOf(pool, request.subset)
    if (preferred !== undefined) {
      const same = preferredLine(pool, preferred, request)
      if (same !== undefined) return same
    }
    if (tried !== undefined) {
      const line = this.#oneOf(pool, retryLines(pool, tried, request, subset), request)
      return line ?? this.#tryDown(pool, request) ?? 'exhausted'
    }
    if (session !== undefined) {
      const bound = boundLine(pool, session, request)
      if (bound !== undefined && !this.#ignoresSession(bound, subset)) return bound
    }
    const process =
      (subset === undefined ? this.#ofAll(pool, request) : this.#ofSubset(pool, subset, request)) ??
      this.#balance(pool, withoutEjection(pool, request), request)
    const line = process === undefined ? undefined : lineForStream(process, client)
    return line ?? this.#pickFailed(pool, request)
  }

  /** Returns the lines of a service with their upstreams, including lines that take no stream now. */
  candidatesOf(service: string): readonly Candidate[] {
    return this.#pools.get(service)?.candidates ?? []
  }

  /** Calls `listener` after a line or an override of a process has changed, until the returned function is called. */
  whenLinesChange(listener: () => void): () => void {
    const ends = [
      this.#registry.subscribe({ lineAdded: listener, lineChanged: listener }),
      this.#pools.overrides.subscribe(listener),
    ]
    return () => {
      for (const end of ends) end()
    }
  }

  /** Returns the pool of a service; undefined: it has no lines. */
  poolOf(service: string): LinePool | undefined {
    return this.#pools.get(service)
  }

  /** Returns the pools of all services. */
  get pools(): LinePools {
    return this.#pools
  }

  /** The counts of passive ejection. */
  get ejectionCounts(): EjectionCounts {
    return this.#outliers.counts
  }

  /** Returns the cause and a text that explain why `pick` found no line. `policy`: that of the request. */
  explain(service: string, why: NoLine, policy?: PickPolicy): NoLineCause {
    return explainNoLine(this.#pools.get(service), why, service, policy)
  }

  /** Counts a stream that was opened on the candidate's line. Call `release` when the stream ends. */
  acquire(candidate: Candidate, holder: StreamHolder): void {
    addStream(candidate, holder)
    this.#outliers.opened(candidate, holder)
  }

  release(candidate: Candidate, holder: StreamHolder): void {
    const { pool } = candidate
    removeStream(candidate, holder)
    this.#outliers.ended(candidate, holder)
    if (pool.holders.length === 0) this.#pools.removeWhenEmpty(pool)
  }

  /**
   * Records that the final head of a response has arrived. `latencyMs`: the time since the request was sent. A request that its
   * client cancels is not recorded, here or in `failed`. `nowMs`: the time of the clock, which the caller has read.
   */
  responded(candidate: Candidate, status: number, latencyMs: number, nowMs: number): void {
    recordResponse(candidate, status, latencyMs, nowMs)
    candidate.process.recent.add(status >= 500, nowMs)
    candidate.process.times.add(latencyMs, nowMs)
    this.#outliers.responded(candidate, status, latencyMs, nowMs)
    if (candidate.pool.guards.size > 0) this.#guards.count(candidate, status >= 500, nowMs)
  }

  /** Records that an attempt failed before the head of the response. */
  failed(candidate: Candidate, cause: AttemptFailure, latencyMs: number, nowMs: number): void {
    recordFailure(candidate, latencyMs, nowMs)
    candidate.process.recent.add(true, nowMs)
    this.#outliers.failed(candidate, cause, latencyMs, nowMs)
    if (candidate.pool.guards.size > 0) this.#guards.count(candidate, true, nowMs)
  }

  /** Returns a line of a pool in which no line takes the stream, if the policy allows that, or the reason. */
  #pickFailed(pool: LinePool, request: PickRequest): Candidate | NoLine {
    if (pool.candidates.some(isAvailable)) return whyFull(pool, request.policy)
    if (!isUnhealthy(pool)) return 'no_telephone'
    return this.#tryDown(pool, request) ?? 'service_unhealthy'
  }

  /** Returns a line whose health check fails, when the checks of all processes fail and `whenAllDown` is `try`. */
  #tryDown(pool: LinePool, request: PickRequest): Candidate | undefined {
    if (request.policy.whenAllDown !== 'try' || !isUnhealthy(pool)) return undefined
    return this.#oneOf(pool, downLines(pool, request), request)
  }

  /** Groups the processes by subset. Returns the subset to use now: the guard of the chosen one may have stopped it. */
  #subsetOf(pool: LinePool, choice: SubsetChoice): SubsetChoice {
    groupProcesses(pool, choice.subsets)
    return pool.guards.size === 0 ? choice : this.#guards.applyTo(pool, choice)
  }

  /** Returns true when a header field sends the request to another subset, or a guard has stopped the subset of the session. */
  #ignoresSession({ pool, process }: Candidate, choice: SubsetChoice | undefined): boolean {
    if (choice === undefined) return false
    return (choice.pinned && process.subset !== choice.subset) || this.#guards.isStopped(pool, process.subset)
  }

  /** Returns one of the lines; undefined when the list is empty. */
  #oneOf(pool: LinePool, lines: readonly Candidate[], request: PickRequest): Candidate | undefined {
    const processes = processesOf(lines)
    const process = this.#balance(pool, this.#near(processes, processes, request), request)
    return bestLine(lines.filter(line => line.process === process))
  }

  #balance(
    pool: LinePool,
    from: readonly PooledProcess[],
    { policy: { balancing, slowStartMs }, key }: PickRequest,
  ): PooledProcess | undefined {
    if (from.length < 2) return from[0]
    const start = pool.cursor
    pool.cursor = (start + 1) & LARGEST_CURSOR
    if (this.#countsTunnelStreams) for (const process of from) process.active = tunnelStreams(process)
    const nowMs = balancing === 'peak_ewma' || slowStartMs > 0 || pool.hasSlowWeights ? this.#clock.now() : 0
    if (slowStartMs > 0 || pool.hasSlowWeights) applySlowStart(pool, from, slowStartMs, nowMs)
    if (balancing === 'hash' && !pool.hasSeeds) setSeeds(pool)
    return chooseProcess(balancing, from, start, nowMs, key, this.#random)
  }

  #ofAll(pool: LinePool, request: PickRequest): PooledProcess | undefined {
    return this.#two(pool, request) ?? this.#balance(pool, this.#usable(pool.processes, request), request)
  }

  /** Returns the processes that take the request now; with `locality`, the near ones of them while those are enough. */
  #usable(processes: readonly PooledProcess[], request: PickRequest): readonly PooledProcess[] {
    return this.#near(processes, usable(processes, request), request)
  }

  #near(
    all: readonly PooledProcess[],
    from: readonly PooledProcess[],
    { policy: { locality = null } }: PickRequest,
  ): readonly PooledProcess[] {
    return locality === null ? from : nearProcesses(all, from, locality, this.#labels)
  }

  #ofSubset(pool: LinePool, subset: SubsetChoice, request: PickRequest): PooledProcess | undefined {
    for (const processes of groupsFor(pool, subset)) {
      const process = this.#balance(pool, this.#usable(processes, request), request)
      if (process !== undefined) return process
    }
    return undefined
  }

  /** Returns the better of two random processes; undefined when the policy compares all processes, or the pool is small. */
  #two(pool: LinePool, request: PickRequest): PooledProcess | undefined {
    const { processes, localProcesses } = pool
    const { balancing, locality = null } = request.policy
    if (processes.length <= COMPARE_ALL || locality !== null || !comparesTwo(balancing)) return undefined
    // A random choice among many remote processes would rarely find a local one. peak_ewma measures the hop instead.
    const local = balancing === 'least_streams' ? this.#any(localProcesses, request) : undefined
    const first = local ?? this.#any(processes, request)
    const second = this.#any(processes, request)
    if (first === undefined || second === undefined || first === second) return first ?? second
    return this.#balance(pool, [first, second], request)
  }

  #any(from: readonly PooledProcess[], request: PickRequest): PooledProcess | undefined {
    const process = from[Math.floor(this.#random() * from.length)]
    return process !== undefined && isUsable(process, request) ? process : undefined
  }
}

/** Returns the processes that take a stream now. Allocates memory only when some do not. */
function usable(processes: readonly PooledProcess[], request: PickRequest): readonly PooledProcess[] {
  for (const process of processes) {
    if (!isUsable(process, request)) return processes.filter(each => isUsable(each, request))
  }
  return processes
}

function isUsable(process: PooledProcess, { policy, client }: PickRequest): boolean {
  return isBelowLimit(process, policy.maxStreamsPerTelephone) && takesStream(process, client)
}

/**
 * Returns the processes that would take a stream if no process were ejected. Empty while a serving process is only full: then
 * the request waits or is rejected, because an ejected process would probably fail it.
 */
function withoutEjection(pool: LinePool, { policy, client }: PickRequest): readonly PooledProcess[] {
  if (servingLines(pool).length > 0) return []
  return pool.processes.filter(
    process => isBelowLimit(process, policy.maxStreamsPerTelephone) && hasLineFor(process, client),
  )
}
