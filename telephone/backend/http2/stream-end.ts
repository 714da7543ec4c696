// Converts the early end of a stream of Node's http2 to a TunnelError, and decides whether the request may be sent again.
// The only file that reads the error codes of Node's http2 and of RFC 9113 (section 7).

import { constants } from 'node:http2'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import {
  closedEarly,
  connectionFailure,
  invalidResponse,
  type ResponseProgress,
  unreachable,
} from '../backend-failure.ts'

export interface StreamEnd {
  /**
   * `refused`: the backend states that it did not process the request (RFC 9113 section 8.7), so any request may be
   * repeated. `lost`: the connection and all its streams ended. `failed`: all other ends.
   */
  readonly kind: 'refused' | 'lost' | 'failed'
  readonly error: TunnelError
}

/** The known facts about a closed stream. */
export interface ClosedStream {
  /** Name of the backend in messages. */
  readonly backend: string
  readonly progress: ResponseProgress
  /** Id of the stream. Undefined: the stream never got an id, so no byte was sent. */
  readonly id: number | undefined
  readonly resetCode: number
  /** The error of the stream's `error` event, or undefined. */
  readonly error: NodeJS.ErrnoException | undefined
  /** True when the connection is closed or closing too. */
  readonly sessionOver: boolean
  readonly goaway: Goaway | undefined
}

export interface Goaway {
  readonly code: number
  readonly lastStreamId: number
}

/** Names of the error codes of RFC 9113 section 7, by number. */
const RESET_NAMES = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
]

function resetName(code: number): string {
  return RESET_NAMES[code] ?? `code ${code}`
}

export function explainEnd(closed: ClosedStream): StreamEnd {
  const { backend, progress, id, resetCode, error, sessionOver, goaway } = closed
  if (id === undefined || (goaway !== undefined && id > goaway.lastStreamId)) {
    const detail = `Backend ${backend} is closing its connection and accepted no further request.`
    return { kind: 'refused', error: unreachable('request_refused', detail) }
  }
  if (resetCode === constants.NGHTTP2_REFUSED_STREAM) {
    const detail = `Backend ${backend} refused the request with REFUSED_STREAM.`
    return {
      kind: 'refused',
      error: new TunnelError('overloaded', { detail, causeCode: 'request_refused' }),
    }
  }
  switch (error?.code) {
    case undefined:
      if (sessionOver) return { kind: 'lost', error: closedEarly(backend, progress) }
      return { kind: 'failed', error: resetFailure(closed) }
    case 'ERR_HTTP2_STREAM_ERROR':
      return { kind: 'failed', error: resetFailure(closed) }
    case 'ERR_HTTP2_SESSION_ERROR': {
      const detail = `Backend ${backend} closed the connection with ${resetName(goaway?.code ?? resetCode)}.`
      return { kind: 'failed', error: closedFailure(detail) }
    }
    default:
      if (error === undefined) return { kind: 'lost', error: closedEarly(backend, progress) }
      if (error.code?.startsWith('ERR_HTTP2_'))
        return { kind: 'failed', error: invalidResponse(error.message, 'invalid_response', error) }
      return { kind: 'lost', error: connectionFailure(error, backend, progress) }
  }
}

/** Creates the error for a stream that the backend or this end reset. */
function resetFailure({ backend, resetCode }: ClosedStream): TunnelError {
  const text = `the stream was reset with ${resetName(resetCode)}${hint(resetCode)}`
  if (isProtocolFault(resetCode)) return invalidResponse(text)
  return closedFailure(`Backend ${backend} ended the request: ${text}.`)
}

function closedFailure(detail: string): TunnelError {
  return new TunnelError('backend_closed', { detail, causeCode: 'connection_reset' })
}

/** True when one end broke the protocol. Either end may have done so; the client receives a 502. */
function isProtocolFault(code: number): boolean {
  switch (code) {
    case constants.NGHTTP2_PROTOCOL_ERROR:
    case constants.NGHTTP2_FLOW_CONTROL_ERROR:
    case constants.NGHTTP2_FRAME_SIZE_ERROR:
    case constants.NGHTTP2_COMPRESSION_ERROR:
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
    case constants.NGHTTP2_HTTP_1_1_REQUIRED:
      return true
    default:
      return false
  }
}

function hint(code: number): string {
  switch (code) {
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return ' (the response has too many fields, or the backend limits the rate of requests)'
    case constants.NGHTTP2_HTTP_1_1_REQUIRED:
      return ' (write the target with http:// or https://)'
    default:
      return ''
  }
}
