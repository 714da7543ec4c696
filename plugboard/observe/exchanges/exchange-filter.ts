// The filter of a viewer: the exchanges of one service that also pass the filters of the live log.

import type { ExchangeSummary } from '@vera-stack/shared/inspect/captured-exchange.ts'
import { z } from 'zod'
import { readRequestFilter, requestFilterFields, requestTest } from '../requests/request-filter.ts'

const { service: _service, ...filters } = requestFilterFields
/** The filters of the live log without `service`, which the path of the request names. */
export const exchangeFilterFields = filters
export type ExchangeFilter = z.infer<z.ZodObject<typeof exchangeFilterFields>>

const paramsSchema = z.object({ serviceId: z.string(), filter: z.unknown() })
export interface ExchangeParams {
  readonly serviceId: string
  readonly filter: ExchangeFilter
}

/** Returns the parameters that another replica sent. Throws when this version cannot read them. */
export function readExchangeParams(value: unknown): ExchangeParams {
  const { serviceId, filter } = paramsSchema.parse(value)
  return { serviceId, filter: readRequestFilter(filter) }
}

/** Returns the test for the summaries of the service. */
export function exchangeTest({ filter }: ExchangeParams): (summary: ExchangeSummary) => boolean {
  const test = requestTest(filter)
  return ({ request }) => test(request)
}
