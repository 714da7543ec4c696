// One captured request with its response, as the inspector keeps and shows it. All secrets are masked (masking/). Replicas send these
// shapes to each other.

import { z } from 'zod'
import { OMISSIONS } from '../masking/mask-body.ts'
import { failedAttemptSchema } from './failed-attempt.ts'
import { requestLineSchema } from './request-line.ts'

export const fieldPairsSchema = z
  .array(z.tuple([z.string(), z.string()]))
  .meta({ description: 'Names and values, in their order. A masked value contains `***` and 6 hex digits.' })

export const capturedBodySchema = z.strictObject({
  bytes: z
    .int()
    .meta({ description: 'The length of the whole body as it was sent, with its content coding.' }),
  text: z.string().nullable().meta({
    description: 'The content without its content coding, with masked secrets. null: it is left out.',
  }),
  isCut: z.boolean().meta({ description: 'True when `text` lacks a part of the body.' }),
  omitted: z.enum(OMISSIONS).nullable().meta({
    description:
      'Why the content, or the rest of it, is left out. null: the content is complete, or was only too long.',
  }),
})
export type CapturedBodyText = z.infer<typeof capturedBodySchema>

const trailers = fieldPairsSchema.nullable().meta({ description: 'null: the message has no trailers.' })
const body = capturedBodySchema.nullable().meta({ description: 'null: there is no body.' })

export const exchangeSummarySchema = z.strictObject({
  id: z.string().meta({ example: '0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e' }),
  open: z.boolean().meta({
    description:
      'True until a WebSocket or an event stream ends. Its times and bytes are then those at its start.',
  }),
  replayOf: z
    .string()
    .nullable()
    .meta({ description: 'The exchange that this one repeats. null: a client sent it.' }),
  request: requestLineSchema,
})
export type ExchangeSummary = z.infer<typeof exchangeSummarySchema>

const received = {
  method: z.string(),
  target: z.string().meta({ description: 'Path and query.' }),
  fields: fieldPairsSchema,
  body,
  trailers,
} as const
const interim = { status: z.int(), fields: fieldPairsSchema } as const
const sent = {
  status: z.int(),
  statusText: z.string(),
  isLocal: z.boolean().meta({ description: 'True when Plugboard itself made the response.' }),
  fields: fieldPairsSchema,
  body,
  trailers,
} as const

export const capturedExchangeSchema = z.strictObject({
  ...exchangeSummarySchema.shape,
  serviceId: z.string(),
  scheme: z.string().meta({ description: 'The scheme of the request: http or https.' }),
  received: z.strictObject(received).meta({ description: 'The request as Plugboard received it.' }),
  interim: z.array(z.strictObject(interim)).meta({ description: 'The 1xx responses.' }),
  sent: z.strictObject(sent).nullable().meta({
    description:
      'The response as Plugboard sent it, without fields of the connection. null: no response was sent.',
  }),
  attempts: z.array(failedAttemptSchema).meta({ description: 'The failed attempts.' }),
  maskJson: z.array(z.string()).meta({ description: 'The paths of `maskJson` at the time of the capture.' }),
})
export type CapturedExchange = z.infer<typeof capturedExchangeSchema>

const remoteLine = z.object(requestLineSchema.shape)
const remoteBody = z
  .object({ ...capturedBodySchema.shape, omitted: z.enum(OMISSIONS).nullable().catch('type') })
  .nullable()
export const remoteSummarySchema = z.object({ ...exchangeSummarySchema.shape, request: remoteLine })
export const remoteExchangeSchema = z.object({
  ...capturedExchangeSchema.shape,
  request: remoteLine,
  received: z.object({ ...received, body: remoteBody }),
  interim: z.array(z.object(interim)),
  sent: z.object({ ...sent, body: remoteBody }).nullable(),
  attempts: z.array(z.object(failedAttemptSchema.shape)),
})

/** Returns the summary of another replica without keys of a newer version; undefined when it cannot be read. */
export function readExchangeSummary(value: unknown): ExchangeSummary | undefined {
  return remoteSummarySchema.safeParse(value).data
}
