// Determines how the public port would serve a request, without sending one. The admission and the policy of real requests
// decide, so the result cannot differ from theirs. The request is not forwarded and does not count for rate limits.

import { ERRORS, type ErrorCode } from '@vera-stack/shared/errors.ts'
import type { DryRequest, DryResponse, DryResult } from '../../routes/dry-run-types.ts'
import { simulatedRequest } from '../connections/simulated-request.ts'
import type { Admission } from '../edge/admission.ts'
import type { ProxyResponse } from '../response/local-responses.ts'
import type { RequestPolicy } from './request-policy.ts'

export interface DryRunParts {
  readonly admission: Admission
  readonly policy: RequestPolicy
}

/** Returns the route and the local response, if any, for a request. Never rejects. */
export async function dryRun(request: DryRequest, { admission, policy }: DryRunParts): Promise<DryResult> {
  // Like http1/server.ts: Node emits a separate event for CONNECT, so the admission never receives it.
  if (request.method === 'CONNECT')
    return { host: '', path: '', route: undefined, response: errorResponse('method_not_allowed') }
  const { client, head } = simulatedRequest(request)
  const admitted = admission.admit(head, client, 'http')
  const found = { host: admitted.host, path: admitted.path }
  if (admitted.kind === 'instance') return { ...found, route: undefined, response: INSTANCE }
  if (admitted.kind === 'options') return { ...found, route: undefined, response: NO_CONTENT }
  if (admitted.kind !== 'routed')
    return { ...found, route: undefined, response: errorResponse(admitted.code) }
  const response = await policy.decide(admitted, false)
  return { ...found, route: admitted.route, response: response && responseOf(response) }
}

const INSTANCE: DryResponse = { status: 200, code: undefined, detail: '', location: undefined }
const NO_CONTENT: DryResponse = { status: 204, code: undefined, detail: '', location: undefined }

function errorResponse(code: ErrorCode): DryResponse {
  return { status: ERRORS[code].status, code, detail: ERRORS[code].meaning, location: undefined }
}

function responseOf({ status, code, fields, body }: ProxyResponse): DryResponse {
  const index = fields.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === 'location')
  const location = index === -1 ? undefined : fields[index + 1]
  return { status, code, detail: code === undefined ? '' : detailOf(body, code), location }
}

/** Returns the detail of a problem document. Falls back to the meaning of the code, for example when the body is HTML. */
function detailOf(body: Buffer, code: ErrorCode): string {
  const { meaning } = ERRORS[code]
  try {
    const problem: unknown = JSON.parse(body.toString())
    const detail = (problem as { readonly detail?: unknown } | null)?.detail
    return typeof detail === 'string' ? detail : meaning
  } catch {
    return meaning
  }
}
