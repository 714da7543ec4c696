// One tunnel of a telephone, as the admin API lists it. The switchboard creates the rows and replicas exchange them. The
// admin API and its OpenAPI document use these descriptions, so this file is the only place that lists the fields. It uses
// plain zod, because this room does not depend on the library of the admin API.

import { z } from 'zod'
import { shownOverrideSchema } from './inspection/shown-override.ts'
import { processEjectionSchema } from './outliers/ejection-list.ts'

const timestamp = z.iso.datetime().meta({ example: '2026-11-20T12:00:00.000Z' })

const outageSchema = z
  .object({
    since: timestamp.meta({ description: 'When the health check first failed.' }),
    cause: z.string().nullable().meta({ example: 'connection_refused' }),
    detail: z
      .string()
      .meta({ example: '/healthz returned 500', description: 'The last result of the health check.' }),
  })
  .nullable()
  .meta({
    description: 'Why the health is `down`. null: the health is `up`, or the telephone announced no cause.',
  })

const subsetStopSchema = z.strictObject({
  subset: z.string().meta({ example: 'canary' }),
  replicaId: z.string().meta({ description: 'The replica that decided. Each replica decides alone.' }),
  state: z.enum(['stopped', 'reduced']).meta({
    description:
      '`stopped`: the subset receives no requests; `reduced`: it receives a part of its percentage.',
  }),
  until: timestamp
    .nullable()
    .meta({ description: 'When a stopped subset continues. null: it is `reduced`.' }),
})

/** A service of a tunnel that the telephone announced and Plugboard accepted. */
export const listedServiceSchema = z.strictObject({
  service: z.string(),
  mounts: z.array(z.string()),
  health: z.enum(['up', 'down']),
  weight: z.number(),
  version: z.string(),
  labels: z.record(z.string(), z.string()),
  outage: outageSchema,
  override: shownOverrideSchema,
  ejections: z.array(processEjectionSchema).meta({
    description:
      'The ejections of the process for this service, on all replicas. Empty: no replica has ejected it in the last time.',
  }),
  subsetStops: z.array(subsetStopSchema).meta({
    description:
      'The replicas whose guard has stopped the subset of the process. Empty: the subset gets its whole percentage, or the process ' +
      'is in no subset.',
  }),
})
export type ListedService = z.infer<typeof listedServiceSchema>

/** One tunnel. A telephone with two tunnels is listed twice, with the same instance. */
export const listedTelephoneSchema = z.strictObject({
  id: z.string().meta({ description: 'The id of the tunnel. A telephone has several tunnels.' }),
  name: z.string(),
  instance: z.string().meta({ description: 'The id of the process. Each start has a new one.' }),
  agent: z.string().meta({ example: 'telephone/0.1.0' }),
  remoteAddress: z.string(),
  connectedAt: timestamp,
  tokenId: z.string().meta({
    description: 'The id of one of our tokens, or `<issuer>#jti:<jti>` for a token of an outside issuer.',
  }),
  tokenExpiresAt: timestamp.nullable().meta({
    description:
      'The end of the token. A connected telephone renews one of our tokens before. null: the replica is of an older version.',
  }),
  streams: z.int(),
  rttMs: z.number().nullable(),
  replicaId: z.string().meta({ description: 'The replica that holds the tunnel.' }),
  services: z.array(listedServiceSchema),
})
export type ListedTelephone = z.infer<typeof listedTelephoneSchema>
