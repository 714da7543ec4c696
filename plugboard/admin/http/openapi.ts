// What all operations of the API have in common in its OpenAPI document: the credential, the problems, the shape
// of headers. Each operation states its permission once; the check and the documentation both come from that.

import { createRoute, type RouteConfig, z } from '@hono/zod-openapi'
import { ERRORS, type ErrorCode } from '@vera-stack/shared/errors.ts'
import { requirePermission } from '../access/authenticate.ts'
import type { Permission } from '../access/scope.ts'
import { IF_MATCH } from './etag.ts'
import { problemSchema } from './problem.ts'

const RETRY_AFTER = {
  'Retry-After': { description: 'Seconds to wait, where that is known.', schema: { type: 'integer' } },
} as const

type ProblemResponses = Record<
  number,
  {
    description: string
    headers?: typeof RETRY_AFTER
    content: { 'application/problem+json': { schema: typeof problemSchema } }
  }
>

/** The problems that an operation may answer with; several codes of one status share an entry. */
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

const ALWAYS: readonly ErrorCode[] = [
  'invalid_request',
  'unauthorized',
  'forbidden',
  'rate_limited',
  'internal_error',
  'database_unavailable',
]

interface Operation {
  readonly permission: Permission
  /** Beyond those that every operation may meet. */
  readonly fails?: readonly ErrorCode[]
}

/** A route of the API behind a permission. `fails` are documented with the others. */
export function operation<const Config extends Omit<RouteConfig, 'security' | 'middleware'>>(
  { permission, fails = [] }: Operation,
  config: Config,
) {
  const route = createRoute({
    ...config,
    description: [config.description, `Needs the scope \`${permission}\`.`].filter(Boolean).join(' '),
    security: [{ apiKey: [] }],
    responses: { ...problems(...ALWAYS, ...fails), ...config.responses },
  } as Config)
  return { ...route, middleware: requirePermission(permission) }
}

export const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

export const body = <Schema extends z.ZodType>(schema: Schema) => ({
  required: true,
  content: { 'application/json': { schema } },
})

/** Optional to the parser, so that a request without it gets 428 and not 400; required in the document. */
export const ifMatchHeader = z.looseObject({
  'if-match': z
    .string()
    .optional()
    .openapi({
      param: { required: true },
      pattern: IF_MATCH.source,
      description: 'The ETag of the row as you read it, or `*` for any. Without it: 428.',
      example: '"3"',
    }),
})

export const ifNoneMatchHeader = z.looseObject({
  'if-none-match': z
    .string()
    .optional()
    .openapi({ description: 'Answers 304 when the row still has this ETag.' }),
})

export const NOT_MODIFIED = { 304: { description: 'The row has not changed.' } } as const

export const ETAG_HEADER = {
  ETag: { description: 'The version.', required: true, schema: { type: 'string' } },
} as const
/** Of a response to a request that made something. */
export const CREATED_HEADERS = {
  ...ETAG_HEADER,
  Location: {
    description: 'URL of the new resource.',
    required: true,
    schema: { type: 'string', format: 'uri-reference' },
  },
} as const
/** Of a page. */
export const LINK_HEADER = {
  Link: {
    description: 'The next page (RFC 8288, `rel="next"`), if there is one.',
    schema: { type: 'string' },
  },
} as const
