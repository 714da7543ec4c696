// Responses to the HTTP challenge requests of a certificate authority, which prove that Plugboard serves a host (RFC 8555
// section 8.3). Their path identifies them before redirects and routes apply. A request with an unknown token is an ordinary
// request, because a backend may order certificates itself.

import type { RequestHead } from '../edge/request-head.ts'
import type { ProxyResponse } from '../response/local-responses.ts'

export interface ChallengeResponses {
  /** Resolves with the response body for a token; undefined for an unknown token. `client`: for limits. Never rejects. */
  http(token: string, client: string): Promise<string | undefined>
}

const PATH = '/.well-known/acme-challenge/'

/** Returns the token of a challenge request; undefined for any other request. */
export function challengeToken({ method, url }: RequestHead): string | undefined {
  return method === 'GET' && url?.startsWith(PATH) === true ? url.slice(PATH.length) : undefined
}

export function challengeResponse(text: string, requestId: string): ProxyResponse {
  const body = Buffer.from(text)
  const fields = ['Content-Type', 'application/octet-stream', 'Content-Length', String(body.length)]
  fields.push('X-Request-ID', requestId)
  return { status: 200, statusText: 'OK', fields, body, code: undefined }
}
