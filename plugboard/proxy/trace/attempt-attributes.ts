// The attributes of the spans of attempts, as the semantic conventions of OpenTelemetry 1.45 define them for HTTP.
// Attributes of our own begin with `plugboard.`.

import { setMethod } from '@vera-stack/shared/trace/span-method.ts'
import type { Span } from '@vera-stack/shared/trace/tracing.ts'
import type { Candidate } from '../../telephones/pools/line-pool.ts'

/** `resends`: the number of earlier attempts of the request. */
export function describeAttempt(
  span: Span,
  { line, local, process }: Candidate,
  method: string,
  resends: number,
): void {
  setMethod(span, method)
  span.setAttribute('server.address', line.telephone)
  span.setAttribute('plugboard.service', line.service)
  span.setAttribute('plugboard.telephone', line.telephone)
  if (!local) span.setAttribute('plugboard.peer', line.replicaId)
  if (process.subset !== undefined) span.setAttribute('plugboard.subset', process.subset.name)
  if (resends > 0) span.setAttribute('http.request.resend_count', resends)
}
