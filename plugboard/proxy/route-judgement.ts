// The rules of a route (access/) and what they say to a request, in the proxy's own terms: a routed request goes in, an
// answer of Plugboard's comes out, with whatever the route does to all of its answers.

import { STATUS_CODES } from 'node:http'
import type { GuardedRequest } from '../access/gatekeeper.ts'
import { isRefusal, type OwnAnswer, type Refusal, type Verdict } from '../access/verdict.ts'
import type { RouteRules } from '../routes/route-options.ts'
import { ALLOWED_METHODS, type LocalAnswer, makeProblem } from './answers.ts'
import type { RoutedRequest } from './forwarding.ts'
import { addHsts } from './https-policy.ts'

export function guardedRequest(request: RoutedRequest, rules: RouteRules): GuardedRequest {
  const { opening, route, host, receivedPath, clientAddress, requestId, edits } = request
  const question = opening.target.indexOf('?')
  return {
    ...{ rules, host, clientAddress, requestId, edits },
    path: receivedPath,
    mountPath: route.mountPath,
    method: opening.method,
    fields: opening.fields,
    query: question === -1 ? '' : opening.target.slice(question),
  }
}

/** `hsts`: as it is for all routes. */
export function answerOf(request: RoutedRequest, verdict: Verdict, hsts: string): LocalAnswer {
  return isRefusal(verdict) ? problem(request, verdict) : ownAnswer(request, verdict, hsts)
}

/** Returns the response of the last recipient that Max-Forwards lets a request reach (RFC 9110, section 7.6.2). */
export function finalResponse(request: RoutedRequest, hsts: string): LocalAnswer {
  const fields = ['Allow', ALLOWED_METHODS]
  request.edits?.apply(fields)
  return ownAnswer(request, { status: 204, fields, body: Buffer.alloc(0) }, hsts)
}

function problem({ requestId, accept, edits }: RoutedRequest, refusal: Refusal): LocalAnswer {
  const { code, detail, retryAfterSeconds, fields: extraFields } = refusal
  const answer = makeProblem(code, { requestId, accept, detail, retryAfterSeconds, extraFields })
  edits?.applyToProblem(answer.fields)
  return answer
}

function ownAnswer({ requestId, proto, edits }: RoutedRequest, answer: OwnAnswer, hsts: string): LocalAnswer {
  const { status, body } = answer
  const fields = [...answer.fields]
  const strict = proto === 'https' ? (edits?.hsts ?? hsts) : ''
  if (strict !== '') addHsts(fields, strict)
  if (status !== 204) fields.push('Content-Length', String(body.length))
  fields.push('X-Request-ID', requestId)
  return { status, statusText: STATUS_CODES[status] ?? '', fields, body, code: undefined }
}
