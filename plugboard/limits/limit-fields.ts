// The fields of responses that state the limits: RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11, sections 4
// and 5), and the problem type of a 429 (section 7).

import type { CompiledLimit } from './compiled-limits.ts'
import type { TightestLimit } from './limiter.ts'

/** The problem type of a response with 429. */
export const QUOTA_EXCEEDED = 'https://iana.org/assignments/http-problem-types#quota-exceeded'

/** Adds the fields of the tightest limit to the fields of a response. */
export function addLimitFields(fields: string[], { limit, remaining, seconds }: TightestLimit): void {
  pushFields(fields, limit, remaining, seconds)
}

/** Returns the fields of a response that the limit has rejected. */
export function rejectionFields(limit: CompiledLimit, retryAfterSeconds: number): string[] {
  const fields: string[] = []
  if (limit.sendsFields) pushFields(fields, limit, 0, retryAfterSeconds)
  return fields
}

function pushFields(fields: string[], limit: CompiledLimit, remaining: number, seconds: number): void {
  fields.push('RateLimit-Policy', limit.policyField)
  // Without a time, the whole quota is available.
  fields.push('RateLimit', `"${limit.name}";r=${remaining}${seconds === 0 ? '' : `;t=${seconds}`}`)
}
