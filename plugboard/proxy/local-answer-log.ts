// The access line and the count of an answer that Plugboard gave at once, without anything in flight for it.

import type { DirectoryRoute } from '../routes/directory.ts'
import type { LocalAnswer } from './answers.ts'
import { countProblem } from './counters.ts'
import type { ProxyContext } from './proxy-context.ts'

/** What was found out about the request, as far as it was looked at. */
export interface Answered {
  readonly requestId: string
  readonly host: string
  readonly path: string
  readonly clientAddress: string
  readonly route?: DirectoryRoute
}

export function noteLocalAnswer(
  { clock, counters, access }: ProxyContext,
  method = '',
  { requestId, host, path, clientAddress: remoteAddress, route }: Answered,
  { status, code, body }: LocalAnswer,
): void {
  if (code !== undefined) countProblem(counters, code)
  else if (route !== undefined) route.activity.servedAtMs = clock.now()
  const bytesOut = body.length
  access?.({
    ...{ requestId, method, host, path, status, durationMs: 0, bytesIn: 0, bytesOut, remoteAddress, code },
    ...(route && { route: route.id }),
  })
}
