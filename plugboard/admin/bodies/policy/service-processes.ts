// The telephone processes of a service with their state on all replicas, and the state of its traffic policy on each replica: as the
// API shows them, and as replicas send them to each other. live/policy/process-rows.ts creates the rows of one replica.

import { z } from '@hono/zod-openapi'
import { DECISION_COUNTERS, RETRY_REASONS, type RetryReason } from '../../../common/service-decisions.ts'
import { PROCESS_STATES } from '../../../telephones/inspection/process-state.ts'
import { shownOverrideSchema } from '../../../telephones/inspection/shown-override.ts'
import { processEjectionSchema, remoteEjectionFields } from '../../../telephones/outliers/ejection-list.ts'
import { id, timestamp } from '../../http/formats.ts'
import { missingReplicasSchema } from '../replica.ts'
import { countersOf } from '../traffic.ts'

/** Processes in one response. */
export const MAX_PROCESSES = 500

const count = (description: string) => z.int().openapi({ description })
const percent = (description: string) => z.number().openapi({ description, example: 12.5 })
const ms = (description: string) => z.number().nullable().openapi({ description, example: 4.2 })

const stateSchema = z.enum(PROCESS_STATES).openapi({
  description:
    '`serving`: it receives requests; `half_open`: passive ejection; `ejected`: passive ejection, or an operator; `down`: its health check fails; `unreachable`: no ' +
    'link leads to the replicas of its tunnels; `draining`: its weight is 0, or it has disconnected and its last streams have not ended.',
})

const processName = {
  telephone: z.string(),
  instance: z.string().openapi({ description: 'The id of the process. Each start has a new one.' }),
} as const

const processFields = {
  replicaId: z.string(),
  state: stateSchema,
  ejection: z
    .strictObject(processEjectionSchema.shape)
    .nullable()
    .openapi({ description: 'The last ejection by this replica. null: there was none lately.' }),
  lines: count('Lines of the process, over all tunnels.'),
  tunnelsOn: z.array(z.string()).openapi({ description: 'The replicas that hold its tunnels.' }),
  effectiveWeight: z.number().openapi({ description: 'The weight, or a part of it during a slow start.' }),
  slowStartPercent: z.number().nullable().openapi({
    description: 'The part of its weight that counts during its slow start. null: it is not in a slow start.',
  }),
  costMs: ms(
    'The number that `peak_ewma` compares, times the default weight 100: the lowest one receives the request. null: no sample.',
  ),
  responseMs: ms('Average time to the head of a response. null: no response yet.'),
  streams: count('Open streams through this replica.'),
  requests: count('Responses and failed attempts in the last minute.'),
  errors: count('Requests with a status of 500 or more, and failed attempts.'),
  sharePercent: percent('Its part of the requests of the service in the last minute.'),
} as const
const processOnReplicaSchema = z.strictObject(processFields).openapi('ProcessOnReplica')
export type ProcessOnReplica = z.infer<typeof processOnReplicaSchema>

export const breakerSchema = z
  .strictObject({
    state: z.enum(['closed', 'open', 'half_open']),
    since: timestamp.nullable().openapi({
      description: 'When it opened, or closed again. null: it never opened.',
    }),
    errorPercent: percent(
      'The errors among the results in the window. While it is open: among the results at which it opened.',
    ),
    requests: count('The number of these results.'),
    until: timestamp
      .nullable()
      .openapi({ description: 'When an open breaker admits a trial request. null: it is not open.' }),
  })
  .openapi('Breaker')
export type BreakerBody = z.infer<typeof breakerSchema>

const errorsOfBoth = z.strictObject({
  errorPercent: percent('Errors of the subset, in percent.'),
  restErrorPercent: percent('Errors of the processes of no subset, in percent.'),
})
const guardFields = {
  subset: z.string().openapi({ example: 'canary' }),
  state: z.enum(['serving', 'stopped', 'reduced']).openapi({
    description:
      '`stopped`: its guard stopped it, and it receives no requests; `reduced`: it receives a part of its percentage after a stop.',
  }),
  percent: percent('The percentage in the policy.'),
  currentPercent: percent('The percentage that it has now.'),
  stops: count('Stops by its guard, since it was changed.'),
  since: timestamp.nullable().openapi({ description: 'When the guard stopped it last. null: never.' }),
  until: timestamp.nullable().openapi({ description: 'When it continues. null: it is not stopped.' }),
  atStop: errorsOfBoth
    .nullable()
    .openapi({ description: 'The errors for which it was stopped. null: it was never stopped.' }),
  now: errorsOfBoth
    .nullable()
    .openapi({ description: 'The errors since then. null: there is no guard, or no request to compare.' }),
} as const
export const subsetStateSchema = z.strictObject(guardFields).openapi('SubsetState')
export type SubsetStateBody = z.infer<typeof subsetStateSchema>

/** The fields in the response of another replica. Further keys of a newer version are removed. */
export const remoteSubsetFields = {
  ...guardFields,
  atStop: errorsOfBoth.strip().nullable(),
  now: errorsOfBoth.strip().nullable(),
} as const

const sideSchema = z.strictObject({
  subset: z.string().nullable().openapi({ description: 'null: the processes of no subset.' }),
  processes: count('Processes of this side.'),
  requests: count('Responses and failed attempts in the last minute, through this replica.'),
  errors: count('Requests with a status of 500 or more, and failed attempts.'),
  p95Ms: ms(
    '95 % of the responses in the last minute arrived within this time. An estimate, at most 20 % off. null: no response.',
  ),
})
export type SideBody = z.infer<typeof sideSchema>

const waitingSchema = z.strictObject({
  queue: count('Requests in the queue now.'),
  hold: count('Requests that wait for a telephone now (holdMs).'),
})
const pickSchema = z.strictObject({
  subset: z.string().nullable().openapi({ description: 'null: requests of no subset.' }),
  telephone: z.string().nullable(),
  instance: z.string().nullable(),
  refusal: z.string().nullable().openapi({
    description: 'Why no process takes a request. null: a process takes requests.',
    example: 'no_telephone',
  }),
})
const decisionsSchema = z
  .strictObject({
    ...countersOf(DECISION_COUNTERS),
    retries: z.record(z.enum(RETRY_REASONS), z.int()).openapi({
      description: 'Attempts on other lines after a failed one, by the reason of the failure.',
    }),
  })
  .openapi('ServiceDecisions', { description: 'Counts since the start of the replica.' })

const serviceFields = {
  replicaId: z.string(),
  streams: count('Open streams of the service through this replica.'),
  medianMs: ms('Median of the average response times. A new process starts with it. null: no response yet.'),
  retriesInFlight: count('Attempts after the first one that have received no head of a response.'),
  waiting: waitingSchema,
  breaker: breakerSchema.nullable().openapi({ description: 'null: the service has none, or no request.' }),
  subsets: z.array(subsetStateSchema),
  sides: z.array(sideSchema).openapi({
    description:
      'The traffic of each subset, and of the processes of no subset. Empty: the service has no subsets.',
  }),
  picks: z.array(pickSchema).openapi({
    description:
      'The process that the next request would reach, without a sticky session and without a value for `hash`. With `random`, and ' +
      'with more than 16 processes, it is one of several.',
  }),
  decisions: decisionsSchema,
} as const
const serviceOnReplicaSchema = z.strictObject(serviceFields).openapi('ServiceOnReplica')
export type ServiceOnReplica = z.infer<typeof serviceOnReplicaSchema>

const processSchema = z
  .strictObject({
    ...processName,
    version: z.string(),
    labels: z.record(z.string(), z.string()),
    subset: z.string().nullable(),
    weight: z.number().openapi({ description: 'The weight that the telephone announced.' }),
    override: shownOverrideSchema,
    state: stateSchema.openapi({
      description: 'The state that is furthest from `serving` on any replica. `replicas` has all states.',
    }),
    streams: count('Open streams through all replicas.'),
    requests: count('Responses and failed attempts in the last minute, on all replicas.'),
    errors: count('Requests with a status of 500 or more, and failed attempts.'),
    sharePercent: percent('Its part of the requests of the service in the last minute.'),
    responseMs: ms('Average time to the head of a response, over all replicas. null: no response yet.'),
    replicas: z.array(processOnReplicaSchema),
  })
  .openapi('ServiceProcess')
export type ServiceProcessBody = z.infer<typeof processSchema>

export const serviceProcessesSchema = z
  .strictObject({
    service: z.strictObject({ id, name: z.string() }),
    balancing: z.string().openapi({ example: 'peak_ewma' }),
    items: z.array(processSchema),
    total: count(`The number of all processes; \`items\` has the first ${MAX_PROCESSES}.`),
    replicas: z.array(serviceOnReplicaSchema),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('ServiceProcesses')
export type ServiceProcessesBody = z.infer<typeof serviceProcessesSchema>

/** A replica of another version may have further reasons, or lack some. */
const remoteRetries = z.object(
  Object.fromEntries(RETRY_REASONS.map(reason => [reason, z.int().default(0)])) as Record<
    RetryReason,
    z.ZodDefault<z.ZodInt>
  >,
)

/** The response of another replica. Further keys of a newer version are removed, at all depths. */
export const remoteProcessesSchema = z.object({
  processes: z
    .array(
      z.object({ ...processName, ...processFields, ejection: z.object(remoteEjectionFields).nullable() }),
    )
    .max(MAX_PROCESSES),
  service: z.object({
    ...serviceFields,
    waiting: waitingSchema.strip(),
    breaker: breakerSchema.strip().nullable(),
    subsets: z.array(z.object(remoteSubsetFields)),
    sides: z.array(sideSchema.strip()).default([]),
    picks: z.array(pickSchema.strip()),
    decisions: z.object({ ...decisionsSchema.shape, retries: remoteRetries }),
  }),
})
export type ReplicaProcesses = z.infer<typeof remoteProcessesSchema>
