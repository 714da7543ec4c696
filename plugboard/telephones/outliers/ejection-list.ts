// The ejections of one replica as the admin API lists them, and as replicas exchange them: the processes that were ejected in the last
// minutes, and the counts of each service. The descriptions are in the OpenAPI document, as in
// listed-telephone.ts.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { z } from 'zod'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { LinePool, PooledProcess } from '../pools/line-pool.ts'
import type { EjectionCounts } from './ejection-counts.ts'
import { ejectionsAt, HEALTHY_MS } from './outlier-state.ts'
import { KEPT_FAILURES } from './watched-process.ts'

/** Processes in one list. */
export const MAX_EJECTIONS = 500

const timestamp = z.iso.datetime().meta({ example: '2026-11-20T12:00:00.000Z' })
const count = (description: string) => z.int().meta({ description })

const failureSchema = z.strictObject({
  at: timestamp,
  failure: z.string().meta({
    example: '503',
    description:
      'The status of the response, or the reason of its absence: `refused` (the backend refuses connections), `connect`, ' +
      '`reset` or `timeout`.',
  }),
})

/** One ejection, in the row of a service of a telephone. */
export const processEjectionSchema = z.strictObject({
  replicaId: z
    .string()
    .meta({ description: 'The replica that ejected the process. Each replica decides alone.' }),
  state: z.enum(['ejected', 'half_open', 'serving']).meta({
    description:
      '`ejected`: the process receives no requests; `half_open`: it receives one request at a time, until three have ' +
      `succeeded; \`serving\`: it receives requests again, but was ejected in the last ${HEALTHY_MS / 60_000} minutes.`,
  }),
  reason: z.enum(['consecutive_failures', 'error_responses', 'trial_failed']).meta({
    description:
      'The reason of the last ejection. `consecutive_failures`: several attempts in a row failed; `error_responses`: at least half ' +
      'of its responses had a status of 500 or more; `trial_failed`: a request to the half-open process failed.',
  }),
  since: timestamp.meta({ description: 'When the process entered the state.' }),
  until: timestamp
    .nullable()
    .meta({ description: 'When the ejection ends at the latest. null: the process is not ejected.' }),
  ejections: count(
    'Ejections in a row. Each one takes twice as long as the one before, up to `outlier.maxEjectMs`.',
  ),
  failures: z
    .array(failureSchema)
    .max(KEPT_FAILURES)
    .meta({ description: `The last ${KEPT_FAILURES} failures, the oldest first.` }),
})
export type ProcessEjection = z.infer<typeof processEjectionSchema>

/** The fields in the response of another replica. Further keys of a newer version are removed. */
export const remoteEjectionFields = {
  ...processEjectionSchema.shape,
  failures: z.array(failureSchema.strip()).max(KEPT_FAILURES),
} as const

/** One ejection in the list of all. */
export const listedEjectionSchema = z.strictObject({
  service: z.string(),
  telephone: z.string(),
  instance: z.string().meta({ description: 'The id of the process. Each start has a new one.' }),
  ...processEjectionSchema.shape,
})
export type ListedEjection = z.infer<typeof listedEjectionSchema>

export const serviceEjectionsSchema = z.strictObject({
  service: z.string(),
  replicaId: z.string().meta({ description: 'The replica that counted.' }),
  consecutiveFailures: count('Ejections because several attempts in a row failed.'),
  errorResponses: count('Ejections because at least half of the responses had a status of 500 or more.'),
  trialFailures: count('Ejections because a request to the half-open process failed.'),
  halfOpened: count('Ejected processes that started to receive trial requests.'),
  readmitted: count('Ejected processes that serve again.'),
  paused: count('How often `outlier.maxEjectedPercent` started to prevent ejections.'),
  pausedSince: timestamp.nullable().meta({
    description:
      'Since when a process fails and is not ejected, because `outlier.maxEjectedPercent` of the processes are ejected. ' +
      'null: no ejection is prevented.',
  }),
})
export type ListedServiceEjections = z.infer<typeof serviceEjectionsSchema>

/** Returns the processes whose last ejection still counts, with the ejected and half-open ones first. */
export function listEjections(
  pools: Iterable<LinePool>,
  clock: Clock,
  replicaId: ReplicaId,
): ListedEjection[] {
  const rows: ListedEjection[] = []
  for (const { service, processes } of pools) {
    for (const process of processes) {
      const row = rowOf(service, process, clock, replicaId)
      if (row !== undefined) rows.push(row)
    }
  }
  const rank = ({ state }: ListedEjection): number => (state === 'serving' ? 1 : 0)
  return rows.sort((left, right) => rank(left) - rank(right)).slice(0, MAX_EJECTIONS)
}

export function listServiceEjections(
  counts: EjectionCounts,
  clock: Clock,
  replicaId: ReplicaId,
): ListedServiceEjections[] {
  const rows = Array.from(counts.list(clock.now()), ({ service, counts: all, pausedSinceMs }) => ({
    service,
    replicaId,
    ...all,
    pausedSince: pausedSinceMs === undefined ? null : iso(pausedSinceMs),
  }))
  return rows.sort((left, right) => (left.service < right.service ? -1 : 1))
}

function rowOf(
  service: string,
  process: PooledProcess,
  clock: Clock,
  replicaId: ReplicaId,
): ListedEjection | undefined {
  const [first] = process.lines
  const ejection = ejectionOf(process, clock, replicaId)
  if (first === undefined || ejection === undefined) return undefined
  return { service, telephone: process.telephone, instance: first.line.instance, ...ejection }
}

/** Returns the ejection of a process; undefined: it is healthy for long enough. */
export function ejectionOf(
  { watch: { state, reason, failures } }: PooledProcess,
  clock: Clock,
  replicaId: string,
): ProcessEjection | undefined {
  const nowMs = clock.now()
  if (reason === undefined || ejectionsAt(state, nowMs) === 0) return undefined
  const wallOffsetMs = clock.wallTime() - nowMs
  return {
    replicaId,
    state: state.kind,
    reason,
    since: iso(wallOffsetMs + state.sinceMs),
    until: state.kind === 'ejected' ? iso(wallOffsetMs + state.untilMs) : null,
    ejections: state.ejections,
    failures: failures.map(({ atMs, failure }) => ({ at: iso(atMs), failure })),
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()
