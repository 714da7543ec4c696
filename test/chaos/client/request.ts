// Sends one request through the load balancer, and compares the response with the expected one. Other code decides whether a
// failure is allowed.

import { request as httpRequest, type IncomingMessage } from 'node:http'
import { digest, payload } from './payload.ts'

/** Longer than every possible wait: a silent tunnel is detected in 10 s, and a frozen replica continues after 15 s. */
const TIMEOUT_MS = 25_000

export interface Plan {
  readonly method: 'GET' | 'PUT' | 'POST'
  readonly host: string
  readonly nonce: string
  readonly bytes: number
  readonly upload: Buffer
  /** The response is sent in this many pieces, one every `everyMs`. */
  readonly pieces: number
  readonly everyMs: number
  /** True when the response has Content-Length. */
  readonly withLength: boolean
}

export type Outcome =
  /** Complete, with the expected content. `service`: the service that the response names as its sender. */
  | { readonly kind: 'answered'; readonly service: string }
  | { readonly kind: 'problem'; readonly status: number; readonly code: string }
  /** The head has arrived, and then the connection closed in the body. */
  | { readonly kind: 'cut'; readonly detail: string }
  /** The connection closed before a head arrived. */
  | { readonly kind: 'broken'; readonly detail: string }
  | { readonly kind: 'silent' }
  | { readonly kind: 'wrong'; readonly detail: string }

export interface Sent {
  readonly outcome: Outcome
  /** The port of our end, with which the balancer identifies the connection. */
  readonly localPort: number | undefined
}

export function targetOf({ nonce, bytes, pieces, everyMs, withLength }: Plan): string {
  return `/${nonce}?bytes=${bytes}&pieces=${pieces}&everyMs=${everyMs}${withLength ? '&length=1' : ''}`
}

export function sendPlanned(plan: Plan, port: number, timeoutMs = TIMEOUT_MS): Promise<Sent> {
  return new Promise(resolve => {
    let localPort: number | undefined
    let head: IncomingMessage | undefined
    let silent = false
    const done = (outcome: Outcome): void => {
      clearTimeout(timer)
      resolve({ outcome, localPort })
    }
    const broke = (error: Error): void => {
      const detail = (error as NodeJS.ErrnoException).code ?? error.message
      if (silent) done({ kind: 'silent' })
      else done({ kind: head === undefined ? 'broken' : 'cut', detail })
    }
    const outgoing = httpRequest({
      host: '127.0.0.1',
      port,
      method: plan.method,
      path: targetOf(plan),
      agent: false,
      headers: {
        host: plan.host,
        ...(plan.method === 'GET' ? {} : { 'content-length': plan.upload.length }),
      },
    })
    const timer = setTimeout(() => {
      silent = true
      outgoing.destroy()
    }, timeoutMs)
    outgoing.on('socket', socket => {
      socket.once('connect', () => {
        localPort = socket.localPort
      })
    })
    outgoing.on('error', broke)
    outgoing.on('response', message => {
      head = message
      const chunks: Buffer[] = []
      message.on('data', (chunk: Buffer) => chunks.push(chunk))
      message.on('error', broke)
      message.on('end', () => done(judge(plan, message, Buffer.concat(chunks))))
    })
    outgoing.end(plan.upload.length > 0 ? plan.upload : undefined)
  })
}

/** Checks a complete response: it must be a response of the proxy itself, or exactly the backend's response to this request. */
function judge(plan: Plan, { statusCode = 0, headers }: IncomingMessage, body: Buffer): Outcome {
  const code = headers['plugboard-error']
  if (typeof code === 'string') {
    const right = statusCode >= 400 && headers['x-service'] === undefined
    return right
      ? { kind: 'problem', status: statusCode, code }
      : { kind: 'wrong', detail: `${statusCode} ${code} with fields of a backend` }
  }
  const expected: Record<string, string> = {
    'x-nonce': plan.nonce,
    'x-seen': `${plan.method} ${plan.host} ${targetOf(plan)}`,
    'x-body': `${plan.upload.length} ${digest(plan.upload)}`,
  }
  for (const [name, value] of Object.entries(expected)) {
    if (headers[name] !== value) return { kind: 'wrong', detail: `${name}: ${headers[name]}, not ${value}` }
  }
  if (statusCode !== 200) return { kind: 'wrong', detail: `status ${statusCode}` }
  if (!body.equals(payload(plan.nonce, plan.bytes))) {
    return { kind: 'wrong', detail: `a body of ${body.length} bytes that is not the one of ${plan.bytes}` }
  }
  return { kind: 'answered', service: String(headers['x-service']) }
}

export function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'answered':
      return `response of ${outcome.service}`
    case 'problem':
      return `${outcome.status} ${outcome.code}`
    case 'cut':
    case 'broken':
    case 'wrong':
      return `${outcome.kind}: ${outcome.detail}`
    case 'silent':
      return 'silent'
    default:
      return outcome satisfies never
  }
}
