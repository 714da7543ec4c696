// One request as a line for people: time, status, method, URL, duration, service, Telephone, reason, replica and id. Paths and texts
// are foreign, so their control characters are replaced.

import { printable } from '@vera-stack/shared/text/printable.ts'
import type { RequestBody } from '../../../admin/api-types.ts'

export function requestText(request: RequestBody): string {
  const { at, status, method, host, path, durationMs, service, telephoneId, code, cause, retries } = request
  const parts = [
    at.slice(11, 23),
    String(status),
    method || '-',
    `${host}${path}` || '-',
    `${durationMs < 10 ? durationMs.toFixed(1) : Math.round(durationMs)}ms`,
    service,
    telephoneId,
    retries === undefined ? undefined : `retries=${retries}`,
    reasonText(code, cause),
    request.replicaId,
    request.requestId,
  ]
  return printable(parts.filter(part => part !== undefined && part !== '').join('  '), '\u{FFFD}')
}

/** Returns `backend_unreachable (connection_refused)`; undefined without a code. */
export function reasonText(code: string | undefined, cause: string | null | undefined): string | undefined {
  return code === undefined ? undefined : `${code}${cause ? ` (${cause})` : ''}`
}
