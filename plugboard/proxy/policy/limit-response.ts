// The response to a request that a limit rejects (draft-ietf-httpapi-ratelimit-headers-11): status 429 with the problem type
// `quota-exceeded`, and the time after which the next request passes.

import type { CompiledLimit } from '../../limits/compiled-limits.ts'
import { QUOTA_EXCEEDED, rejectionFields } from '../../limits/limit-fields.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import { makeProblem, type ProxyResponse } from '../response/local-responses.ts'
import { addRouteFields } from '../response/route-response.ts'

export function limitResponse(
  request: RoutedRequest,
  limit: CompiledLimit,
  retryAfterSeconds: number,
): ProxyResponse {
  const { requestId, accept } = request
  const response = makeProblem('rate_limited', {
    requestId,
    accept,
    retryAfterSeconds,
    type: QUOTA_EXCEEDED,
    members: { 'violated-policies': [limit.name] },
    extraFields: rejectionFields(limit, retryAfterSeconds),
  })
  // The fields of the rejecting limit replace those of other limits.
  addRouteFields(
    response.fields,
    { edits: request.edits, hsts: request.hsts, limits: undefined },
    'plugboard',
  )
  return response
}
