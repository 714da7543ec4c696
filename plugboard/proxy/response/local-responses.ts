// The responses of the proxy itself: problem details (RFC 9457), or a small page when the client prefers HTML. A problem
// always has `Plugboard-Error` and the request id. It never has a stack trace, an internal host name or input of the client.

import { STATUS_CODES } from 'node:http'
import { ERRORS, type ErrorCode } from '@vera-stack/shared/errors.ts'
import { escapeHtml } from '@vera-stack/shared/http/escape-html.ts'
import { prefersHtml } from '../../common/http/prefers-html.ts'

export interface ProxyResponse {
  readonly status: number
  readonly statusText: string
  /** Without Connection and Date. With Content-Length, if the status allows it. */
  readonly fields: string[]
  readonly body: Buffer
  /** The error code; undefined for a response that is not an error. */
  readonly code: ErrorCode | undefined
}

export interface ProblemOptions {
  readonly requestId: string
  /** The value of the request's Accept field. */
  readonly accept?: string | undefined
  /** One line for the client, which replaces the meaning of the code. */
  readonly detail?: string | undefined
  readonly retryAfterSeconds?: number | undefined
  /** The value of Allow for a response with 405. Default: the methods without TRACE. */
  readonly allow?: string | undefined
  readonly extraFields?: readonly string[] | undefined
  /** The problem type; default `about:blank` (RFC 9457, section 4.2.1). */
  readonly type?: string | undefined
  /** Further members of the problem document. */
  readonly members?: Readonly<Record<string, unknown>> | undefined
}

const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'
/** Returns the value of `Allow`. */
export const allowedMethods = (allowTrace: boolean): string =>
  allowTrace ? `${ALLOWED_METHODS}, TRACE` : ALLOWED_METHODS
const NO_BODY = Buffer.alloc(0)

/** Returns a response without a body. `fields`: with Content-Length, if the status allows it. */
export function bodylessResponse(status: number, fields: string[]): ProxyResponse {
  return { status, statusText: STATUS_CODES[status] ?? '', fields, body: NO_BODY, code: undefined }
}

/** Returns the response to `OPTIONS *`. */
export function optionsResponse(requestId: string, allow: string): ProxyResponse {
  return bodylessResponse(204, ['Allow', allow, 'X-Request-ID', requestId])
}

export function makeProblem(code: ErrorCode, options: ProblemOptions): ProxyResponse {
  const { status, meaning } = ERRORS[code]
  const statusText = STATUS_CODES[status] ?? ''
  const detail = options.detail ?? meaning
  const html = prefersHtml(options.accept)
  const body = Buffer.from(
    html
      ? page(status, statusText, detail, code, options.requestId)
      : JSON.stringify({
          type: options.type ?? 'about:blank',
          title: statusText,
          status,
          detail,
          code,
          ...options.members,
          ...idOf(options),
        }),
  )
  const fields = [
    'Content-Type',
    html ? 'text/html; charset=utf-8' : 'application/problem+json',
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
    'Plugboard-Error',
    code,
    'X-Request-ID',
    options.requestId,
  ]
  if (html) fields.push('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'")
  const retryAfterSeconds = options.retryAfterSeconds ?? ERRORS[code].retryAfterSeconds
  if (retryAfterSeconds !== undefined) fields.push('Retry-After', String(retryAfterSeconds))
  if (code === 'method_not_allowed') fields.push('Allow', options.allow ?? ALLOWED_METHODS)
  if (code === 'upgrade_required') fields.push('Upgrade', 'websocket')
  if (options.extraFields !== undefined) fields.push(...options.extraFields)
  return { code, status, statusText, fields, body }
}

/** Returns the whole response as bytes, for a socket without a ServerResponse. It announces the end of the connection. */
export function responseBytes(response: ProxyResponse, method?: string): Buffer {
  const { status, statusText, fields, body } = response
  let head = `HTTP/1.1 ${status} ${statusText}\r\n`
  for (let index = 0; index + 1 < fields.length; index += 2)
    head += `${fields[index]}: ${fields[index + 1]}\r\n`
  head += `Connection: ${closingConnection(response)}\r\nDate: ${new Date().toUTCString()}\r\n\r\n`
  const bytes = Buffer.from(head, 'latin1')
  return method === 'HEAD' || body.length === 0 ? bytes : Buffer.concat([bytes, body])
}

/** Returns the value of Connection for the last response on a connection. */
export function closingConnection({ code }: ProxyResponse): string {
  return code === 'upgrade_required' ? 'close, Upgrade' : 'close'
}

function idOf({ requestId }: ProblemOptions): { requestId?: string } {
  return requestId === '' ? {} : { requestId }
}

function page(status: number, title: string, detail: string, code: ErrorCode, requestId: string): string {
  // For faults behind the client: it passes the command on to an operator.
  const hint =
    ERRORS[code].source === 'client' ? '' : `<br>For the operator: plugboard explain ${escapeHtml(requestId)}`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${status} ${escapeHtml(title)}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 0 1rem }
small { color: #666; overflow-wrap: anywhere }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee } small { color: #999 } }
</style>
<h1>${status} ${escapeHtml(title)}</h1>
<p>${escapeHtml(detail)}</p>
<small>${code} · ${escapeHtml(requestId)}${hint}</small>
</html>
`
}
