// The reasons for which a stream or a session ends early: the codes of RESET and BYE frames. `delivered` states whether
// the far application may have received a part of the request; the caller also looks at the method and at the reason.
// Both ends must use the same table (PROTOCOL.md, "Reasons").

import { cutText } from '../../text/cut-text.ts'

/** `no`: the application received no byte, so any request may be sent again. `maybe`: only idempotent requests may. */
export type Delivered = 'no' | 'maybe'

interface ReasonRow {
  readonly code: number
  readonly delivered: Delivered
  readonly meaning: string
}

const row = (code: number, delivered: Delivered, meaning: string): ReasonRow => ({ code, delivered, meaning })

// Written as a list, because the declarations of the library show this type. The compiler compares it with the table.
/** The reason for which a stream or a session ended. */
export type Reason =
  | 'cancelled'
  | 'refused'
  | 'draining'
  | 'overloaded'
  | 'unknown_kind'
  | 'unknown_service'
  | 'backend_unreachable'
  | 'backend_timeout'
  | 'backend_protocol_error'
  | 'backend_closed'
  | 'idle_timeout'
  | 'payload_too_large'
  | 'flow_control_error'
  | 'protocol_error'
  | 'internal_error'
  | 'session_lost'
  | 'going_away'
  | 'unauthorized'
  | 'replaced'
  | 'unsupported_version'
  | 'ping_timeout'
  | 'request_unsendable'
  | 'over_budget'
  | 'client_share'

export const REASONS: Readonly<Record<Reason, ReasonRow>> = {
  cancelled: row(1, 'maybe', 'the end that opened the stream no longer needs it'),
  refused: row(2, 'no', 'the stream was not given to the application; open it elsewhere'),
  draining: row(3, 'no', 'the peer takes no new streams'),
  overloaded: row(4, 'no', 'the peer is at its limit of streams or memory'),
  unknown_kind: row(5, 'no', 'the peer does not support this kind of stream'),
  unknown_service: row(6, 'no', 'the peer does not serve this service'),
  backend_unreachable: row(7, 'no', 'no connection to the backend could be made'),
  backend_timeout: row(8, 'maybe', 'the backend did not respond in time'),
  backend_protocol_error: row(9, 'maybe', 'the backend violated its protocol'),
  backend_closed: row(10, 'maybe', 'the backend closed its connection before the response was complete'),
  idle_timeout: row(11, 'maybe', 'no byte was transferred within the idle timeout'),
  payload_too_large: row(12, 'maybe', 'the body is over the limit'),
  flow_control_error: row(13, 'maybe', 'a peer sent more bytes than its window allowed'),
  protocol_error: row(14, 'maybe', 'a peer violated the tunnel protocol'),
  internal_error: row(15, 'maybe', 'the peer has an internal error'),
  session_lost: row(16, 'maybe', 'the connection ended without a BYE'),
  going_away: row(17, 'maybe', 'the session was closed as planned'),
  unauthorized: row(18, 'no', 'the credential is revoked, expired, or does not cover the request'),
  replaced: row(19, 'maybe', 'a newer instance of the same telephone took over'),
  unsupported_version: row(20, 'no', 'the two ends have no protocol version in common'),
  ping_timeout: row(21, 'maybe', 'the peer sent no bytes within the ping timeout'),
  request_unsendable: row(22, 'no', 'the protocol of the backend cannot express the request'),
  over_budget: row(
    23,
    'maybe',
    'the stream held the most bytes when its session or token exceeded its budget',
  ),
  client_share: row(24, 'no', 'the client holds its share of a limited resource of the peer'),
}

const BY_CODE = new Map<number, Reason>(
  (Object.keys(REASONS) as Reason[]).map(reason => [REASONS[reason].code, reason]),
)

/** Returns the reason for a code from the wire, and `internal_error` for an unknown code of a newer peer. */
export function reasonOfCode(code: number): Reason {
  return BY_CODE.get(code) ?? 'internal_error'
}

export interface TunnelErrorOptions {
  readonly detail?: string
  readonly remote?: boolean
  readonly causeCode?: string | undefined
  readonly cause?: unknown
}

/** The early end of a stream or a session. `detail` is for logs, never for clients. It may quote a peer, so it is cut. */
export class TunnelError extends Error {
  readonly reason: Reason
  /** True when the far end sent the reason, false when this end detected it. */
  readonly remote: boolean
  /** Further information about the reason; may be empty. */
  readonly detail: string
  /** Cause at the backend, as a code of backend-causes.ts or of a newer version. Undefined: unknown. */
  readonly causeCode: string | undefined

  constructor(reason: Reason, options: TunnelErrorOptions = {}) {
    const detail = cutText(options.detail ?? '')
    super(
      detail === '' ? reason : `${reason}: ${detail}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.name = 'TunnelError'
    this.reason = reason
    this.remote = options.remote ?? false
    this.detail = detail
    this.causeCode = options.causeCode
  }

  get delivered(): Delivered {
    return REASONS[this.reason].delivered
  }
}
