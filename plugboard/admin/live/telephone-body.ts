// A tunnel of a telephone, as the API shows it and as replicas send it to each other.

import { z } from '@hono/zod-openapi'
import { timestamp } from '../http/formats.ts'
import type { TelephoneLine, TelephoneStatus } from './telephone-directory.ts'

const outageSchema = z
  .object({
    since: timestamp.openapi({ description: 'When the health check first failed.' }),
    cause: z.string().nullable().openapi({ example: 'connection_refused' }),
    detail: z.string().openapi({ example: '/healthz returned 500', description: 'The last result.' }),
  })
  .nullable()
  .openapi({
    description: 'Why the health is `down`; null: it is `up`, or the telephone did not announce the cause.',
  })

const serviceShape = {
  service: z.string(),
  mounts: z.array(z.string()),
  health: z.enum(['up', 'down']),
  weight: z.number(),
  version: z.string(),
  labels: z.record(z.string(), z.string()),
} as const

const shape = {
  id: z.string().openapi({ description: 'Of the tunnel; a telephone holds several.' }),
  name: z.string(),
  instance: z.string().openapi({ description: 'Of the process; new at each start.' }),
  agent: z.string().openapi({ example: 'telephone/0.1.0' }),
  remoteAddress: z.string(),
  connectedAt: timestamp,
  tokenId: z.string().openapi({
    description: 'The id of one of our tokens, or `<issuer>#jti:<jti>` of an outside issuer.',
  }),
  streams: z.int(),
  rttMs: z.number().nullable(),
  replicaId: z.string().openapi({ description: 'The replica that holds the tunnel.' }),
} as const

export const telephoneSchema = z
  .strictObject({ ...shape, services: z.array(z.strictObject({ ...serviceShape, outage: outageSchema })) })
  .openapi('Telephone')
export type TelephoneBody = z.infer<typeof telephoneSchema>

/** The same from another replica. A newer version may have further keys, which are removed; an older one has no outage. */
export const remoteTelephoneSchema = z.object({
  ...shape,
  services: z.array(z.object({ ...serviceShape, outage: outageSchema.default(null) })),
})

function outageBody({ outage }: TelephoneLine): z.infer<typeof outageSchema> {
  if (outage === undefined) return null
  const { sinceMs, cause = null, detail } = outage
  return { since: new Date(sinceMs).toISOString(), cause, detail }
}

// Field by field: what a later version adds to these rows is not shown until the schema has it.
export const telephoneBody = (row: TelephoneStatus): TelephoneBody => ({
  id: row.id,
  name: row.name,
  instance: row.instance,
  agent: row.agent,
  remoteAddress: row.remoteAddress,
  connectedAt: row.connectedAt.toISOString(),
  services: row.services.map(line => ({
    service: line.service,
    mounts: [...line.mounts],
    health: line.health,
    outage: outageBody(line),
    weight: line.weight,
    version: line.version,
    labels: { ...line.labels },
  })),
  tokenId: row.tokenId,
  streams: row.streams,
  rttMs: row.rttMs ?? null,
  replicaId: row.replicaId,
})
