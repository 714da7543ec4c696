// Classifies the failure of an attempt for the line picker: a failure of the process behind the line, or one of the request, the
// client or Plugboard itself, which does not count against the process.

import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { AttemptFailure } from '../../telephones/picker/line-picker.ts'

/** Returns undefined when the failure does not concern the process. */
export function attemptFailureOf({ reason, causeCode, remote }: TunnelError): AttemptFailure | undefined {
  switch (reason) {
    case 'backend_unreachable':
      return causeCode === 'connection_refused' || causeCode === 'socket_missing' ? 'refused' : 'connect'
    case 'backend_timeout':
      return causeCode === 'connect_timeout' ? 'connect' : 'timeout'
    case 'idle_timeout':
      return 'timeout'
    case 'backend_protocol_error':
    case 'backend_closed':
      return 'reset'
    case 'internal_error':
    case 'protocol_error':
      return remote ? 'reset' : undefined
    case 'session_lost':
    case 'ping_timeout':
      return 'lost'
    default:
      return undefined
  }
}
