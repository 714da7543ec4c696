// The filters of the live log and of the last failures: the texts of the query, and the test that they compile to. The replica that
// served a request runs the test, so that only matching lines cross a link.

import type { AccessFields } from '@vera-stack/shared/log.ts'
import { z } from 'zod'

const MAX_TEXT = 300
const MAX_STATUSES = 10
const STATUS = '(?:[1-5]xx|[1-5][0-9]{2}(?:-[1-5][0-9]{2})?)'
const STATUSES = new RegExp(`^${STATUS}(?:,${STATUS}){0,${MAX_STATUSES - 1}}$`)

const text = (description: string) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(MAX_TEXT, `has more than ${MAX_TEXT} characters`)
    .optional()
    .meta({ description })

export const requestFilterFields = {
  service: text('Only requests to this service.'),
  route: text('Only requests of this route: its id or its mount, such as `example.com/api`.'),
  status: z
    .string()
    .regex(STATUSES, 'is not a status such as 404, 5xx or 500-503, nor a list of them')
    .optional()
    .meta({
      description: `Only requests with these statuses: \`404\`, \`5xx\`, \`500-503\`; up to ${MAX_STATUSES} with commas.`,
      example: '5xx',
    }),
  telephone: text('Only requests whose last attempt went to this Telephone.'),
  replica: text('Only requests that this replica received.'),
  method: z
    .string()
    .regex(/^[A-Za-z-]{1,20}$/, 'is not a method such as GET')
    .optional()
    .meta({ description: 'Only requests with this method.' }),
  path: z
    .string()
    .max(MAX_TEXT, `has more than ${MAX_TEXT} characters`)
    .regex(/^\/[^\r\n]*$/, 'must begin with /')
    .optional()
    .meta({ description: 'Only requests whose path begins with this text.', example: '/api' }),
} as const

const filterSchema = z.object(requestFilterFields)
export type RequestFilter = z.infer<typeof filterSchema>

/** Returns the filter that another replica sent. Throws when this version cannot read it. */
export function readRequestFilter(value: unknown): RequestFilter {
  return filterSchema.parse(value)
}

/** True for a line that the filter selects. `replica` is not tested, because only that replica is asked. */
export type RequestTest = (line: AccessFields) => boolean

export function requestTest(filter: RequestFilter): RequestTest {
  const { service, route, telephone, path } = filter
  const method = filter.method?.toUpperCase()
  const statuses = filter.status === undefined ? undefined : parseStatuses(filter.status)
  return line =>
    (service === undefined || line.service === service) &&
    (route === undefined || line.route === route || line.mount === route) &&
    (telephone === undefined || line.telephoneId === telephone) &&
    (method === undefined || line.method === method) &&
    (path === undefined || line.path.startsWith(path)) &&
    (statuses === undefined || statuses.some(([low, high]) => line.status >= low && line.status <= high))
}

type StatusRange = readonly [low: number, high: number]

/** `list`: a list that `STATUSES` accepts. */
function parseStatuses(list: string): readonly StatusRange[] {
  return list.split(',').map(text => {
    if (text.endsWith('xx')) return [Number(text[0]) * 100, Number(text[0]) * 100 + 99]
    const [low = 0, high = low] = text.split('-').map(Number)
    return [Math.min(low, high), Math.max(low, high)]
  })
}
