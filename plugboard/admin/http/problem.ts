// Errors as responses of the API: problem details (RFC 9457) with the same shape for every status. Each wrong field is named. All
// error responses of the API are created here.

import { STATUS_CODES } from 'node:http'
import { z } from '@hono/zod-openapi'
import { ERRORS, type ErrorCode, VeraError } from '@vera-stack/shared/errors.ts'
import { plainIssues } from '@vera-stack/shared/schema/issue-text.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { renamedOptionProblem } from '../../common/renamed-options.ts'
import { ChangedRowError } from '../../database/store/changes/changed-row-error.ts'
import type { AdminEnv } from '../admin-env.ts'

export const problemSchema = z
  .strictObject({
    type: z.literal('about:blank'),
    title: z.string().openapi({ description: 'The name of the status code.', example: 'Conflict' }),
    status: z.int().openapi({ example: 409 }),
    code: z.string().openapi({ description: 'A code of the error table.', example: 'mount_conflict' }),
    detail: z.string().openapi({ description: 'The cause of the error, and the remedy.' }),
    requestId: z.string(),
    errors: z
      .array(
        z.strictObject({
          pointer: z.string().optional().openapi({ description: 'JSON pointer into the body (RFC 6901).' }),
          parameter: z
            .string()
            .optional()
            .openapi({ description: 'Name of a parameter in the path or the query.' }),
          header: z.string().optional().openapi({ description: 'Name of a header field.' }),
          detail: z.string(),
        }),
      )
      .optional()
      .openapi({ description: 'The wrong fields of the request, each with its own text.' }),
    differences: z
      .array(
        z.strictObject({
          pointer: z.string().openapi({
            description: 'JSON pointer into the row.',
            example: '/options/stripMount',
          }),
          expected: z.unknown().openapi({ description: 'The value that the change wrote. null: no value.' }),
          actual: z.unknown().openapi({ description: 'The value of now. null: no value.' }),
        }),
      )
      .optional()
      .openapi({ description: 'With `precondition_failed` of an undo: how the row has changed since.' }),
  })
  .openapi('Problem')
export type Problem = z.infer<typeof problemSchema>
export type Culprit = NonNullable<Problem['errors']>[number]

/** Most culprits that one problem lists, because a client corrects a few at a time. */
const MAX_CULPRITS = 50

/** A VeraError that names several culprits, or a header or parameter. */
export class RequestError extends VeraError {
  readonly culprits: readonly Culprit[]

  constructor(code: ErrorCode, detail: string, culprits: readonly Culprit[]) {
    super(code, detail)
    this.name = 'RequestError'
    this.culprits = culprits.slice(0, MAX_CULPRITS)
  }
}

/** Returns the response for any error. An unexpected error is logged, and becomes `internal_error` without details. */
export function problemResponse(error: unknown, c: Context<AdminEnv>): Response {
  const { code, detail, culprits } = translate(error, c)
  const { status } = ERRORS[code]
  const problem: Problem = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? '',
    status,
    code,
    detail,
    requestId: c.get('requestId'),
    ...(culprits.length === 0 ? {} : { errors: [...culprits] }),
    ...(error instanceof ChangedRowError ? { differences: differencesOf(error) } : {}),
  }
  const log = c.get('log')
  if (code === 'internal_error') log.error('admin request failed', { code, err: error })
  else if (status >= 500) log.warn('admin request failed', { code, err: error })
  const { retryAfterSeconds } = ERRORS[code]
  if (retryAfterSeconds !== undefined && !c.res.headers.has('retry-after')) {
    c.header('Retry-After', String(retryAfterSeconds))
  }
  if (code === 'unauthorized') c.header('WWW-Authenticate', 'Bearer realm="plugboard"')
  // The client still sends the rest of the body, so it cannot use this connection for another request.
  if (code === 'payload_too_large') c.header('Connection', 'close')
  c.header('Plugboard-Error', code)
  c.header('Content-Type', 'application/problem+json')
  return c.body(JSON.stringify(problem), status as 400)
}

const differencesOf = ({ differences }: ChangedRowError): NonNullable<Problem['differences']> =>
  differences.map(({ pointer, expected = null, actual = null }) => ({ pointer, expected, actual }))

interface Translated {
  readonly code: ErrorCode
  readonly detail: string
  readonly culprits: readonly Culprit[]
}

function translate(error: unknown, c: Context<AdminEnv>): Translated {
  if (error instanceof RequestError)
    return { code: error.code, detail: error.message, culprits: error.culprits }
  if (error instanceof VeraError)
    return { code: error.code, detail: error.message, culprits: culpritOf(error, c) }
  if (error instanceof HTTPException) {
    // hono itself throws this error, for a body that is not JSON or has another media type.
    if (error.status === 415) return of('unsupported_media_type', 'Send Content-Type: application/json.')
    if (error.status === 400) return of('invalid_request', 'The body is not valid JSON. Send a JSON object.')
    if (error.status === 413) return of('payload_too_large', 'The body is too large. Send a smaller body.')
  }
  return of('internal_error', ERRORS.internal_error.meaning)
}

const of = (code: ErrorCode, detail: string): Translated => ({ code, detail, culprits: [] })

/** Returns the place of the field that the store names: the body, or a parameter of a request without a body. */
function culpritOf(error: VeraError, c: Context<AdminEnv>): readonly Culprit[] {
  if (error.field === undefined) return []
  const where = c.req.raw.body !== null ? { pointer: `/${error.field}` } : { parameter: error.field }
  return [{ ...where, detail: error.message }]
}

/** Returns the issues of a schema as one error with all culprits. `target`: the part of the request, such as `json` or `query`. */
export function validationError(target: string, issues: readonly z.core.$ZodIssue[]): RequestError {
  return culpritsError(
    plainIssues(issues).map(({ path, text, isUnknownKey }) =>
      culprit(target, path, isUnknownKey ? unknownName(target, path) : text),
    ),
  )
}

/** Throws one error with all problems of the body, if there are any. */
export function refuseProblems(
  problems: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): void {
  if (problems.length === 0) return
  throw culpritsError(problems.map(({ path, message }) => culprit('json', path, message)))
}

function culpritsError(culprits: readonly Culprit[]): RequestError {
  const names = culprits.map(({ pointer, parameter, header, detail }) => {
    const name = pointer ?? parameter ?? header
    return name === undefined || name === '' ? detail : `${name}: ${detail}`
  })
  return new RequestError('invalid_request', names.join('; '), culprits)
}

function unknownName(target: string, path: readonly PropertyKey[]): string {
  if (target === 'query') return 'unknown parameter'
  const renamed = path.at(-2) === 'options' ? renamedOptionProblem(String(path.at(-1))) : undefined
  return renamed ?? 'unknown field'
}

/** Cuts the texts, because the path may contain keys that the client has chosen. */
function culprit(target: string, path: readonly PropertyKey[], text: string): Culprit {
  const detail = cutText(text)
  if (target === 'json') {
    const escaped = path.map(part => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    return { pointer: cutText(escaped.join('')), detail }
  }
  const name = cutText(path.map(String).join('.'))
  return target === 'header' ? { header: name, detail } : { parameter: name, detail }
}
