// One finished request as the live log, the last failures and `plugboard explain` show it: the fields of its access line, with
// the time and the replica. Replicas send this shape to each other. A token in a text is replaced before a line is made.

import { z } from 'zod'
import type { AccessFields } from '../log.ts'

const text = z.string()
const optional = z.string().optional()
const milliseconds = z.number().optional()

const accessFields = {
  requestId: text,
  method: text,
  host: text,
  path: text,
  status: z.int(),
  durationMs: z.number(),
  bytesIn: z.int(),
  bytesOut: z.int(),
  remoteAddress: text,
  protocol: optional,
  route: optional,
  mount: optional,
  service: optional,
  telephoneId: optional,
  peer: optional,
  subset: optional,
  headMs: milliseconds,
  backendMs: milliseconds,
  retries: z.int().optional(),
  limit: optional,
  code: optional,
  cause: optional,
  detail: optional,
  traceId: optional,
  replayOf: optional,
  userAgent: optional,
} as const satisfies Record<Exclude<keyof AccessFields, 'sampleRate'>, z.ZodType>

export const requestLineSchema = z.strictObject({
  at: z.iso.datetime().meta({ description: 'The end of the request.', example: '2026-11-20T12:00:00.000Z' }),
  replicaId: text.meta({ description: 'The replica that received the request.' }),
  ...accessFields,
})
export type RequestLine = z.infer<typeof requestLineSchema>

/** Returns the line. `fields`: safe values (shared/log/safe-fields.ts). */
export function requestLine(fields: AccessFields, wallTimeMs: number, replicaId: string): RequestLine {
  return { at: new Date(wallTimeMs).toISOString(), replicaId, ...fields }
}

const remoteLineSchema = z.object(requestLineSchema.shape)

/** Returns the line of another replica without keys of a newer version; undefined when it cannot be read. */
export function readRequestLine(value: unknown): RequestLine | undefined {
  return remoteLineSchema.safeParse(value).data
}
