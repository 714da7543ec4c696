// The options of routes that respond without a backend: `redirect`, and `respond` for a fixed response such as a maintenance
// page.

import { recordOf } from '@vera-stack/shared/schema/record-of.ts'
import { z } from 'zod'
import { storedText } from '../../database/store/values/stored-text.ts'
import { networksSchema } from './access-rules.ts'
import { EDITABLE_NAMES, editableFieldName, FIELD_NAMES, fieldValue, namedTwice } from './field-rules.ts'

const MAX_BODY_BYTES = 64 * 1024

/** An http(s) URL, or a path on the requested host. `//host` is rejected, because browsers read it as a host. */
const target = z
  .string()
  .max(2048)
  .superRefine((to, context) => {
    const message = redirectTargetProblem(to)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })
  .meta({
    pattern: '^(?:/(?!/)|[Hh][Tt][Tt][Pp][Ss]?://)[!-"$-\\[\\]-~]*$',
    description:
      'A path on the requested host, or an http or https URL without user and fragment. It does not lead back to the route.',
    example: 'https://www.example.com/',
  })

function redirectTargetProblem(to: string): string | undefined {
  if (!/^[\x21-\x7e]+$/.test(to)) return 'has blanks or characters outside ASCII: write them percent-encoded'
  if (to.includes('\\') || to.startsWith('//'))
    return 'would lead browsers to another host, because they read \\ as / and // as the start of a host'
  if (to.includes('#')) return 'has a fragment: remove it, because the path and the query are appended'
  if (to.startsWith('/')) return undefined
  const url = URL.parse(to)
  if (url === null || !/^https?:\/\/[^/?@]+(?:[/?]|$)/i.test(to) || url.username !== '') {
    return 'is not an http(s) URL or a path that begins with /'
  }
  return undefined
}

const REDIRECT_STATUSES = [301, 302, 303, 307, 308] as const

export const redirectSchema = z.strictObject({
  to: target,
  /** Default 307: temporary, and the method stays. */
  status: z
    .literal(REDIRECT_STATUSES)
    .meta({ type: 'integer', enum: [...REDIRECT_STATUSES] })
    .optional(),
  /** True: the part of the path after the mount is appended. Default: true. */
  keepPath: z.boolean().optional(),
  /** True: the query is appended. Default: true. */
  keepQuery: z.boolean().optional(),
})
export type RedirectRules = z.output<typeof redirectSchema>

/** A time with a zone, because operators and replicas may be in different zones. */
const time = z.iso
  .datetime({
    offset: true,
    error: 'is not a time with a zone: write 2026-12-24T18:00:00Z or …T19:00:00+01:00',
  })
  .meta({ example: '2026-12-24T18:00:00Z' })

export const respondSchema = z
  .strictObject({
    /** Default 200. */
    status: z
      .int()
      .min(200)
      .max(599)
      .refine(status => status < 300 || status > 399, 'is a redirect: use "redirect"')
      .meta({ not: { minimum: 300, maximum: 399 } })
      .optional(),
    /** Default text/plain in UTF-8. */
    contentType: fieldValue.min(1).max(256).meta({ example: 'text/html; charset=utf-8' }).optional(),
    body: storedText(0, MAX_BODY_BYTES)
      .refine(
        body => Buffer.byteLength(body) <= MAX_BODY_BYTES,
        `is longer than ${MAX_BODY_BYTES} bytes: put it behind a Telephone`,
      )
      .meta({
        maxLength: MAX_BODY_BYTES,
        description: `At most ${MAX_BODY_BYTES} bytes of UTF-8. Empty with the statuses 204 and 205.`,
        example: 'Back at noon.',
      })
      .optional(),
    headers: recordOf(editableFieldName, fieldValue)
      .refine(headers => Object.keys(headers).length <= 50, 'has more than 50 fields')
      .refine(headers => namedTwice(Object.keys(headers)) === undefined, 'has a field twice')
      .refine(
        headers => !Object.keys(headers).some(name => /^(?:content-type|retry-after)$/i.test(name)),
        'has Content-Type or Retry-After: use "contentType" and "retryAfterSeconds"',
      )
      .meta({
        propertyNames: FIELD_NAMES,
        maxProperties: 50,
        description: `${EDITABLE_NAMES} \`Content-Type\` and \`Retry-After\` have properties of their own.`,
      })
      .optional(),
    retryAfterSeconds: z.int().min(0).max(31_536_000).optional(),
    /** Clients at these addresses get no fixed response: their requests go to the service. */
    except: networksSchema
      .meta({
        description:
          'Requests from these addresses and networks go to the service of the route. The route then needs a service.',
      })
      .optional(),
    /** The fixed response begins at this time. Default: at once. */
    from: time
      .describe('Before this time, requests go to the service of the route. The route then needs a service.')
      .optional(),
    /** The fixed response ends at this time. Default: never. */
    until: time
      .describe(
        'From this time on, requests go to the service of the route. The route then needs a service. After `from`.',
      )
      .optional(),
  })
  .refine(
    ({ status = 200, body = '' }) => body === '' || (status !== 204 && status !== 205),
    'a response with this status has no body',
  )
  .refine(
    ({ from, until }) => from === undefined || until === undefined || Date.parse(from) < Date.parse(until),
    { path: ['from'], message: 'is not before "until", so the response would never be sent' },
  )
  .meta({ description: 'Not together with `redirect`. No body with the statuses 204 and 205.' })
export type RespondRules = z.output<typeof respondSchema>

/** True when some requests do not get the fixed response. The route then needs a service. */
export function respondsToSomeOnly({ except, from, until }: RespondRules): boolean {
  return except !== undefined || from !== undefined || until !== undefined
}
