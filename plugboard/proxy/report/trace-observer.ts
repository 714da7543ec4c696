// Describes and ends the spans of each traced request, as the semantic conventions of OpenTelemetry 1.45 define them for HTTP. A
// query is left out, and other texts of the client have no secrets, as in the access line.

import { safePath, safeText } from '@vera-stack/shared/log/safe-fields.ts'
import { setMethod, spanMethod } from '@vera-stack/shared/trace/span-method.ts'
import { failSpan, type Span } from '@vera-stack/shared/trace/tracing.ts'
import type { ClientProtocol } from '../edge/routed-request.ts'
import { CLIENT_CLOSED_REQUEST } from './access-log.ts'
import type { FinishedRequest } from './finished-request.ts'

const PROTOCOL_VERSIONS: Readonly<Record<ClientProtocol, string>> = {
  'http/1.0': '1.0',
  'http/1.1': '1.1',
  h2: '2',
}

/** An observer of finished requests. */
export function endSpans(finished: FinishedRequest, nowMs: number): void {
  const { traced } = finished.facts
  if (traced === undefined) return
  const { server } = traced
  const { code, status, headMs } = finished
  describeRequest(server, finished)
  if (isServerError(finished)) failSpan(server, code ?? String(status))
  else if (code !== undefined) server.setAttribute('error.type', code)
  traced.end(code ?? (headMs === undefined ? 'cancelled' : undefined), nowMs)
}

/** True when the server is at fault, or the response was cut. A status 4xx is no error of a server. */
function isServerError({ status, code }: FinishedRequest): boolean {
  return status >= 500 || (code !== undefined && status < 400)
}

function describeRequest(span: Span, finished: FinishedRequest): void {
  const { facts, method, route, status, code, attempts, telephone, peer, failure, headMs } = finished
  const name = spanMethod(method)
  // The mount of the route, never the path: names must have few values.
  span.updateName(route === undefined ? name : `${name} ${route.mount}`)
  setMethod(span, method)
  span.setAttribute('url.scheme', facts.proto)
  span.setAttribute('url.path', safePath(facts.path))
  span.setAttribute('client.address', facts.clientAddress)
  span.setAttribute('plugboard.request_id', safeText(facts.requestId))
  if (facts.host !== '') span.setAttribute('server.address', facts.host)
  if (facts.protocol !== undefined)
    span.setAttribute('network.protocol.version', PROTOCOL_VERSIONS[facts.protocol])
  if (facts.userAgent) span.setAttribute('user_agent.original', safeText(facts.userAgent))
  // The client closed the connection before it got a status.
  const isUnanswered = status === CLIENT_CLOSED_REQUEST && code === undefined && headMs === undefined
  if (!isUnanswered) span.setAttribute('http.response.status_code', status)
  if (route !== undefined) {
    span.setAttribute('http.route', route.mount)
    if (route.service.name !== '') span.setAttribute('plugboard.service', route.service.name)
  }
  if (telephone !== undefined) span.setAttribute('plugboard.telephone', telephone)
  if (peer !== undefined) span.setAttribute('plugboard.peer', peer)
  if (attempts > 1) span.setAttribute('plugboard.retries', attempts - 1)
  if (failure?.cause !== undefined) span.setAttribute('plugboard.cause', failure.cause)
}
