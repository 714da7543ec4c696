// What all operations of the API have in common in its OpenAPI document: the credential, the problems, the shape
// of headers. Each operation states its permission once; the check and the documentation both come from that.

import { createRoute, type RouteConfig, z } from '@hono/zod-openapi'
import { ERRORS, type ErrorCode } from '@vera-stack/shared/errors.ts'
import { isJsonObject, type JsonObject } from '../database/json.ts'
import { requirePermission } from './authenticate.ts'
import { problemSchema } from './problem.ts'
import type { Permission } from './scope.ts'

type ProblemResponses = Record<
  number,
  { description: string; content: { 'application/problem+json': { schema: typeof problemSchema } } }
>

/** The problems that an operation may answer with; several codes of one status share an entry. */
export function problems(...codes: readonly ErrorCode[]): ProblemResponses {
  const responses: ProblemResponses = {}
  for (const code of codes) {
    const { status, meaning } = ERRORS[code]
    const before = responses[status]?.description
    responses[status] = {
      description: `${before === undefined ? '' : `${before} `}\`${code}\`: ${meaning}`,
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

export const ifMatchHeader = z.looseObject({
  'if-match': z.string().optional().openapi({
    description: 'Required: the ETag of the row as you read it, or `*` for any.',
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
export const timestamp = z.iso.datetime().openapi({ example: '2026-11-20T12:00:00.000Z' })

/** An object whose keys may come from a newer version of this program. */
export const jsonObject = z
  .custom<JsonObject>(isJsonObject)
  .openapi({ type: 'object', additionalProperties: true })

export const jsonObjectOrNull = z
  .custom<JsonObject | null>(value => value === null || isJsonObject(value))
  .openapi({ type: ['object', 'null'], additionalProperties: true })

export const ETAG_HEADER = { ETag: { description: 'The version.', schema: { type: 'string' } } } as const
