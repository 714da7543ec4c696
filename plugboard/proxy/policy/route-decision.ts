// Applies the results of the route rules (access/) in the proxy: converts a routed request to the form that the rules read,
// and their results to responses. Adds the fields that all responses of the route carry.

import { STATUS_CODES } from 'node:http'
import {
  type AccessDecision,
  type AccessRefusal,
  isRefusal,
  type RouteResponse,
} from '../../access/access-decision.ts'
import type { GuardedRequest } from '../../access/gatekeeper.ts'
import type { RouteRules } from '../../routes/options/route-options.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import { bodylessResponse, makeProblem, type ProxyResponse } from '../response/local-responses.ts'
import { addRouteFields } from '../response/route-response.ts'

/** `wantsIdentity`: true when a limit or the balancing uses the verified user or a claim. */
export function guardedRequest(
  request: RoutedRequest,
  rules: RouteRules,
  wantsIdentity: boolean,
): GuardedRequest {
  const { opening, route, host, receivedPath, clientAddress, requestId } = request
  const question = opening.target.indexOf('?')
  return {
    rules,
    host,
    clientAddress,
    requestId,
    path: receivedPath,
    mountPath: route.mountPath,
    method: opening.method,
    fields: opening.fields,
    query: question === -1 ? '' : opening.target.slice(question),
    wantsIdentity,
  }
}

export function responseOf(request: RoutedRequest, decision: AccessDecision): ProxyResponse {
  return isRefusal(decision) ? problem(request, decision) : routeResponse(request, decision)
}

/** Returns the response of the last recipient that Max-Forwards lets a request reach (RFC 9110, section 7.6.2). */
export function finalResponse(request: RoutedRequest, allow: string): ProxyResponse {
  if (request.trace !== '') {
    const body = Buffer.from(request.trace, 'latin1')
    return routeResponse(request, { status: 200, fields: ['Content-Type', 'message/http'], body })
  }
  return routeResponse(request, { status: 204, fields: ['Allow', allow], body: Buffer.alloc(0) })
}

/** Returns a redirect with status 308, because the client then repeats the same method and body. */
export function redirectToHttps(location: string, request: RoutedRequest): ProxyResponse {
  const fields = ['Location', location, 'Content-Length', '0', 'Cache-Control', 'no-store']
  addRouteFields(fields, request, 'plugboard')
  fields.push('X-Request-ID', request.requestId)
  return bodylessResponse(308, fields)
}

function problem(request: RoutedRequest, refusal: AccessRefusal): ProxyResponse {
  const { requestId, accept } = request
  const { code, detail, retryAfterSeconds, fields: extraFields } = refusal
  const response = makeProblem(code, { requestId, accept, detail, retryAfterSeconds, extraFields })
  addRouteFields(response.fields, request, 'plugboard')
  return response
}

function routeResponse(request: RoutedRequest, response: RouteResponse): ProxyResponse {
  const { status, body, preflight } = response
  const fields = [...response.fields]
  addRouteFields(fields, request, preflight === true ? 'preflight' : 'route')
  if (status !== 204) fields.push('Content-Length', String(body.length))
  fields.push('X-Request-ID', request.requestId)
  return { status, statusText: STATUS_CODES[status] ?? '', fields, body, code: undefined }
}
