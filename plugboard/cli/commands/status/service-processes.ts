// The part of `plugboard service show` about the moment: the processes of the service with their state on all replicas, and the
// state of its traffic policy.

import type {
  ProcessOnReplica,
  ServiceOnReplica,
  ServiceProcessBody,
  ServiceProcessesBody,
} from '../../../admin/api-types.ts'
import { ApiError } from '../../api/api-client.ts'
import { type ApiCommand, type CliContext, segment } from '../../api/api-command.ts'
import { noteMissing } from '../../api/missing-replicas.ts'
import { type Column, type Output, relative } from '../../output/output.ts'
import { effectOf } from '../process/override-text.ts'

/** Resolves with the processes; undefined: the service is deleted, the key may not read them, or the replica is older. */
export async function readProcesses(
  { api, output }: ApiCommand<unknown>,
  id: string,
): Promise<ServiceProcessesBody | undefined> {
  try {
    return await api.get<ServiceProcessesBody>(`/v1/services/${segment(id)}/processes`)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.code === 'not_found') return undefined
    if (error.code !== 'forbidden') throw error
    output.note(
      'note: the processes of the service are not shown, because the key does not have the scope status:read',
    )
    return undefined
  }
}

export async function showProcesses(
  output: Output,
  { items, replicas, balancing, missingReplicas }: ServiceProcessesBody,
  context: CliContext,
): Promise<void> {
  if (output.format !== 'table') return
  noteMissing(output, missingReplicas)
  const picked = new Set(replicas.flatMap(({ picks }) => picks.map(({ instance }) => instance)))
  if (items.length === 0) output.note('note: no telephone serves the service now')
  else {
    const hasSubsets = items.some(({ subset }) => subset !== null)
    const several = replicas.length > 1
    const title = several ? 'processes (on all replicas)' : 'processes'
    await output.section(`${title}; > is the next one by ${balancing}`, items, [
      { title: 'telephone', value: row => `${picked.has(row.instance) ? '> ' : '  '}${row.telephone}` },
      ...columns(context).filter(({ title: column }) => column !== 'subset' || hasSubsets),
    ])
  }
  const ejected = items.flatMap(({ telephone, replicas: rows }) =>
    rows.flatMap(({ ejection }) => (ejection === null ? [] : [{ telephone, ...ejection }])),
  )
  if (ejected.length > 0) {
    await output.section('ejections', ejected, [
      { title: 'telephone', value: row => row.telephone },
      { title: 'replica', value: row => row.replicaId },
      { title: 'state', value: row => row.state },
      { title: 'since', value: row => relative(row.since, context.now()) },
      { title: 'until', value: row => (row.until === null ? '' : relative(row.until, context.now())) },
      { title: 'reason', value: row => row.reason },
      { title: 'last failures', value: row => row.failures.map(({ failure }) => failure).join(' ') },
    ])
  }
  const subsets = replicas.flatMap(({ replicaId, subsets: list }) =>
    list.map(subset => ({ replicaId, ...subset })),
  )
  if (subsets.length > 0) await output.section('subsets', subsets, subsetColumns(context))
  await output.section('traffic policy on each replica', replicas, replicaColumns(context))
}

/** Returns the columns for this moment. */
const columns = ({ now }: CliContext): readonly Column<ServiceProcessBody>[] => [
  { title: 'state', value: row => stateText(row, now()) },
  { title: 'weight', value: weightText },
  { title: 'cost', value: row => rangeText(row.replicas, each => each.costMs) },
  { title: 'response', value: row => rangeText(row.replicas, each => each.responseMs) },
  { title: 'streams', value: row => row.streams },
  { title: 'share', value: row => `${row.sharePercent} %` },
  { title: 'errors', value: row => `${row.errors} of ${row.requests}` },
  { title: 'version', value: row => row.version },
  { title: 'subset', value: row => row.subset },
  { title: 'labels', value: row => labelsText(row.labels), canCut: true },
  { title: 'tunnels on', value: row => [...new Set(row.replicas.flatMap(each => each.tunnelsOn))].join(' ') },
]

/** Returns `serving`, what an operator has set, or each other state with its replicas: `ejected (r1 r2)`. */
function stateText({ replicas, override }: ServiceProcessBody, nowMs: number): string {
  const byState = Map.groupBy(replicas, ({ state }) => state)
  // A replica of an older version sends no overrides.
  const effect = override ? effectOf(override, nowMs) : ''
  if (byState.size === 1) {
    const state = replicas[0]?.state ?? ''
    return effect === '' ? state : state === 'serving' ? `serving, ${effect}` : effect
  }
  const states = [...byState]
    .filter(([state]) => state !== 'serving')
    .map(([state, rows]) => `${state} (${rows.map(({ replicaId }) => replicaId).join(' ')})`)
    .join(', ')
  return effect === '' ? states : `${effect}; ${states}`
}

/** Returns the weight that applies, with the part of it during a slow start. */
function weightText({ weight: announced, override, replicas }: ServiceProcessBody): string {
  const weight = override?.weight ?? announced
  const parts = replicas.flatMap(({ slowStartPercent }) => slowStartPercent ?? [])
  return parts.length === 0 ? String(weight) : `${weight} (starts: ${Math.round(Math.min(...parts))} %)`
}

/** Returns a time, or the lowest and the highest one of the replicas. */
function rangeText(
  replicas: readonly ProcessOnReplica[],
  timeOf: (replica: ProcessOnReplica) => number | null,
): string {
  const values = replicas.flatMap(replica => timeOf(replica) ?? [])
  if (values.length === 0) return ''
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return low === high ? `${low} ms` : `${low}-${high} ms`
}

const labelsText = (labels: ServiceProcessBody['labels']): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')

type SubsetRow = ServiceOnReplica['subsets'][number] & { readonly replicaId: string }

/** Returns the columns of the subsets, which `plugboard status` shows too. */
export function subsetColumns(context: CliContext): readonly Column<SubsetRow>[] {
  const errors = (of: SubsetRow['now']): string =>
    of === null ? '' : `${of.errorPercent} %, others ${of.restErrorPercent} %`
  return [
    { title: 'subset', value: row => row.subset },
    { title: 'replica', value: row => row.replicaId },
    { title: 'state', value: row => row.state },
    { title: 'percent', value: row => `${row.currentPercent} of ${row.percent}` },
    { title: 'stopped', value: row => (row.since === null ? '' : relative(row.since, context.now())) },
    { title: 'continues', value: row => (row.until === null ? '' : relative(row.until, context.now())) },
    { title: 'errors at the stop', value: row => errors(row.atStop) },
    { title: 'errors now', value: row => errors(row.now) },
  ]
}

function replicaColumns(context: CliContext): readonly Column<ServiceOnReplica>[] {
  return [
    { title: 'replica', value: row => row.replicaId },
    { title: 'next', value: nextText },
    { title: 'streams', value: row => row.streams },
    { title: 'median', value: row => (row.medianMs === null ? '' : `${row.medianMs} ms`) },
    { title: 'waiting', value: waitingText },
    { title: 'mean wait', value: meanWaitText },
    { title: 'retries', value: retriesText },
    { title: 'breaker', value: row => breakerText(row.breaker, context) },
  ]
}

/** Returns the next process of each subset: `a, canary: b`. */
function nextText({ picks }: ServiceOnReplica): string {
  return picks
    .map(({ subset, telephone, refusal }) => `${subset === null ? '' : `${subset}: `}${telephone ?? refusal}`)
    .join(', ')
}

function waitingText({ waiting: { queue, hold } }: ServiceOnReplica): string {
  if (queue + hold === 0) return ''
  return hold === 0 ? `${queue} in the queue` : `${queue} in the queue, ${hold} for a telephone`
}

function meanWaitText({ decisions }: ServiceOnReplica): string {
  const { queueWaits, queueWaitMs, holdWaits, holdWaitMs } = decisions
  const waits = queueWaits + holdWaits
  return waits === 0 ? '' : `${Math.round((queueWaitMs + holdWaitMs) / waits)} ms (${waits} waits)`
}

function retriesText({ decisions, retriesInFlight }: ServiceOnReplica): string {
  const { retries, retryBudgetExhausted } = decisions
  const count = Object.values(retries).reduce((sum, each) => sum + each, 0)
  const now = retriesInFlight === 0 ? '' : `, ${retriesInFlight} now`
  const over = retryBudgetExhausted === 0 ? '' : `, ${retryBudgetExhausted} over the budget`
  return `${count}${now}${over}`
}

/** Returns the state of a breaker: `open 3s ago, 80 % failed, next attempt in 7s`. */
export function breakerText(breaker: ServiceOnReplica['breaker'], context: CliContext): string {
  if (breaker === null) return ''
  const { state, since, errorPercent, until } = breaker
  if (state === 'closed') return `closed, ${errorPercent} % failed`
  const opened = since === null ? '' : ` since ${relative(since, context.now()).replace(' ago', '')}`
  const next =
    until === null ? ', admits one request at a time' : `, next attempt ${relative(until, context.now())}`
  return `${state === 'open' ? 'open' : 'half-open'}${opened}, ${errorPercent} % failed${next}`
}
