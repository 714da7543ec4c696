// The rows of one replica about a service: each of its processes as the line picker sees it, and the state of the policy. It reads
// the pool of the service, and changes nothing in it.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { noDecisions } from '../../../common/service-decisions.ts'
import type { DirectoryService } from '../../../routes/directory.ts'
import { cost, medianOf, NO_SAMPLE_MS } from '../../../telephones/balancing/peak-ewma.ts'
import type { BreakerStatus } from '../../../telephones/breaker/circuit-breaker.ts'
import { dryPick } from '../../../telephones/inspection/dry-pick.ts'
import { processState } from '../../../telephones/inspection/process-state.ts'
import { ejectionOf } from '../../../telephones/outliers/ejection-list.ts'
import type { LinePicker } from '../../../telephones/picker/line-picker.ts'
import { instanceOf, type LinePool, type PooledProcess } from '../../../telephones/pools/line-pool.ts'
import { slowStartPart } from '../../../telephones/pools/slow-start.ts'
import { type ServiceSubsets, type Subset, subsetsOf } from '../../../telephones/subsets/service-subsets.ts'
import type { SubsetChoice } from '../../../telephones/subsets/subset-choice.ts'
import { recentErrors, STOPPED_MS, shareOf } from '../../../telephones/subsets/subset-guard.ts'
import {
  type BreakerBody,
  MAX_PROCESSES,
  type ProcessOnReplica,
  type ReplicaProcesses,
  type ServiceOnReplica,
  type SubsetStateBody,
} from '../../bodies/policy/service-processes.ts'
import type { PolicyState } from './policy-state.ts'
import { sidesOf } from './subset-sides.ts'

export interface ProcessRowsOptions {
  readonly replicaId: string
  readonly picker: Pick<LinePicker, 'pools' | 'pick'>
  /** Undefined while the public port is not open. */
  readonly policyState: () => PolicyState | undefined
  readonly clock: Clock
}

/** The default weight of a telephone. Costs are shown for it, so that the cost of an idle process is its response time. */
const USUAL_WEIGHT = 100

/** Returns the rows of this replica about a service. */
export function processRows(service: DirectoryService, options: ProcessRowsOptions): ReplicaProcesses {
  const { replicaId, picker, clock } = options
  const pool = picker.pools.get(service.name)
  const nowMs = clock.now()
  const processes = [...(pool?.known.values() ?? [])].filter(
    // The records of other processes are kept only for passive ejection.
    ({ lines, active }) => lines.length > 0 || active > 0,
  )
  let total = 0
  for (const { recent } of processes) {
    recent.advance(nowMs)
    total += recent.total
  }
  return {
    processes: processes
      .sort(byName)
      .slice(0, MAX_PROCESSES)
      .map(process => ({
        telephone: process.telephone,
        instance: instanceOf(process),
        ...processRow(process, service, total, { replicaId, clock }),
      })),
    service: serviceRow(service, pool, options),
  }
}

const byName = (left: PooledProcess, right: PooledProcess): number =>
  left.telephone === right.telephone
    ? left.key < right.key
      ? -1
      : 1
    : left.telephone < right.telephone
      ? -1
      : 1

function processRow(
  process: PooledProcess,
  { policy: { slowStartMs } }: DirectoryService,
  total: number,
  { replicaId, clock }: Pick<ProcessRowsOptions, 'replicaId' | 'clock'>,
): ProcessOnReplica {
  const { lines, fullWeight, latency, active, recent } = process
  const nowMs = clock.now()
  const part = slowStartMs > 0 ? slowStartPart(process, slowStartMs, nowMs) : 1
  const weight = fullWeight * part
  const costMs =
    latency.ewmaMs === NO_SAMPLE_MS || weight === 0
      ? null
      : USUAL_WEIGHT * cost({ ...process, weight }, nowMs)
  return {
    replicaId,
    state: processState(process),
    ejection: ejectionOf(process, clock, replicaId) ?? null,
    lines: lines.length,
    tunnelsOn: [...new Set(lines.map(({ line }) => line.replicaId))].sort(),
    effectiveWeight: rounded(weight),
    slowStartPercent: part < 1 ? rounded(part * 100) : null,
    costMs: roundedOrNull(costMs),
    responseMs: latency.responseMs === NO_SAMPLE_MS ? null : rounded(latency.responseMs),
    streams: active,
    requests: recent.total,
    errors: recent.errors,
    sharePercent: percentOf(recent.total, total),
  }
}

function serviceRow(
  service: DirectoryService,
  pool: LinePool | undefined,
  { replicaId, picker, policyState, clock }: ProcessRowsOptions,
): ServiceOnReplica {
  const { id, policy } = service
  const medianMs = medianOf(pool?.processes.map(({ latency }) => latency) ?? [])
  const subsets = subsetsOf(policy, id)
  const state = policyState()
  const { retries, queueWaitMs, holdWaitMs, ...counts } = state?.decisionsOf(id) ?? noDecisions()
  const status = policy.breaker === null ? undefined : state?.breakerOf(id)
  return {
    replicaId,
    streams: pool?.holders.length ?? 0,
    medianMs: medianMs === NO_SAMPLE_MS ? null : rounded(medianMs),
    retriesInFlight: pool?.retries.inFlight ?? 0,
    waiting: { ...(state?.waitingOf(id) ?? { queue: 0, hold: 0 }) },
    breaker: status === undefined ? null : breakerBody(status, clock),
    sides: subsets === undefined ? [] : sidesOf(pool?.processes ?? [], subsets, clock.now()),
    subsets: subsets?.list.map(subset => subsetState(subset, pool, clock)) ?? [],
    picks: choicesOf(subsets).map(subset => pickRow(subset, service, pool, picker)),
    decisions: {
      ...counts,
      queueWaitMs: Math.round(queueWaitMs),
      holdWaitMs: Math.round(holdWaitMs),
      retries: { ...retries },
    },
  }
}

/** Returns the choices of requests: of no subset, and of each one. Undefined: the service has no subsets. */
function choicesOf(subsets: ServiceSubsets | undefined): readonly (SubsetChoice | undefined)[] {
  if (subsets === undefined) return [undefined]
  return [undefined, ...subsets.list].map(subset => ({ subsets, subset, pinned: false, fraction: 0 }))
}

function pickRow(
  subset: SubsetChoice | undefined,
  { name, policy }: DirectoryService,
  pool: LinePool | undefined,
  picker: ProcessRowsOptions['picker'],
): ServiceOnReplica['picks'][number] {
  const nothing = { tried: undefined, preferred: undefined, client: '', key: undefined }
  const picked = dryPick(request => picker.pick(request), pool, { service: name, policy, subset, ...nothing })
  const names = { subset: subset?.subset?.name ?? null }
  if (typeof picked === 'string') return { ...names, telephone: null, instance: null, refusal: picked }
  return {
    ...names,
    telephone: picked.process.telephone,
    instance: instanceOf(picked.process),
    refusal: null,
  }
}

/** Returns the state of a subset on this replica. */
export function subsetState(
  { id, name, percent }: Subset,
  pool: LinePool | undefined,
  clock: Clock,
): SubsetStateBody {
  const guard = pool?.guards.get(id)
  const nowMs = clock.now()
  const share = guard === undefined ? 1 : shareOf(guard, nowMs)
  const errors = guard === undefined ? undefined : recentErrors(guard)
  const wasStopped = guard !== undefined && guard.stops > 0
  return {
    subset: name,
    state: share === 0 ? 'stopped' : share < 1 ? 'reduced' : 'serving',
    percent,
    currentPercent: rounded(percent * share),
    stops: guard?.stops ?? 0,
    since: wasStopped ? wallText(guard.stoppedUntilMs - STOPPED_MS, clock) : null,
    until: wasStopped && share === 0 ? wallText(guard.stoppedUntilMs, clock) : null,
    atStop: roundedErrors(guard?.lastStop),
    now: roundedErrors(errors),
  }
}

export function breakerBody(
  { state, changedAtMs, untilMs, requests, errors }: BreakerStatus,
  clock: Clock,
): BreakerBody {
  return {
    state,
    since: changedAtMs === undefined ? null : wallText(changedAtMs, clock),
    errorPercent: percentOf(errors, requests),
    requests,
    until: untilMs === undefined ? null : wallText(untilMs, clock),
  }
}

const wallText = (atMs: number, clock: Clock): string =>
  new Date(clock.wallTime() - clock.now() + atMs).toISOString()

const roundedErrors = (errors: SubsetStateBody['atStop'] | undefined): SubsetStateBody['atStop'] =>
  errors === null || errors === undefined
    ? null
    : { errorPercent: rounded(errors.errorPercent), restErrorPercent: rounded(errors.restErrorPercent) }

const rounded = (value: number): number => Math.round(value * 10) / 10
const roundedOrNull = (value: number | null): number | null => (value === null ? null : rounded(value))
const percentOf = (part: number, whole: number): number => (whole === 0 ? 0 : rounded((100 * part) / whole))
