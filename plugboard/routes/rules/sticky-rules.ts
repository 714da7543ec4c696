// Sticky sessions of a service: the client repeats a cookie or a header field of an earlier response, and its requests then
// reach the same telephone process.

import { z } from 'zod'
import { ownFieldName } from './field-rules.ts'

/** Browsers keep a cookie for at most 400 days (draft-ietf-httpbis-rfc6265bis, section 5.5). */
const MAX_TTL_SECONDS = 400 * 86_400

/** Fields that backends or Plugboard send in responses. A sticky session would replace their values. */
const RESPONSE_FIELDS =
  /^(?:set-cookie2?|ratelimit(?:-.*)?|retry-after|location|etag|last-modified|vary|cache-control|expires|age|allow|link|server|refresh|www-authenticate|strict-transport-security|alt-svc|pragma|(?:access-control|content|sec|cross-origin)-.*)$/i

const cookieName = z
  .string()
  .max(128)
  .regex(
    /^(?!__)[A-Za-z0-9!#$%&'*+.^_`|~-]+$/,
    'is not a name of a cookie, or begins with __: browsers accept such cookies only in special cases',
  )
  .meta({
    description: 'The name of the cookie. Default: a name of its own for each service.',
    example: 'shop_session',
  })

const byCookie = z.strictObject({
  cookie: z.strictObject({
    name: cookieName.optional(),
    /** Lifetime of the cookie, seconds. Absent: the browser keeps the cookie until it is closed. */
    ttlSeconds: z.int().min(1).max(MAX_TTL_SECONDS).optional(),
  }),
})
const byHeader = z.strictObject({
  /** The field in the response, which the client repeats in its requests. */
  header: ownFieldName.refine(
    name => !RESPONSE_FIELDS.test(name),
    'is a field of responses with a meaning of its own; choose a name such as X-Session',
  ),
})

export const stickySchema = z
  .union([byCookie, byHeader], {
    error: 'has neither a cookie nor a header alone: write {"cookie":{}} or {"header":"X-Session"}',
  })
  .meta({
    description:
      'Sticky sessions: the first response binds the client to its telephone process, with a cookie or with a header field ' +
      'that the client repeats.',
  })
export type StickyRules = z.output<typeof stickySchema>
