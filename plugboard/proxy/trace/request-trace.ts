// The spans of one traced request: a SERVER span from its head to its end, and a CLIENT span for each attempt. A replica between
// this one and the Telephone makes no span: the attempt names it.
//
//   traceparent of the client ◀── SERVER ◀── CLIENT, one for each attempt ◀── the span of the Telephone

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import { spanMethod } from '@vera-stack/shared/trace/span-method.ts'
import { writeTraceParent } from '@vera-stack/shared/trace/trace-fields.ts'
import { flagsOf, RANDOM, SAMPLED, traceParentText } from '@vera-stack/shared/trace/trace-parent.ts'
import { isTraceState } from '@vera-stack/shared/trace/trace-state.ts'
import { failSpan, remoteParent, type Span, type Tracing } from '@vera-stack/shared/trace/tracing.ts'
import type { Candidate } from '../../telephones/pools/line-pool.ts'
import { describeAttempt } from './attempt-attributes.ts'

export interface RequestTraceOptions {
  readonly tracing: Tracing
  readonly clock: Clock
  /** A valid traceparent of the client; undefined without one. */
  readonly parent: string | undefined
  /** The lines of tracestate, joined by commas; unchecked. */
  readonly traceState: string
  readonly method: string
}

export class RequestTrace {
  /** The valid tracestate to forward; empty without one. It belongs to the parent, so a new trace has none. */
  readonly traceState: string
  readonly #tracing: Tracing
  readonly #clock: Clock
  /** report/trace-observer.ts sets its attributes when the request has finished. */
  readonly server: Span
  readonly #flags: number
  /** The span of the attempt whose stream is open; undefined before and between attempts. */
  #attempt: Span | undefined
  /** The span of an attempt whose stream is not open yet. A line may still refuse it: then the span never ends. */
  #next: Span | undefined
  #sent = 0

  constructor({ tracing, clock, parent, traceState, method }: RequestTraceOptions) {
    this.#tracing = tracing
    this.#clock = clock
    this.traceState = parent !== undefined && isTraceState(traceState) ? traceState : ''
    // The SDK makes trace ids of random bits only.
    this.#flags = SAMPLED | (parent === undefined ? RANDOM : flagsOf(parent))
    this.server = tracing.start({
      kind: 'server',
      // The route is not known yet.
      name: spanMethod(method),
      parent: parent === undefined ? undefined : remoteParent(parent, this.traceState),
      startMs: tracing.wallTimeOf(clock.now()),
    })
  }

  get traceId(): string {
    return this.server.spanContext().traceId
  }

  /** The value of traceparent for a request that no attempt sends, such as a copy. */
  get traceParent(): string {
    return this.#textOf(this.server)
  }

  /** The attempt whose stream is open. The next attempt can begin before this one ends. */
  get attempt(): Span | undefined {
    return this.#attempt
  }

  /** Starts an attempt on a line, and writes its id into the fields. Call `attemptSent` when the line has accepted it. */
  beginAttempt(fields: Fields, method: string): void {
    const { traceId, spanId } = this.server.spanContext()
    this.#next = this.#tracing.start({
      kind: 'client',
      name: spanMethod(method),
      parent: { traceId, spanId, isRemote: false, traceState: this.traceState },
      startMs: this.#tracing.wallTimeOf(this.#clock.now()),
    })
    writeTraceParent(fields, this.#textOf(this.#next))
  }

  attemptSent(candidate: Candidate, method: string): void {
    const span = this.#next
    if (span === undefined) return
    this.#next = undefined
    this.#attempt = span
    describeAttempt(span, candidate, method, this.#sent)
    this.#sent += 1
  }

  /** Call with the status of the final head. */
  responded(status: number): void {
    this.#attempt?.setAttribute('http.response.status_code', status)
    if (status >= 400 && this.#attempt !== undefined) failSpan(this.#attempt, String(status))
  }

  /** Ends an attempt. `code`: the code of its failure, or the status of a response that is not relayed. */
  endAttempt(span: Span | undefined, code: string): void {
    if (span === undefined) return
    failSpan(span, code)
    span.end(this.#tracing.wallTimeOf(this.#clock.now()))
    if (span === this.#attempt) this.#attempt = undefined
  }

  /** Ends all spans. `attemptError`: the code of the failure of the open attempt, if it failed. `nowMs`: the time of the clock. */
  end(attemptError: string | undefined, nowMs: number): void {
    const endMs = this.#tracing.wallTimeOf(nowMs)
    const attempt = this.#attempt
    this.#attempt = undefined
    if (attempt !== undefined) {
      if (attemptError !== undefined) failSpan(attempt, attemptError)
      attempt.end(endMs)
    }
    this.server.end(endMs)
  }

  #textOf(span: Span): string {
    const { traceId, spanId } = span.spanContext()
    return traceParentText(traceId, spanId, this.#flags)
  }
}
