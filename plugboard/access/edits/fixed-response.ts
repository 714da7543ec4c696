// The response that a route with the option `respond` sends to every request: a maintenance page, a robots.txt, a health check.

import type { RespondRules } from '../../routes/rules/respond-rules.ts'
import type { RouteResponse } from '../access-decision.ts'

const TEXT = 'text/plain; charset=utf-8'

/** Returns the response. It is made once, and each request gets a copy of its fields. */
export function fixedResponse(rules: RespondRules): RouteResponse {
  const { status = 200, contentType = TEXT, body = '', headers = {}, retryAfterSeconds } = rules
  const fields = Object.entries(headers).flat()
  if (body !== '') fields.push('Content-Type', contentType)
  if (retryAfterSeconds !== undefined) fields.push('Retry-After', String(retryAfterSeconds))
  // A cache must not keep an error response that is temporary, unless the route sets Cache-Control.
  const isCacheSet = Object.keys(headers).some(name => name.toLowerCase() === 'cache-control')
  if (status >= 400 && !isCacheSet) fields.push('Cache-Control', 'no-store')
  return { status, fields, body: Buffer.from(body) }
}
