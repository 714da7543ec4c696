// Writes the access line of a response that Plugboard sent itself, without an exchange, and counts it.

import type { DirectoryRoute } from '../../routes/directory.ts'
import { roundedMs } from '../access-log.ts'
import { countProblem } from '../counters.ts'
import type { ProxyContext } from '../proxy-context.ts'
import type { ProxyResponse } from './local-responses.ts'

/** The facts about a request that its access line shows. Some are empty if it was refused before they were read. */
export interface LoggedRequest {
  readonly requestId: string
  readonly host: string
  readonly path: string
  readonly clientAddress: string
  readonly route?: DirectoryRoute | undefined
  readonly limitName?: string | undefined
}

/** `startedAtMs`: the value of `requestStart`. */
export function noteLocalResponse(
  { clock, counters, access }: ProxyContext,
  startedAtMs: number,
  method = '',
  { requestId, host, path, clientAddress: remoteAddress, route, limitName }: LoggedRequest,
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
    limit: limitName,
    code,
  })
}
