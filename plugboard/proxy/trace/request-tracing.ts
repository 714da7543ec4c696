// Decides which requests are traced. The decision comes before any object, so a request that is not traced costs a random number,
// or the check of one field.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { isSampled, isTraceParent } from '@vera-stack/shared/trace/trace-parent.ts'
import type { Tracing } from '@vera-stack/shared/trace/tracing.ts'
import { RequestTrace } from './request-trace.ts'

export interface TracedShare {
  readonly tracing: Tracing
  /** The part of the requests to trace, from 0 to 1. */
  readonly sample: number
  /** Returns a uniform random number in [0, 1). */
  readonly random?: () => number
}

/** The trace context in the fields of a request (edge/request-fields.ts). */
export interface TraceFields {
  /** The value of traceparent; empty without one, and when the field occurs more than once. */
  readonly traceParent: string
  /** The lines of tracestate, joined by commas; empty without one. */
  readonly traceState: string
  /** Replaces both fields. An empty `state` forwards no tracestate. */
  setTrace(traceParent: string, state: string): void
}

export class RequestTracing {
  readonly #tracing: Tracing
  readonly #sample: number
  readonly #clock: Clock
  readonly #random: () => number

  constructor({ tracing, sample, clock, random = Math.random }: TracedShare & { readonly clock: Clock }) {
    this.#tracing = tracing
    this.#sample = sample
    this.#clock = clock
    this.#random = random
  }

  /**
   * Starts the trace of a request, and writes its context into the fields to forward. Returns undefined when the request is not
   * traced; its fields then stay as they are. `trusted`: the sender is a trusted proxy, so its sampled flag decides. Any other
   * sender could have all of its requests traced, so a random number decides. A decision by the trace id would have the same
   * fault, because the sender chooses the trace id.
   */
  begin(fields: TraceFields, method: string, trusted: boolean): RequestTrace | undefined {
    const { traceParent } = fields
    if (trusted && isTraceParent(traceParent)) {
      if (!isSampled(traceParent)) return undefined
    } else if (this.#random() >= this.#sample) return undefined
    const parent = isTraceParent(traceParent) ? traceParent : undefined
    const { traceState } = fields
    const trace = new RequestTrace({ tracing: this.#tracing, clock: this.#clock, parent, traceState, method })
    fields.setTrace(trace.traceParent, trace.traceState)
    return trace
  }
}
