// The lines of one service, grouped by the telephone process that serves them, with a test for whether a line takes a stream
// now, and the count of the open streams. pool-lines.ts adds and removes lines. This file does not choose among them.

import { ClientShares } from '@vera-stack/shared/client-shares.ts'
import type { Timer } from '@vera-stack/shared/clock.ts'
import type { HashKey } from '../../limits/keyed-hash.ts'
import type { Line } from '../../registry/line.ts'
import type { Upstream } from '../../registry/upstream.ts'
import type { OutlierPolicy } from '../../routes/options/outlier-policy.ts'
import type { BalancedProcess } from '../balancing/balanced-process.ts'
import { NO_SAMPLE_MS, newLatency } from '../balancing/peak-ewma.ts'
import { ResultWindow } from '../outliers/result-window.ts'
import { isWatched, newWatch, type PoolResults, type WatchedProcess } from '../outliers/watched-process.ts'
import { newRetryCounts, type RetryCounts } from '../picker/retry-budget.ts'
import type { ServiceSubsets, Subset } from '../subsets/service-subsets.ts'
import type { SubsetGuard } from '../subsets/subset-guard.ts'
import { RecentTimes } from './recent-times.ts'

/** The period of `recent` of a process, ms. */
export const RECENT_MS = 60_000

/** The owner of a stream of a service. */
export interface StreamHolder {
  /** The client of the stream; empty: unknown. */
  readonly client: string
  /** Its index in `holders` of the pool. Only this file changes it. */
  poolSlot: number
}

/** A line with its upstream. The caller keeps it, to pass it in `tried` and to release the stream. */
export interface Candidate {
  line: Line
  readonly upstream: Upstream
  readonly pool: LinePool
  readonly process: PooledProcess
  /** True when the tunnel ends on this replica. */
  readonly local: boolean
  /** Number of streams that were acquired and not released. */
  active: number
}

/**
 * One telephone process and its lines of the service. The backend is the same behind all tunnels of a process, so the weight,
 * the streams and the latency belong to the process, not to each line.
 */
export interface PooledProcess extends BalancedProcess {
  /** Identifies the process within the cluster: see `processKey`. */
  readonly key: string
  /** Name of the telephone. */
  readonly telephone: string
  /** Ordered by the last change of the weight: the last line has the newest weight. */
  readonly lines: Candidate[]
  isLocal: boolean
  /** The weight that the telephone announced. */
  announcedWeight: number
  /** The override of the process: see process-overrides.ts. */
  override: ProcessSetting | undefined
  /** Ends the ejection by an operator. */
  holdTimer: Timer | undefined
  /** The weight of the override, or else the announced one. */
  fullWeight: number
  /** `fullWeight`, or a part of it during a slow start. */
  weight: number
  /** Hash of the telephone's name: see hash-seeds.ts. */
  seed: number
  /** Time at which the process started to take requests. */
  startedAtMs: number
  active: number
  /** Start index of the next scan of `lines`, so that lines with equally many streams take turns. */
  cursor: number
  /** The results of the last minute, for operators. No choice depends on them. */
  readonly recent: ResultWindow
  /** The times to the head of a response in the last minute, for operators. */
  readonly times: RecentTimes
  /** Whether passive ejection admits requests to the process, and the results that decide it. */
  readonly watch: WatchedProcess
  /** The value that binds clients to the process, and the key of its hash; undefined: not computed yet. */
  sessionValue: string
  sessionKey: HashKey | undefined
  /** The subset that selects the process. Valid while `subsets` of the pool is that of the request. */
  subset: Subset | undefined
}

/** The weight or the ejection that an operator has set for a process. */
export interface ProcessSetting {
  /** Null: the announced weight applies. */
  readonly weight: number | null
  /** Milliseconds since 1970; null: the process is not ejected. */
  readonly ejectedUntilMs: number | null
}

/** The lines of one service. */
export interface LinePool extends PoolResults {
  /** Name of the service. It changes when the service is renamed. */
  service: string
  readonly candidates: Candidate[]
  /** The processes that have a line. */
  readonly processes: PooledProcess[]
  /** Those of `processes` that have a line whose tunnel ends on this replica. */
  readonly localProcesses: PooledProcess[]
  /**
   * The processes by key. Includes processes without a line whose streams have not ended, or that passive ejection watches: their
   * counts and their ejection continue when they connect again.
   */
  readonly known: Map<string, PooledProcess>
  /** Holders of all open streams. An array instead of a Set, because it changes with every request: see Deadlines. */
  readonly holders: StreamHolder[]
  /** Number of all streams that were opened. */
  opened: number
  /** The use of the retry budget: see retry-budget.ts. */
  readonly retries: RetryCounts
  /** The share of the open streams that each client holds. */
  readonly shares: ClientShares
  /** Counts the comparisons: each starts at another process, so that equal processes take turns. */
  cursor: number
  /** Median of the processes' response times, ms, and the time at which it was computed: see pool-latency.ts. */
  medianMs: number
  medianAtMs: number
  /** The policy of passive ejection, from the last request. */
  outlier: OutlierPolicy
  /** The latest `startedAtMs` of a process. */
  newestStartMs: number
  /** True when a process may have a part of its weight only. */
  hasSlowWeights: boolean
  /** False: `seed` of the processes must be set before it is used. */
  hasSeeds: boolean
  /** The subsets for which the processes are grouped; undefined: they must be grouped before the groups are used. */
  subsets: ServiceSubsets | undefined
  /** The processes of each subset, and those of no subset: see pool-subsets.ts. */
  ofSubsets: PooledProcess[][]
  ofNoSubset: PooledProcess[]
  /** The guards by the id of their subset. Empty for most services. */
  readonly guards: Map<string, SubsetGuard>
}

/** Returns true when the line takes traffic and this replica can reach it. The line may be at its stream limit. */
export function isAvailable(candidate: Candidate): boolean {
  return candidate.line.health === 'up' && isReachable(candidate)
}

/** Returns true when the line takes a stream of this client now. */
export function canTake(candidate: Candidate, client: string): boolean {
  return isAvailable(candidate) && hasRoomFor(candidate, client)
}

/** Returns true when the line would take a stream of this client now, if its health check passed. */
export function canTakeIfHealthy(candidate: Candidate, client: string): boolean {
  return isReachable(candidate) && hasRoomFor(candidate, client)
}

/** Returns true when the process may have a further stream. `max`: `maxStreamsPerTelephone` of the policy. */
export function isBelowLimit({ active }: PooledProcess, max: number | null): boolean {
  return max === null || active < max
}

/** Returns true when the line takes a stream of this client now, also when its process has the weight 0. */
export function canTakeIgnoringWeight(candidate: Candidate, client: string): boolean {
  const { line, upstream } = candidate
  return line.health === 'up' && upstream.reachable !== false && hasRoomFor(candidate, client)
}

function isReachable({ process, upstream }: Candidate): boolean {
  return process.weight > 0 && upstream.reachable !== false
}

function hasRoomFor({ upstream }: Candidate, client: string): boolean {
  return upstream.canOpen && upstream.hasRoomFor?.(client) !== false
}

/** Creates a pool without lines. */
export function newPool(service: string, clientSharePercent: number): LinePool {
  const holders: StreamHolder[] = []
  const shares = new ClientShares(clientSharePercent, () => holders.map(({ client }) => client))
  return {
    service,
    candidates: [],
    processes: [],
    localProcesses: [],
    known: new Map(),
    holders,
    opened: 0,
    retries: newRetryCounts(),
    shares,
    cursor: 0,
    medianMs: NO_SAMPLE_MS,
    medianAtMs: Number.NEGATIVE_INFINITY,
    outlier: false,
    resultsTotal: 0,
    resultsFailed: 0,
    successStartMs: Number.NEGATIVE_INFINITY,
    newestStartMs: Number.NEGATIVE_INFINITY,
    hasSlowWeights: false,
    hasSeeds: false,
    subsets: undefined,
    ofSubsets: [],
    ofNoSubset: [],
    guards: new Map(),
  }
}

/** Creates a process without lines. */
export function newProcess(key: string, telephone: string): PooledProcess {
  return {
    key,
    telephone,
    lines: [],
    isLocal: false,
    announcedWeight: 0,
    override: undefined,
    holdTimer: undefined,
    fullWeight: 0,
    weight: 0,
    seed: 0,
    startedAtMs: 0,
    active: 0,
    latency: newLatency(),
    turn: 0,
    cursor: 0,
    recent: new ResultWindow(RECENT_MS),
    times: new RecentTimes(),
    watch: newWatch(),
    sessionValue: '',
    sessionKey: undefined,
    subset: undefined,
  }
}

/** Returns the id of the process, which is the last part of its key. */
export function instanceOf({ key }: PooledProcess): string {
  return key.slice(key.indexOf('\0') + 1)
}

/** Counts a stream that was opened on the candidate's line. */
export function addStream(candidate: Candidate, holder: StreamHolder): void {
  const { pool, process } = candidate
  candidate.active += 1
  process.active += 1
  pool.opened += 1
  holder.poolSlot = pool.holders.push(holder) - 1
  pool.shares.add(holder.client)
}

/** Removes a stream that has ended. */
export function removeStream(candidate: Candidate, holder: StreamHolder): void {
  const { pool, process } = candidate
  candidate.active -= 1
  process.active -= 1
  if (process.active === 0) forgetIdle(pool, process)
  const { holders, shares } = pool
  shares.remove(holder.client)
  const last = holders.pop() as StreamHolder
  if (last === holder) return
  holders[holder.poolSlot] = last
  last.poolSlot = holder.poolSlot
}

/** Forgets a process without lines, unless passive ejection watches it. Call it when the process has no stream. */
export function forgetIdle({ known }: LinePool, { key, lines, watch }: PooledProcess): void {
  if (lines.length === 0 && !isWatched(watch)) known.delete(key)
}

/** Returns all lines of the candidate's process in its pool. */
export function linesOfProcess({ process }: Candidate): readonly Candidate[] {
  return process.lines
}
