// The interface of tracing. Its implementation (open-telemetry.ts) loads the SDK of OpenTelemetry, so only start-tracing.ts may
// import it, and only when traces are sent.

import type { Span } from '@opentelemetry/api'
import { spanIdOf, traceIdOf } from './trace-parent.ts'

export type { Span }

/** The span that caused another one. */
export interface SpanParent {
  /** 32 hex digits. */
  readonly traceId: string
  /** 16 hex digits. */
  readonly spanId: string
  /** True when another process has sent it. */
  readonly isRemote: boolean
  /** A valid tracestate; empty without one. */
  readonly traceState: string
}

export interface SpanStart {
  /** `server`: a received request. `client`: a sent one. */
  readonly kind: 'server' | 'client'
  readonly name: string
  /** Undefined: the span starts a trace. */
  readonly parent: SpanParent | undefined
  /** Milliseconds since 1970. */
  readonly startMs: number
}

export interface Tracing {
  /** Starts a span. It is sent after `end` is called. A span that never ends is not sent. */
  start(span: SpanStart): Span
  /** Returns ms since 1970, with a fraction, for a time of the monotonic clock. */
  wallTimeOf(monotonicMs: number): number
  /** Sends the ended spans, and resolves after at most three seconds. Never rejects. */
  stop(): Promise<void>
}

/** Returns the span that sent a valid traceparent. */
export function remoteParent(traceParent: string, traceState: string): SpanParent {
  return { traceId: traceIdOf(traceParent), spanId: spanIdOf(traceParent), isRemote: true, traceState }
}

/** SpanStatusCode.ERROR. The enum is code of the library, which is loaded only when traces are sent. */
const ERROR_STATUS = 2

/** Marks a span as failed. `type`: one of few values, such as a code. */
export function failSpan(span: Span, type: string): void {
  span.setAttribute('error.type', type)
  span.setStatus({ code: ERROR_STATUS })
}
