// Sends one request of OTLP over HTTP and reads the response.

import { type Agent, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { OtlpReceiver } from './otlp-settings.ts'

export type OtlpResult =
  | { readonly kind: 'accepted' }
  /** The receiver dropped a part of the data points or spans. */
  | { readonly kind: 'partial'; readonly count: number; readonly detail: string }
  /** The same request would fail again. */
  | { readonly kind: 'refused'; readonly status: number }
  /** A later request may succeed. */
  | { readonly kind: 'unavailable'; readonly detail: string }

/** The longest response whose text is read. */
const MAX_RESPONSE_BYTES = 65_536
/** OTLP permits a retry after these statuses and after each status from 500 on. All other errors are permanent. */
const RETRYABLE: ReadonlySet<number> = new Set([408, 429])

/**
 * Resolves with the result. Never rejects. `signal` ends the request. `body`: JSON with gzip. `agent` keeps connections open for
 * later requests. Without an agent, the request has its own connection, because a connection that is idle for a minute becomes stale.
 */
export function postOtlp(
  { url, headers }: OtlpReceiver,
  body: Buffer,
  signal: AbortSignal,
  agent?: Agent,
): Promise<OtlpResult> {
  const { promise, resolve } = Promise.withResolvers<OtlpResult>()
  const failed = (error: Error): void => resolve({ kind: 'unavailable', detail: reasonOf(error, signal) })
  const open = url.protocol === 'https:' ? requestHttps : requestHttp
  const request = open(url, {
    method: 'POST',
    agent: agent ?? false,
    signal,
    headers: {
      ...headers,
      'content-type': 'application/json',
      'content-encoding': 'gzip',
      'content-length': body.length,
      ...(agent === undefined && { connection: 'close' }),
    },
  })
  request.on('error', failed)
  // The connection was closed before the end of the response, without an error.
  request.on('close', () => resolve({ kind: 'unavailable', detail: 'the connection was closed' }))
  request.on('response', response => {
    const { statusCode: status = 0 } = response
    const chunks: Buffer[] = []
    let bytes = 0
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= MAX_RESPONSE_BYTES) chunks.push(chunk)
      else {
        resolve(resultOf(status, ''))
        response.destroy()
      }
    })
    response.on('end', () => resolve(resultOf(status, Buffer.concat(chunks).toString())))
    response.on('error', failed)
  })
  request.end(body)
  return promise
}

function reasonOf(error: Error, signal: AbortSignal): string {
  if (signal.aborted)
    return signal.reason instanceof Error ? signal.reason.message : 'the time limit has passed'
  const { code } = error as NodeJS.ErrnoException
  // A connection to several addresses fails with an error without a text.
  return error.message === '' ? (code ?? error.name) : error.message
}

function resultOf(status: number, text: string): OtlpResult {
  if (status >= 500 || RETRYABLE.has(status)) return { kind: 'unavailable', detail: `status ${status}` }
  if (status < 200 || status > 299) return { kind: 'refused', status }
  const { partialSuccess } = parsed(text)
  const count = Number(partialSuccess?.rejectedDataPoints ?? partialSuccess?.rejectedSpans ?? 0)
  if (!(count > 0)) return { kind: 'accepted' }
  return { kind: 'partial', count, detail: String(partialSuccess?.errorMessage ?? '') }
}

interface OtlpResponse {
  readonly partialSuccess?: {
    readonly rejectedDataPoints?: unknown
    readonly rejectedSpans?: unknown
    readonly errorMessage?: unknown
  } | null
}

/** Returns an empty response for text that is not an object of JSON: the status has already reported the success. */
function parsed(text: string): OtlpResponse {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
