// The use of a line by the current attempt: its count on the line, and its result for the line picker (response time, ejection).
// Attempts has these facts itself, so that an attempt makes no object.

import type { StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { ServiceId } from '../../common/ids/row-ids.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import type { Candidate, StreamHolder } from '../../telephones/pools/line-pool.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import type { ProxyContext } from '../proxy-context.ts'
import { attemptFailureOf } from './attempt-failure.ts'

export interface LineUse extends StreamHolder {
  readonly context: ProxyContext
  readonly serviceId: ServiceId
  readonly request: RoutedRequest
  readonly policy: ServicePolicy
  /** The line of the current attempt; undefined: there is no attempt now. */
  line: Candidate | undefined
  /** The time at which the request of the current attempt was sent. Before the first attempt: at which its head arrived. */
  sentAtMs: number
  /** True when time has passed since `sentAtMs` was set. Most requests are sent at once, and the clock costs 60 ns. */
  isDelayed: boolean
  /** True once the final head of the response has arrived. */
  hasHead: boolean
  /** Time from the last byte of the request to the head of the response to this attempt, ms. Undefined: no head. */
  headMs: number | undefined
  /** The part of `headMs` that the backend needed, microseconds. Undefined: its Telephone did not state it. */
  backendUs: number | undefined
}

/** Starts the use of a line: its stream is open, and has sent the head. */
export function useLine(use: LineUse, line: Candidate): void {
  use.hasHead = false
  use.headMs = undefined
  use.backendUs = undefined
  if (use.isDelayed) use.sentAtMs = use.context.clock.now()
  use.isDelayed = true
  countOnLine(use, line)
}

/** Counts the attempt on its line. */
export function countOnLine(use: LineUse, line: Candidate): void {
  use.line = line
  use.context.picker.acquire(line, use)
}

/** Ends the count of the attempt on its line, and returns the line. */
export function releaseLine(use: LineUse): Candidate | undefined {
  const { line } = use
  use.line = undefined
  if (line === undefined) return undefined
  use.context.picker.release(line, use)
  if (use.policy.queue !== null) use.context.waiting.streamEnded(use.serviceId)
  return line
}

/** Reports the response to the picker: the process has responded, even when the rest of the response fails. */
export function reportResponse(use: LineUse, { status, backendUs }: StreamResponseHead): void {
  use.hasHead = true
  if (use.line === undefined) return
  const nowMs = use.context.clock.now()
  const headMs = nowMs - use.sentAtMs
  use.headMs = headMs
  use.backendUs = backendUs
  use.context.picker.responded(use.line, status, headMs, nowMs)
  const { metrics } = use.context
  if (metrics === undefined) return
  const { route } = use.request
  const subset = use.line.process.subset?.name
  metrics.headArrived(route, subset, headMs)
  if (backendUs !== undefined) metrics.observe(route.service, 'backend', subset, backendUs / 1000)
}

/** Reports a failure to the picker, unless the head of the response has arrived, or another part has caused the failure. */
export function reportFailure(use: LineUse, line: Candidate, error: TunnelError): void {
  const cause = use.hasHead ? undefined : attemptFailureOf(error)
  if (cause === undefined) return
  const nowMs = use.context.clock.now()
  use.context.picker.failed(line, cause, nowMs - use.sentAtMs, nowMs)
}
