// The access line and the count of an answer that Plugboard gave at once, without anything in flight for it.

import type { DirectoryRoute } from '../../routes/directory.ts'
import { roundedMs } from '../access.ts'
import { countProblem } from '../counters.ts'
import type { ProxyContext } from '../proxy-context.ts'
import type { ProxyResponse } from './answers.ts'

/** What the access line names of a request. */
export interface LoggedRequest {
  readonly requestId: string
  readonly host: string
  readonly path: string
  readonly clientAddress: string
  readonly route?: DirectoryRoute | undefined
}

/** `startedAtMs`: of `requestStart`. */
export function noteLocalAnswer(
  { clock, counters, access }: ProxyContext,
  startedAtMs: number,
  method = '',
  { requestId, host, path, clientAddress: remoteAddress, route }: LoggedRequest,
  { status, code, body }: ProxyResponse,
): void {
  if (code !== undefined) countProblem(counters, code)
  else if (route !== undefined) route.activity.servedAtMs = clock.now()
  access?.({
    requestId,
    method,
    host,
    path,
    status,
    durationMs: roundedMs(clock.now() - startedAtMs),
    bytesIn: 0,
    bytesOut: body.length,
    remoteAddress,
    ...(route && { route: route.id, mount: route.mount, service: route.service.name || undefined }),
    code,
  })
}
