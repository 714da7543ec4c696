// The captured exchanges of the inspector, as the API lists and shows them. The fields are those of observe/exchanges/.

import { z } from '@hono/zod-openapi'
import {
  capturedBodySchema,
  capturedExchangeSchema,
  exchangeSummarySchema,
} from '@vera-stack/shared/inspect/captured-exchange.ts'
import { exchangeFilterFields } from '../../../observe/exchanges/exchange-filter.ts'
import { cursorText } from '../../http/formats.ts'
import { pageQuery } from '../../http/page.ts'
import { missingReplicasSchema } from '../replica.ts'
import { failedAttemptBody, requestSchema } from './request.ts'

export const exchangeQuery = z.strictObject({ ...pageQuery, ...exchangeFilterFields })

const summarySchema = z
  .strictObject({ ...exchangeSummarySchema.shape, request: requestSchema })
  .openapi('ExchangeSummary')
export type ExchangeSummaryBody = z.infer<typeof summarySchema>

const bodySchema = z.strictObject(capturedBodySchema.shape).openapi('CapturedBody')
export type CapturedBodyBody = z.infer<typeof bodySchema>
const { received, sent } = capturedExchangeSchema.shape
const body = bodySchema.nullable().openapi({ description: 'null: there is no body.' })

export const exchangeSchema = z
  .strictObject({
    ...capturedExchangeSchema.shape,
    request: requestSchema,
    received: z
      .strictObject({ ...received.shape, body })
      .openapi({ description: received.description ?? '' }),
    sent: z
      .strictObject({ ...sent.unwrap().shape, body })
      .nullable()
      .openapi({ description: sent.description ?? '' }),
    attempts: z.array(failedAttemptBody).openapi({ description: 'The failed attempts, in order.' }),
  })
  .openapi('Exchange')
export type ExchangeBody = z.infer<typeof exchangeSchema>

export const exchangePageSchema = z
  .strictObject({
    items: z.array(summarySchema),
    next: cursorText
      .nullable()
      .openapi({ description: 'Cursor of the next page. null: this is the last page.' }),
    inspectedUntil: z.string().nullable().openapi({
      description:
        'The capture runs until this time. null: it is off, and only earlier exchanges are listed.',
    }),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('ExchangePage')
export type ExchangePageBody = z.infer<typeof exchangePageSchema>
