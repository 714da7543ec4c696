// The rules about pages of other origins that may call a route from a browser (the CORS protocol of the Fetch standard).

import { z } from 'zod'

/** `https://app.example.com`, `https://*.example.com:8443`. */
const ORIGIN =
  /^[a-z][a-z0-9+.-]*:\/\/(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-f:.]+\])(?::\d{1,5})?$/

function originProblem(origin: string): string | undefined {
  if (origin === '*') return undefined
  if (origin === 'null') return 'cannot be null, because every sandboxed page sends this origin'
  if (!ORIGIN.test(origin))
    return 'is not an origin: write https://app.example.com or https://*.example.com, or *'
  return /^(?:https:.*:443|http:.*:80)$/.test(origin) ? 'has the default port: leave it out' : undefined
}

const origin = z
  .string()
  .max(300)
  .superRefine((text, context) => {
    const problem = originProblem(text)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  })
  .meta({
    pattern: `^(?:\\*|(?!https:.*:443$|http:.*:80$)${ORIGIN.source.slice(1, -1)})$`,
    description: 'No `*` together with `credentials`.',
    example: 'https://app.example.com',
  })
const token = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'is not a valid name')
  .meta({ description: 'No `*` together with `credentials`.', example: 'X-Requested-With' })
const names = z.array(token).max(100)

export const corsSchema = z
  .strictObject({
    /** Exact origins, `https://*.example.com` for all names under it, or `*`. */
    origins: z.array(origin).min(1).max(100),
    /** Methods besides GET, HEAD and POST, which need no permission. Default: PUT, PATCH and DELETE. */
    methods: names.optional(),
    /** Header fields that requests may have. Default: all fields that the browser asks for. */
    headers: names.optional(),
    /** Header fields of responses that pages may read. */
    exposed: names.optional(),
    /** True: requests may carry cookies and Authorization. */
    credentials: z.boolean().optional(),
    /** Time for which browsers may cache the permission. Default 600. */
    maxAgeSeconds: z.int().min(0).max(86_400).optional(),
  })
  .superRefine((cors, context) => {
    if (cors.credentials !== true) return
    for (const [key, list] of [
      ['origins', cors.origins],
      ['methods', cors.methods],
      ['headers', cors.headers],
      ['exposed', cors.exposed],
    ] as const) {
      const index = list?.indexOf('*') ?? -1
      if (index === -1) continue
      const message = 'cannot be * together with credentials: any page could act for the user. Name them'
      context.addIssue({ code: 'custom', path: [key, index], message })
    }
  })
export type CorsRules = z.output<typeof corsSchema>
