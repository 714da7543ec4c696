// An exchange as HAR 1.2, for browsers and other tools. Masked values stay masked. Unknown sizes are -1, as the format requires.

import { fieldValue } from '../masking/field-pairs.ts'
import type { CapturedBodyText, CapturedExchange } from './captured-exchange.ts'
import { urlOf } from './exchange-parts.ts'

const UNKNOWN = -1
const VERSIONS: Readonly<Record<string, string>> = { h2: 'HTTP/2', 'http/1.0': 'HTTP/1.0' }

/** `version`: of Plugboard. */
export function harOf(exchange: CapturedExchange, version: string) {
  const { request, received, sent, id, replayOf } = exchange
  const { durationMs, headMs = durationMs } = request
  const httpVersion = VERSIONS[request.protocol ?? ''] ?? 'HTTP/1.1'
  const url = urlOf(exchange)
  const startedAtMs = Date.parse(request.at) - durationMs
  const entry = {
    startedDateTime: new Date(startedAtMs).toISOString(),
    time: durationMs,
    request: {
      method: received.method,
      url,
      httpVersion,
      cookies: [],
      headers: pairs(received.fields),
      queryString: queryOf(received.target),
      ...postDataOf(received.body, received.fields),
      headersSize: UNKNOWN,
      bodySize: received.body?.bytes ?? 0,
    },
    response: {
      // Browsers write 0 for a response that did not arrive.
      status: sent?.status ?? 0,
      statusText: sent?.statusText ?? '',
      httpVersion,
      cookies: [],
      headers: pairs(sent?.fields ?? []),
      content: {
        size: sent?.body?.bytes ?? 0,
        mimeType: fieldValue(sent?.fields ?? [], 'content-type') ?? '',
        ...(sent?.body?.text == null ? {} : { text: sent.body.text }),
        ...commentOf(sent?.body ?? null),
      },
      redirectURL: fieldValue(sent?.fields ?? [], 'location') ?? '',
      headersSize: UNKNOWN,
      bodySize: sent?.body?.bytes ?? 0,
    },
    cache: {},
    timings: { send: 0, wait: headMs, receive: Math.max(0, durationMs - headMs) },
    _exchange: id,
    _replayOf: replayOf,
    _service: request.service ?? null,
    _telephone: request.telephoneId ?? null,
  }
  return { log: { version: '1.2', creator: { name: 'Plugboard', version }, entries: [entry] } }
}

const pairs = (fields: readonly (readonly [string, string])[]) =>
  fields.map(([name, value]) => ({ name, value }))

function queryOf(target: string): { name: string; value: string }[] {
  const question = target.indexOf('?')
  return question === -1
    ? []
    : [...new URLSearchParams(target.slice(question + 1))].map(([name, value]) => ({ name, value }))
}

function postDataOf(body: CapturedBodyText | null, fields: readonly (readonly [string, string])[]) {
  if (body === null) return {}
  const mimeType = fieldValue(fields, 'content-type') ?? ''
  return { postData: { mimeType, text: body.text ?? '', ...commentOf(body) } }
}

function commentOf(body: CapturedBodyText | null): { comment?: string } {
  if (body === null || !body.isCut) return {}
  const reason = body.omitted === null ? 'it is too long' : body.omitted
  return { comment: `The body has ${body.bytes} bytes. A part of it is left out: ${reason}.` }
}
