// The formats of values in bodies: mounts, names and patterns of services, ids, times, JSON objects. The server parses each value.
// The document has a pattern for each format, and every accepted text matches it. When the parser has a rule that a pattern
// cannot express, the description states the rule.

import { z } from '@hono/zod-openapi'
import {
  type ParsedMount,
  parseMount,
  parseServiceName,
  SERVICE_NAME_PATTERN,
} from '@vera-stack/shared/mounts.ts'
import { isJsonObject, type JsonObject } from '../../common/json.ts'
import { serviceScopeProblem } from '../../telephones/tokens/tokens.ts'

/** A host of 253 characters and a path of 1,024, with room for another spelling. */
const MAX_MOUNT = 1300
const HOST = '(?:\\*|\\[[0-9A-Fa-f:.]{2,45}\\]|(?:\\*\\.)?[^\\s/?#@:%\\\\*\\[\\]]+)'
const PATH = "(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?"
const MOUNT = `^\\s*${HOST}${PATH}\\s*$`

function problemOf(parse: (text: string) => ParsedMount<unknown>) {
  return (text: string, context: z.RefinementCtx): void => {
    const parsed = parse(text)
    if (!parsed.ok) context.addIssue({ code: 'custom', message: parsed.problem })
  }
}

/** The mount of a route, or a pattern that covers mounts. Both have the same form. */
export const mountText = z
  .string()
  .min(1)
  .max(MAX_MOUNT)
  .superRefine(problemOf(parseMount))
  .openapi({
    pattern: MOUNT,
    description:
      'Host pattern and path prefix. The host may be `*.example.com` or `*`, and may contain letters of other scripts ' +
      '(IDNA). The path has no empty segments and no dot segments.',
    example: 'app.example.com/api',
  })

export const serviceNameText = z.string().min(1).max(63).superRefine(problemOf(parseServiceName)).openapi({
  pattern: SERVICE_NAME_PATTERN,
  description:
    'A unique name of lower-case letters, digits, `-`, `_` and `.`. It must not have the form of an id, and must not be `plugboard.functions`, `plugboard.placement` or `plugboard.events`.',
  example: 'shop',
})

/** The services that a token or a key covers: one name, a prefix of names, or all. */
export const serviceScopeText = z
  .string()
  .min(1)
  .max(63)
  .superRefine((text, context) => {
    const message = serviceScopeProblem(text)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })
  .openapi({ pattern: `${SERVICE_NAME_PATTERN}|^(?:[a-z0-9][a-z0-9._-]*)?\\*$`, example: 'shop-*' })

/** `next` of a page: base64url. */
export const cursorText = z
  .string()
  .max(4096)
  .regex(/^[A-Za-z0-9_-]+$/, 'is not a cursor of this API: send `next` of the page before')
  .openapi({ example: 'WyJzaG9wIl0' })

export const timestamp = z.iso.datetime().openapi({ example: '2026-11-20T12:00:00.000Z' })

/** A UUID. */
export const id = z.string().openapi({ format: 'uuid', example: '0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e' })

/** An object whose keys may come from a newer version of this program. */
export const jsonObject = z
  .custom<JsonObject>(isJsonObject)
  .openapi({ type: 'object', additionalProperties: true })

export const jsonObjectOrNull = z
  .custom<JsonObject | null>(value => value === null || isJsonObject(value))
  .openapi({ type: ['object', 'null'], additionalProperties: true })
