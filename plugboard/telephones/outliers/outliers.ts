// Passive ejection: watches the results of each telephone process of a pool. A process that fails receives no requests for some time. The line picker reports the results and reads `admits`. outlier-rules.ts has the rules, ejection-bound.ts the bounds,
// outlier-state.ts the states. This file performs the effects: timer, log line, counter, probe. A result of a serving process costs a
// few additions and no allocation.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { Line } from '../../registry/line.ts'
import type { OutlierPolicy } from '../../routes/options/outlier-policy.ts'
import type { Candidate, LinePool, PooledProcess } from '../pools/line-pool.ts'
import { startSlowly } from '../pools/slow-start.ts'
import { ejectionBound } from './ejection-bound.ts'
import { EjectionCounts } from './ejection-counts.ts'
import { failsInARow, failsMore, isErrorProne, isGatewayFailure } from './outlier-rules.ts'
import { type EjectionReason, type OutlierEvent, step } from './outlier-state.ts'
import {
  forgetResults,
  isServing,
  noteFailure,
  updateAdmits,
  type WatchedProcess,
} from './watched-process.ts'

/** The result of a telephone's own health check; undefined: the telephone did not respond. */
export type CheckResult = 'up' | 'down' | undefined

export interface OutliersOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Asks the telephone of the line to run its health check now. Never rejects. Default: no telephone is asked. */
  readonly probe?: ((line: Line) => Promise<CheckResult>) | undefined
}

/** The difference of two times is not exact. */
const ROUNDING_MS = 0.001
/** The rules of a failing process are evaluated at most once in this time while the bounds prevent its ejection. */
const EVALUATE_MS = 100
/**
 * A trial without a result keeps further requests from a half-open process for this time. So a client that uploads slowly cannot
 * keep the process half-open.
 */
const TRIAL_MS = 10_000

export class Outliers {
  readonly counts = new EjectionCounts()
  readonly #options: OutliersOptions
  readonly #clock: Clock
  #closed = false

  constructor(options: OutliersOptions) {
    this.#options = options
    this.#clock = options.clock
  }

  /** Stops the timers of these pools. */
  close(pools: Iterable<LinePool>): void {
    this.#closed = true
    for (const { known } of pools) {
      for (const { watch } of known.values()) watch.timer?.cancel()
    }
  }

  /** Applies a changed policy. Without passive ejection, all ejected processes serve again. */
  usePolicy(pool: LinePool, policy: OutlierPolicy): void {
    pool.outlier = policy
    if (policy === false) for (const process of pool.processes) this.#disable(pool, process)
  }

  // Results of attempts

  /** Records the head of a response. The results of a process without lines, such as a draining one, have no effect. */
  responded({ pool, process }: Candidate, status: number, latencyMs: number, nowMs: number): void {
    if (pool.outlier === false || process.lines.length === 0) return
    const { watch } = process
    if (status < 500) this.#succeeded(pool, process, latencyMs, nowMs)
    else if (startedBefore(watch, latencyMs, nowMs)) return
    else this.#failed(pool, process, String(status), isGatewayFailure(status), nowMs)
  }

  /**
   * Records an attempt that failed before the head of a response. A lost line is not a fault of the backend behind it, and is
   * not recorded.
   */
  failed({ pool, process }: Candidate, cause: string, latencyMs: number, nowMs: number): void {
    if (pool.outlier === false || process.lines.length === 0 || cause === 'lost') return
    if (!startedBefore(process.watch, latencyMs, nowMs)) this.#failed(pool, process, cause, true, nowMs)
  }

  #succeeded(pool: LinePool, process: PooledProcess, latencyMs: number, nowMs: number): void {
    const { watch } = process
    if (watch.state.kind === 'serving') {
      pool.resultsTotal += 1
      pool.successStartMs = nowMs - latencyMs
      watch.run = 0
      watch.refusedRun = 0
      watch.window.add(false, nowMs)
      return
    }
    if (startedBefore(watch, latencyMs, nowMs)) return
    this.#endTrial(process)
    this.#apply(pool, process, { kind: 'succeeded', nowMs })
  }

  #failed(pool: LinePool, process: PooledProcess, failure: string, isGateway: boolean, nowMs: number): void {
    const { outlier: policy } = pool
    const { watch } = process
    if (policy === false) return
    noteFailure(watch, { atMs: this.#clock.wallTime(), failure })
    const refused = failure === 'refused'
    if (watch.state.kind === 'serving') {
      this.#count(pool, watch, isGateway, refused, nowMs)
      const reason = this.#reasonToEject(pool, process, policy.consecutive, nowMs)
      if (reason !== undefined) this.#eject(pool, process, reason, watch.refusedRun > 0, nowMs)
      return
    }
    this.#endTrial(process)
    if (watch.state.kind !== 'half_open') return
    const mayEject = this.#mayEject(pool, process, refused, nowMs)
    const isDown = isAnnouncedDown(process)
    this.#apply(pool, process, { kind: 'failed', refused, isDown, mayEject, times: policy, nowMs })
  }

  #count(pool: LinePool, watch: WatchedProcess, isGateway: boolean, refused: boolean, nowMs: number): void {
    watch.window.add(true, nowMs)
    if (!isGateway) {
      pool.resultsTotal += 1
      watch.run = 0
      watch.refusedRun = 0
      return
    }
    if (watch.run === 0) {
      watch.runSinceMs = nowMs
      watch.totalBefore = pool.resultsTotal
      watch.failedBefore = pool.resultsFailed
    }
    pool.resultsTotal += 1
    pool.resultsFailed += 1
    watch.run += 1
    watch.refusedRun = refused ? watch.refusedRun + 1 : 0
  }

  #reasonToEject(
    pool: LinePool,
    process: PooledProcess,
    consecutive: number,
    nowMs: number,
  ): EjectionReason | undefined {
    const { watch } = process
    if (nowMs < watch.evaluateAtMs) return undefined
    if (failsInARow(watch, pool, consecutive)) return 'consecutive_failures'
    if (!isErrorProne(watch)) return undefined
    watch.evaluateAtMs = nowMs + EVALUATE_MS
    return failsMore(watch, othersServing(pool, process), nowMs) ? 'error_responses' : undefined
  }

  #eject(
    pool: LinePool,
    process: PooledProcess,
    reason: EjectionReason,
    refused: boolean,
    nowMs: number,
  ): void {
    const { outlier: policy } = pool
    if (policy === false) return
    if (!this.#mayEject(pool, process, refused, nowMs)) {
      process.watch.evaluateAtMs = nowMs + EVALUATE_MS
      return
    }
    const isDown = isAnnouncedDown(process)
    this.#apply(pool, process, { kind: 'rule_matched', reason, refused, isDown, times: policy, nowMs })
  }

  /** Returns true when the bounds allow the ejection. Otherwise reports that a process fails and is not ejected. */
  #mayEject(pool: LinePool, process: PooledProcess, refused: boolean, nowMs: number): boolean {
    const bound = ejectionBound(pool, process, refused)
    if (bound === 'max_ejected' && pool.outlier !== false)
      this.#reportPause(pool.service, pool.outlier.maxEjectedPercent, nowMs)
    return bound === undefined
  }

  /** Reports a pause once, until no ejection was prevented for a while. */
  #reportPause(service: string, percent: number, nowMs: number): void {
    if (!this.counts.pause(service, nowMs, this.#clock.wallTime())) return
    this.#options.log.warn('ejection paused at its bound', {
      service,
      detail: `A further process fails, but at most ${percent} % of the processes are ejected (outlier.maxEjectedPercent). Repair the backends.`,
    })
  }

  // Trials of half-open processes

  /** Notes that a stream was opened on a line of the process. A half-open process gets one at a time. */
  opened({ process }: Candidate, holder: object): void {
    const { watch } = process
    if (watch.state.kind !== 'half_open' || watch.trial !== undefined) return
    watch.trial = holder
    updateAdmits(watch)
    if (this.#closed) return
    watch.timer = this.#clock.after(TRIAL_MS, () => {
      watch.timer = undefined
      this.#endTrial(process)
    })
  }

  /** Notes that the stream has ended: a client may cancel a trial. */
  ended({ process }: Candidate, holder: object): void {
    if (process.watch.trial === holder) this.#endTrial(process)
  }

  #endTrial({ watch }: PooledProcess): void {
    watch.trial = undefined
    if (watch.state.kind === 'half_open') {
      watch.timer?.cancel()
      watch.timer = undefined
    }
    updateAdmits(watch)
  }

  // Lines and health checks

  /** Call when the health that the telephone announces for a line of the process has changed. */
  healthChanged(pool: LinePool, process: PooledProcess, health: 'up' | 'down'): void {
    const kind = health === 'up' ? 'check_passed' : 'check_failed'
    this.#apply(pool, process, { kind, nowMs: this.#clock.now() })
  }

  /** Call when the last line of the process has ended. Its state stays, in case the process connects again. */
  lastLineRemoved({ watch }: PooledProcess): void {
    watch.timer?.cancel()
    watch.timer = undefined
  }

  /** Call when a line of the process was added. Continues an ejection that began before all of its lines had ended. */
  lineAdded(pool: LinePool, process: PooledProcess): void {
    const { state, timer } = process.watch
    if (pool.outlier === false) this.#disable(pool, process)
    else if (state.kind === 'ejected' && timer === undefined)
      this.#wake(pool, process, Math.max(0, state.untilMs - this.#clock.now()))
  }

  #disable(pool: LinePool, process: PooledProcess): void {
    this.#apply(pool, process, { kind: 'disabled', nowMs: this.#clock.now() })
  }

  // Transitions

  #apply(pool: LinePool, process: PooledProcess, event: OutlierEvent): void {
    const { watch } = process
    const before = watch.state
    const { state, effects } = step(before, event)
    watch.state = state
    if (state.kind !== before.kind) this.#changed(pool, process)
    for (const effect of effects) {
      switch (effect.kind) {
        case 'wake':
          this.#wake(pool, process, effect.afterMs)
          break
        case 'probe':
          this.#probe(pool, process)
          break
        case 'slow_start':
          startSlowly(pool, process, event.nowMs)
          break
        default:
          effect satisfies never
      }
    }
  }

  #changed(pool: LinePool, process: PooledProcess): void {
    const { watch } = process
    const { state } = watch
    watch.timer?.cancel()
    watch.timer = undefined
    watch.trial = undefined
    updateAdmits(watch)
    forgetResults(watch)
    this.counts.changed(pool.service, state)
    const fields = { service: pool.service, telephoneId: process.telephone, count: state.ejections }
    switch (state.kind) {
      case 'ejected':
        watch.reason = state.reason
        this.#options.log.warn('process ejected', {
          ...fields,
          cause: state.reason,
          delayMs: state.untilMs - state.sinceMs,
          detail: `last failures: ${watch.failures.map(({ failure }) => failure).join(', ')}`,
        })
        break
      case 'half_open':
        this.#options.log.info('ejected process gets trial requests', fields)
        break
      case 'serving':
        this.#options.log.info('ejected process serves again', fields)
        break
      default:
        state satisfies never
    }
  }

  #wake(pool: LinePool, process: PooledProcess, afterMs: number): void {
    if (this.#closed) return
    const { watch } = process
    watch.timer = this.#clock.after(afterMs, () => {
      watch.timer = undefined
      this.#apply(pool, process, { kind: 'elapsed', nowMs: this.#clock.now() })
    })
  }

  /** Asks the telephone for its own check, when it has one. The ejection may have ended before the response arrives. */
  #probe(pool: LinePool, process: PooledProcess): void {
    const { probe } = this.#options
    const line = process.lines.find(candidate => candidate.line.healthCheck === true)?.line
    if (probe === undefined || line === undefined) return
    const { sinceMs } = process.watch.state
    void probe(line).then(health => {
      const isSame = process.watch.state.kind === 'ejected' && process.watch.state.sinceMs === sinceMs
      if (health !== undefined && isSame && !this.#closed) this.healthChanged(pool, process, health)
    })
  }
}

function isAnnouncedDown({ lines }: PooledProcess): boolean {
  return lines.every(({ line }) => line.health === 'down')
}

/** True when the attempt started before the process entered its state: its result does not concern the state. */
function startedBefore({ state }: WatchedProcess, latencyMs: number, nowMs: number): boolean {
  return nowMs - latencyMs < state.sinceMs - ROUNDING_MS
}

function* othersServing(pool: LinePool, process: PooledProcess): Generator<WatchedProcess> {
  for (const { watch } of pool.processes) {
    if (watch !== process.watch && isServing(watch)) yield watch
  }
}
