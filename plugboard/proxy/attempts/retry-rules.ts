// The rules that decide whether a failed attempt can be repeated, and whether the retry costs a part of the retry budget.

import type { Reason, TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'

/** Returns true when a second attempt of an idempotent request can avoid the failure. */
export function isRetryable(reason: Reason): boolean {
  return isLostLine(reason) || isFailedBackend(reason)
}

/**
 * Returns true when a retry after this failure costs budget. A request that the application did not receive adds no load to it.
 * A tunnel that ends does so once for each of its streams, so its retries do not multiply.
 */
export function costsBudget({ reason, delivered }: TunnelError): boolean {
  return delivered !== 'no' && !isLostLine(reason)
}

function isLostLine(reason: Reason): boolean {
  switch (reason) {
    case 'session_lost':
    case 'going_away':
    case 'replaced':
    case 'ping_timeout':
      return true
    default:
      return false
  }
}

function isFailedBackend(reason: Reason): boolean {
  switch (reason) {
    case 'internal_error':
    case 'protocol_error':
    case 'backend_closed':
      return true
    default:
      return false
  }
}
