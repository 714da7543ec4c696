// What the public port would do with a request that nobody has sent: the same admission and the same policy decide, so the
// result is the truth and not a copy of the rules. Nothing is forwarded, and no limit of rates counts it.

import { ERRORS, type ErrorCode } from '@vera-stack/shared/errors.ts'
import { addressGroup } from '../../common/address-group.ts'
import type { DryRequest, DryResponse, DryResult } from '../../routes/dry-run.ts'
import { type ClientFacts, forwardedPrefixOf } from '../connections/client-connection.ts'
import type { Admission } from '../edge/admission.ts'
import type { ProxyResponse } from '../response/answers.ts'
import type { RequestPolicy } from './request-policy.ts'

export interface DryRunParts {
  readonly admission: Admission
  readonly policy: RequestPolicy
}

/** Never rejects. */
export async function dryRun(request: DryRequest, { admission, policy }: DryRunParts): Promise<DryResult> {
  const { clientAddress, scheme, host, target, method, fields } = request
  const connection: ClientFacts = {
    remoteAddress: clientAddress,
    addressGroup: addressGroup(clientAddress),
    trusted: false,
    proto: scheme,
    http2: false,
    forwardedPrefix: forwardedPrefixOf(clientAddress, scheme),
  }
  // As http1/server.ts: Node has an event of its own for it, so the admission never receives it.
  if (method === 'CONNECT')
    return { host: '', path: '', route: undefined, response: errorResponse('method_not_allowed') }
  const head = { method, url: target, httpVersionMajor: 1, httpVersionMinor: 1 }
  const admitted = admission.admit({ ...head, rawHeaders: ['Host', host, ...fields] }, connection, 'http')
  const found = { host: admitted.host, path: admitted.path }
  if (admitted.kind === 'options') return { ...found, route: undefined, response: NO_CONTENT }
  if (admitted.kind !== 'routed')
    return { ...found, route: undefined, response: errorResponse(admitted.code) }
  const answer = await policy.judge(admitted, false)
  return { ...found, route: admitted.route, response: answer && responseOf(answer) }
}

const NO_CONTENT: DryResponse = { status: 204, code: undefined, detail: '', location: undefined }

function errorResponse(code: ErrorCode): DryResponse {
  return { status: ERRORS[code].status, code, detail: ERRORS[code].meaning, location: undefined }
}

function responseOf({ status, code, fields, body }: ProxyResponse): DryResponse {
  const index = fields.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === 'location')
  const location = index === -1 ? undefined : fields[index + 1]
  return { status, code, detail: code === undefined ? '' : detailOf(body, code), location }
}

/** A problem says more than the meaning of its code, unless it is a page of HTML. */
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
