// The state of each replica in its own view, its links to the others, and the certificates of the cluster. Each replica sends its own
// state, so a link has a state from both of its ends.

import { z } from '@hono/zod-openapi'
import { PHASES } from '../../common/phase.ts'
import { timestamp } from '../http/formats.ts'
import { missingReplicasSchema, replicaSchema } from './replica.ts'

/** Certificates in the state of one replica, and in the whole list. */
export const MAX_CERTIFICATES = 500
const MAX_NAMES = 20

const { shape: seen } = replicaSchema

const linkFields = {
  replicaId: z.string().openapi({ description: 'The replica at the other end.' }),
  link: seen.link.unwrap(),
  rttMs: seen.rttMs,
  leaseMs: z
    .int()
    .openapi({ description: 'The remaining time of its lease. 0: its lines take no requests.' }),
  appliedSequence: seen.appliedSequence.openapi({ description: 'The last change that it has applied.' }),
} as const
const linkSchema = z.strictObject(linkFields).openapi('ReplicaLink')
export type ReplicaLinkBody = z.infer<typeof linkSchema>

const processFields = {
  memoryBytes: z.int().openapi({ description: 'Memory of the process that is in RAM.' }),
  memoryLimitBytes: z.int().openapi({
    description:
      'The limit of the container, or the share of the memory of the machine (`maxMemoryPercent`).',
  }),
  cpuPercent: z
    .number()
    .openapi({ description: '100 is one whole core. The mean of the last 10 s, or of a longer time.' }),
  eventLoopDelayMs: z
    .number()
    .openapi({ description: 'The 99th percentile in the last 10 s, or in a longer time.' }),
} as const
const processSchema = z.strictObject(processFields).openapi('ReplicaProcess')

const stateFields = {
  id: seen.id,
  version: seen.version,
  startedAt: timestamp,
  phase: z.enum(PHASES).nullable().openapi({
    description:
      'The status of `/readyz`. Only `ready` accepts requests. null: a newer version sent an unknown phase.',
  }),
  appliedSequence: z.int().openapi({ description: 'The last change that it has applied.' }),
  isDatabaseReachable: z.boolean(),
  isMemoryShort: z
    .boolean()
    .openapi({ description: 'True while it refuses new requests with `overloaded`.' }),
  tunnels: z.int(),
  streams: z.int(),
  newerMigrations: z
    .array(z.string())
    .openapi({ description: 'Migrations of the database that its version does not have.' }),
} as const

export const replicaStateSchema = z
  .strictObject({
    ...stateFields,
    self: z.boolean(),
    process: processSchema,
    links: z.array(linkSchema).openapi({ description: 'Its links to all replicas that it knows.' }),
  })
  .openapi('ReplicaState')
export type ReplicaStateBody = z.infer<typeof replicaStateSchema>

const ownCertificateFields = {
  names: z.array(z.string()).openapi({ description: `At most ${MAX_NAMES} names.` }),
  issuer: z.string(),
  origin: z.enum(['file', 'authority']),
  notAfter: timestamp,
} as const

export const certificateSchema = z
  .strictObject({
    ...ownCertificateFields,
    issuer: ownCertificateFields.issuer
      .nullable()
      .openapi({ description: 'null: no replica has loaded the certificate.' }),
    notAfter: timestamp.nullable().openapi({ description: 'null: the first order has failed.' }),
    renewAt: timestamp.nullable().openapi({
      description: 'When Plugboard orders its successor. null: it is a file, or the time is unknown.',
    }),
    lastError: z.string().nullable().openapi({ description: 'Why the last order failed.' }),
    nextAttemptAt: timestamp.nullable().openapi({ description: 'The next attempt after a failed order.' }),
    replicas: z.array(z.string()).openapi({ description: 'The replicas that have loaded it.' }),
  })
  .openapi('Certificate')
export type CertificateBody = z.infer<typeof certificateSchema>

export const clusterStatusSchema = z
  .strictObject({
    items: z.array(replicaStateSchema),
    disagreements: z
      .array(z.string())
      .openapi({ description: 'Differences between replicas that a person has to remove, as sentences.' }),
    certificates: z
      .array(certificateSchema)
      .openapi({ description: `At most ${MAX_CERTIFICATES}; failed orders first, then by their end.` }),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('ClusterStatus')
export type ClusterStatusBody = z.infer<typeof clusterStatusSchema>

/**
 * The state that a replica sends to another one. `wallTime`: its clock, ms since 1970. `settings`: digests of the settings that must
 * be equal, by name. Ignores the keys of a newer version. Of a value that it does not know, only the smallest part is left out.
 */
export const remoteStateSchema = z.object({
  ...stateFields,
  process: z.object(processFields),
  links: z.array(z.object(linkFields)).max(1000),
  wallTime: z.number(),
  settings: z.record(z.string(), z.string()),
  certificates: z.array(z.object(ownCertificateFields)).max(MAX_CERTIFICATES),
})
export type RemoteState = z.infer<typeof remoteStateSchema>

/** Returns at most as many names as a certificate is shown with. */
export const shownNames = (names: readonly string[]): string[] => names.slice(0, MAX_NAMES)
