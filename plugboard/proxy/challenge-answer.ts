// Requests of a certificate authority that looks whether a host is ours (RFC 8555 section 8.3). They are told from
// all others by their path, before anything else looks at them: no redirect, no route. A token that we do not know
// may be one of the backend's own, and is an ordinary request.

import type { IncomingMessage, ServerResponse } from 'node:http'

export interface ChallengeAnswers {
  /** The answer for a token; undefined: not ours. Never rejects. */
  http(token: string): Promise<string | undefined>
}

const PATH = '/.well-known/acme-challenge/'

/** Undefined: no such request. */
export function challengeToken(req: IncomingMessage): string | undefined {
  const { method, url } = req
  return method === 'GET' && url?.startsWith(PATH) === true ? url.slice(PATH.length) : undefined
}

export function answerChallenge(res: ServerResponse, answer: string, closeAfter: boolean): void {
  const fields = [
    'Content-Type',
    'application/octet-stream',
    'Content-Length',
    String(Buffer.byteLength(answer)),
  ]
  if (closeAfter) fields.push('Connection', 'close')
  res.writeHead(200, fields).end(answer)
}
