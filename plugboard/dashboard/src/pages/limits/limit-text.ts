// Texts and addresses of a limit.

import type { LimitRowBody } from '../../../../admin/api-types.ts'
import { bytes, count, duration } from '../../parts/format.ts'

/** The quota in its window, such as `100 / 1 min`. */
export const quotaOf = ({ limit, windowSeconds, count: unit }: LimitRowBody): string =>
  `${unit === 'responseBytes' ? bytes(limit) : count(limit)} / ${duration(windowSeconds)}`

/** The id of the route, or the name of the service, that has the limit. */
export const ownerOf = ({ route, service }: LimitRowBody): string => route?.id ?? service ?? ''

/** The path of the limit on the page. */
export const pathOf = (limit: LimitRowBody): string =>
  `/limits/${encodeURIComponent(ownerOf(limit))}/${encodeURIComponent(limit.name)}`
