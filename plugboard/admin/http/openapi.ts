// The common parts of all operations in the OpenAPI document: the credential, the problems, the headers. Each operation states
// its permission once. The check of the permission and its documentation are both derived from this place.

import { createRoute, type RouteConfig, z } from '@hono/zod-openapi'
import { ERRORS, type ErrorCode } from '@vera-stack/shared/errors.ts'
import { requirePermission } from '../access/permission.ts'
import type { Permission } from '../access/scope.ts'
import { IF_MATCH } from '../writes/etag.ts'
import { problemSchema } from './problem.ts'

const RETRY_AFTER = {
  'Retry-After': {
    description: 'Seconds until a retry can succeed. Absent: the time is unknown.',
    schema: { type: 'integer' },
  },
} as const

type ProblemResponses = Record<
  number,
  {
    description: string
    headers?: typeof RETRY_AFTER
    content: { 'application/problem+json': { schema: typeof problemSchema } }
  }
>

/** Returns the error responses of an operation. Several codes with the same status share an entry. */
export function problems(...codes: readonly ErrorCode[]): ProblemResponses {
  const responses: ProblemResponses = {}
  for (const code of codes) {
    const { status, meaning, retryAfterSeconds } = ERRORS[code]
    const before = responses[status]?.description
    const retryAfter = retryAfterSeconds !== undefined || responses[status]?.headers !== undefined
    responses[status] = {
      description: `${before === undefined ? '' : `${before} `}\`${code}\`: ${meaning}`,
      ...(retryAfter ? { headers: RETRY_AFTER } : {}),
      content: { 'application/problem+json': { schema: problemSchema } },
    }
  }
  return responses
}

/** Error codes of every operation. */
export const ALWAYS_FAILS: readonly ErrorCode[] = [
  'invalid_request',
  'unauthorized',
  'forbidden',
  'rate_limited',
  'internal_error',
  'database_unavailable',
]

/** Returns the responses of an event stream. `more`: error codes in addition to those of every stream. */
export function eventStreamResponses(...more: readonly ErrorCode[]) {
  return {
    200: {
      description: 'Events, until the client or the server ends the stream.',
      content: { 'text/event-stream': { schema: z.string() } },
    },
    ...problems(
      'invalid_request',
      'unauthorized',
      'forbidden',
      ...more,
      'rate_limited',
      'database_unavailable',
      'overloaded',
      'concurrency_limited',
    ),
  }
}

interface Operation {
  /** `text`: the permission depends on the rows, and the handler checks it. */
  readonly permission: Permission | { readonly text: string }
  /** Error codes of this operation in addition to the codes of every operation. */
  readonly fails?: readonly ErrorCode[]
}

/** Returns an operation that requires the permission. The document lists `fails` together with the common error codes. */
export function operation<const Config extends Omit<RouteConfig, 'security' | 'middleware'>>(
  { permission, fails = [] }: Operation,
  config: Config,
) {
  const isFixed = typeof permission === 'string'
  const needs = isFixed ? `Needs the scope \`${permission}\`.` : permission.text
  const route = createRoute({
    ...config,
    description: [config.description, needs].filter(Boolean).join(' '),
    security: [{ apiKey: [] }, { session: [] }],
    responses: { ...problems(...ALWAYS_FAILS, ...fails), ...config.responses },
  } as Config)
  return { ...route, middleware: isFixed ? [requirePermission(permission)] : [] }
}

export const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

export const body = <Schema extends z.ZodType>(schema: Schema) => ({
  required: true,
  content: { 'application/json': { schema } },
})

/** The parser accepts a request without this header, so that the response is 428 and not 400. The document requires it. */
export const ifMatchHeader = z.looseObject({
  'if-match': z
    .string()
    .optional()
    .openapi({
      param: { required: true },
      pattern: IF_MATCH.source,
      description:
        'The ETag of the row that you have read, or `*` for any version. A request without this header gets 428.',
      example: '"3"',
    }),
})

export const ifNoneMatchHeader = z.looseObject({
  'if-none-match': z
    .string()
    .optional()
    .openapi({ description: 'The response is 304 when the row still has this ETag.' }),
})

export const NOT_MODIFIED = { 304: { description: 'The row has not changed.' } } as const

export const ETAG_HEADER = {
  ETag: { description: 'The version of the row.', required: true, schema: { type: 'string' } },
} as const
/** The header of a write that may be a dry run: a version that does not exist has no ETag. */
export const WRITTEN_ETAG_HEADER = {
  ETag: {
    description: 'The version of the row. Absent with dryRun=true.',
    schema: { type: 'string' },
  },
} as const
/** Headers of a response to a request that created a row. */
export const CREATED_HEADERS = {
  ...ETAG_HEADER,
  Location: {
    description: 'URL of the new resource.',
    required: true,
    schema: { type: 'string', format: 'uri-reference' },
  },
} as const
/** Headers of a page. */
export const LINK_HEADER = {
  Link: {
    description: 'The URL of the next page (RFC 8288, `rel="next"`). Absent: this is the last page.',
    schema: { type: 'string' },
  },
} as const
