// An answer that a route always gives: a maintenance page, a robots.txt, a health check.

import type { AnswerRules } from '../../routes/rules/answer-rules.ts'
import type { OwnAnswer } from '../verdict.ts'

const TEXT = 'text/plain; charset=utf-8'

/** Made once; every request gets a copy of its fields. */
export function fixedAnswer(rules: AnswerRules): OwnAnswer {
  const { status = 200, contentType = TEXT, body = '', headers = {}, retryAfterSeconds } = rules
  const fields = Object.entries(headers).flat()
  if (body !== '') fields.push('Content-Type', contentType)
  if (retryAfterSeconds !== undefined) fields.push('Retry-After', String(retryAfterSeconds))
  // What is meant for now must not be kept for later by a cache; who wants that says so.
  const said = Object.keys(headers).some(name => name.toLowerCase() === 'cache-control')
  if (status >= 400 && !said) fields.push('Cache-Control', 'no-store')
  return { status, fields, body: Buffer.from(body) }
}
