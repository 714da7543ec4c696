// Requests of a certificate authority that looks whether a host is ours (RFC 8555 section 8.3). They are told from
// all others by their path, before anything else looks at them: no redirect, no route. A token that we do not know
// may be one of the backend's own, and is an ordinary request.

import type { RequestHead } from '../edge/request-head.ts'
import type { ProxyResponse } from '../response/answers.ts'

export interface ChallengeAnswers {
  /** The answer for a token; undefined: not ours. `client`: as limits count the address that asks. Never rejects. */
  http(token: string, client: string): Promise<string | undefined>
}

const PATH = '/.well-known/acme-challenge/'

/** Undefined: no such request. */
export function challengeToken({ method, url }: RequestHead): string | undefined {
  return method === 'GET' && url?.startsWith(PATH) === true ? url.slice(PATH.length) : undefined
}

export function challengeAnswer(text: string, requestId: string): ProxyResponse {
  const body = Buffer.from(text)
  const fields = ['Content-Type', 'application/octet-stream', 'Content-Length', String(body.length)]
  fields.push('X-Request-ID', requestId)
  return { status: 200, statusText: 'OK', fields, body, code: undefined }
}
