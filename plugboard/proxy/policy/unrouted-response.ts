// The response to a request that has no route: a problem, the methods for `OPTIONS *`, or the instance of this Plugboard. `plugboard
// doctor` reads the instance through `publicUrl`, and so finds a DNS name or a load balancer that leads elsewhere. The name is public:
// it is in Via of each response.

import type { Admission } from '../edge/admission.ts'
import type { UnroutedRequest } from '../edge/routed-request.ts'
import { makeProblem, optionsResponse, type ProxyResponse } from '../response/local-responses.ts'

export function unroutedResponse(
  { kind, code, requestId, accept }: UnroutedRequest,
  { allowedMethods: allow, instance }: Pick<Admission, 'allowedMethods' | 'instance'>,
): ProxyResponse {
  switch (kind) {
    case 'options':
      return optionsResponse(requestId, allow)
    case 'instance':
      return instanceResponse(instance, requestId)
    default:
      return makeProblem(code, { requestId, accept, allow })
  }
}

function instanceResponse(instance: string, requestId: string): ProxyResponse {
  const body = Buffer.from(JSON.stringify({ instance }))
  const fields = ['Content-Type', 'application/json', 'Content-Length', String(body.length)]
  fields.push('Cache-Control', 'no-store', 'X-Request-ID', requestId)
  return { status: 200, statusText: 'OK', fields, body, code: undefined }
}
