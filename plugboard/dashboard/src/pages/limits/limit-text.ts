// Texts and addresses of a limit.

import type { LimitRowBody } from '../../../../admin/api-types.ts'
import { bytes, count, duration } from '../../parts/format.ts'

/** A number of requests, or of bytes, as the limit counts them. */
export const amountOf = (amount: number, { count: unit }: Pick<LimitRowBody, 'count'>): string =>
  unit === 'responseBytes' ? bytes(amount) : count(amount)

/** The quota in its window, such as `100 / 1 min`. */
export const quotaOf = (limit: Pick<LimitRowBody, 'limit' | 'windowSeconds' | 'count'>): string =>
  `${amountOf(limit.limit, limit)} / ${duration(limit.windowSeconds)}`

/** The id of the route, or the name of the service, that has the limit. */
export const ownerOf = ({ route, service }: LimitRowBody): string => route?.id ?? service ?? ''

/** The path of the limit on the page. */
export const pathOf = (limit: LimitRowBody): string =>
  `/limits/${encodeURIComponent(ownerOf(limit))}/${encodeURIComponent(limit.name)}`
