// Why a stream of Node's http2 ended before its answer was complete → a TunnelError, and whether the request may be
// sent again. The one place that knows Node's error codes and RFC 9113's (section 7).

import { constants } from 'node:http2'
import { type Reason, TunnelError } from '@vera-stack/shared/protocol/reason.ts'
import { describeSocketError } from '../connector.ts'

export interface StreamEnd {
  /**
   * `refused`: the backend says that it has not looked at the request (RFC 9113 section 8.7), any may be repeated.
   * `lost`: the connection went away, for this and all its streams. `failed`: everything else.
   */
  readonly kind: 'refused' | 'lost' | 'failed'
  readonly error: TunnelError
}

/** What is known when a stream has closed. */
export interface ClosedStream {
  /** Undefined: it was never given one, so nothing was sent. */
  readonly id: number | undefined
  readonly resetCode: number
  /** The stream's `error` event, if there was one. */
  readonly error: NodeJS.ErrnoException | undefined
  /** The connection is closed too, or about to be. */
  readonly sessionOver: boolean
  readonly goaway: Goaway | undefined
}

export interface Goaway {
  readonly code: number
  readonly lastStreamId: number
}

/** RFC 9113 section 7, by number. */
const RESET_NAMES = [
  ...[
    'NO_ERROR',
    'PROTOCOL_ERROR',
    'INTERNAL_ERROR',
    'FLOW_CONTROL_ERROR',
    'SETTINGS_TIMEOUT',
    'STREAM_CLOSED',
  ],
  ...[
    'FRAME_SIZE_ERROR',
    'REFUSED_STREAM',
    'CANCEL',
    'COMPRESSION_ERROR',
    'CONNECT_ERROR',
    'ENHANCE_YOUR_CALM',
  ],
  ...['INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED'],
]

function resetName(code: number): string {
  return RESET_NAMES[code] ?? `code ${code}`
}

export function explainEnd({ id, resetCode, error, sessionOver, goaway }: ClosedStream): StreamEnd {
  if (id === undefined || (goaway !== undefined && id > goaway.lastStreamId)) {
    return end('refused', 'backend_unreachable', 'the backend is closing its connection')
  }
  if (resetCode === constants.NGHTTP2_REFUSED_STREAM)
    return end('refused', 'overloaded', 'reset with REFUSED_STREAM')
  switch (error?.code) {
    case undefined:
      if (sessionOver) return end('lost', 'backend_closed', 'end of connection')
      return end(
        'failed',
        'backend_closed',
        `reset with ${resetName(resetCode)} before its answer was complete`,
      )
    case 'ERR_HTTP2_STREAM_ERROR':
      return end('failed', reasonOfReset(resetCode), `reset with ${resetName(resetCode)}${hint(resetCode)}`)
    case 'ERR_HTTP2_SESSION_ERROR':
      return end('failed', 'backend_closed', `connection closed with ${resetName(goaway?.code ?? resetCode)}`)
    default:
      if (error?.code?.startsWith('ERR_HTTP2_')) return end('failed', 'backend_protocol_error', error.message)
      return end('lost', 'backend_closed', error === undefined ? '' : describeSocketError(error))
  }
}

/** Codes that say that one end broke the protocol; whether it was the backend or this one, it is a 502. */
function reasonOfReset(code: number): Reason {
  switch (code) {
    case constants.NGHTTP2_PROTOCOL_ERROR:
    case constants.NGHTTP2_FLOW_CONTROL_ERROR:
    case constants.NGHTTP2_FRAME_SIZE_ERROR:
    case constants.NGHTTP2_COMPRESSION_ERROR:
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
    case constants.NGHTTP2_HTTP_1_1_REQUIRED:
      return 'backend_protocol_error'
    default:
      return 'backend_closed'
  }
}

function hint(code: number): string {
  switch (code) {
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return ' (more fields than the limit, or more requests than the backend likes)'
    case constants.NGHTTP2_HTTP_1_1_REQUIRED:
      return ' (the target should be http:// or https://)'
    default:
      return ''
  }
}

function end(kind: StreamEnd['kind'], reason: Reason, detail: string): StreamEnd {
  return { kind, error: new TunnelError(reason, { detail }) }
}
