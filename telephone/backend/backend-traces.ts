// The CLIENT spans of a Telephone: one for each request to a backend, which gets the id of this span. A request that a Plugboard
// traces is always recorded, so that its trace is complete. When no Plugboard decides, a share of the requests is recorded
// (PROTOCOL.md, "Traces").

import type { Clock } from '@vera-stack/shared/clock.ts'
import { safePath } from '@vera-stack/shared/log/safe-fields.ts'
import { type HttpTarget, targetText } from '@vera-stack/shared/net/backend-target.ts'
import type { Opening } from '@vera-stack/shared/protocol/streams/stream.ts'
import { setMethod, spanMethod } from '@vera-stack/shared/trace/span-method.ts'
import { setTraceFields, traceParentOf, traceStateOf } from '@vera-stack/shared/trace/trace-fields.ts'
import {
  flagsOf,
  isTraceParent,
  RANDOM,
  SAMPLED,
  traceParentText,
} from '@vera-stack/shared/trace/trace-parent.ts'
import { isTraceState } from '@vera-stack/shared/trace/trace-state.ts'
import { failSpan, remoteParent, type Span, type Tracing } from '@vera-stack/shared/trace/tracing.ts'

export interface BackendTracesOptions {
  readonly tracing: Tracing
  /** The part of the requests to trace when no Plugboard decides, from 0 to 1. */
  readonly sample: number
  /** The backend of each service. */
  readonly targets: ReadonlyMap<string, HttpTarget>
  readonly clock: Clock
  /** Returns a uniform random number in [0, 1). */
  readonly random?: () => number
}

export class BackendTraces {
  readonly #options: BackendTracesOptions
  readonly #random: () => number

  constructor(options: BackendTracesOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
  }

  /** Starts the span of a request, and writes its id into the fields. Undefined: the request is not traced. */
  begin(opening: Opening): BackendSpan | undefined {
    const { method, service, fields, traced } = opening
    const { tracing, clock, sample, targets } = this.#options
    if (traced === false || (traced === undefined && this.#random() >= sample)) return undefined
    const received = traceParentOf(fields)
    const isValid = isTraceParent(received)
    // A rule of the route has removed the field of a traced request. The backend must not get one.
    if (!isValid && traced === true) return undefined
    const traceState = isValid ? traceStateOf(fields) : ''
    const state = isTraceState(traceState) ? traceState : ''
    const span = tracing.start({
      kind: 'client',
      name: spanMethod(method),
      parent: isValid ? remoteParent(received, state) : undefined,
      startMs: tracing.wallTimeOf(clock.now()),
    })
    const { traceId, spanId } = span.spanContext()
    const flags = SAMPLED | (isValid ? flagsOf(received) : RANDOM)
    setTraceFields(fields, traceParentText(traceId, spanId, flags), state)
    describe(span, opening, targets.get(service))
    return new BackendSpan(span, () => tracing.wallTimeOf(clock.now()))
  }
}

export class BackendSpan {
  readonly #span: Span
  readonly #nowMs: () => number

  constructor(span: Span, nowMs: () => number) {
    this.#span = span
    this.#nowMs = nowMs
  }

  /** `status`: 0 without a response head. `error`: the cause of an early end; undefined: the response is complete. */
  end(status: number, error: string | undefined): void {
    if (status !== 0) this.#span.setAttribute('http.response.status_code', status)
    if (error !== undefined) failSpan(this.#span, error)
    else if (status >= 400) failSpan(this.#span, String(status))
    this.#span.end(this.#nowMs())
  }
}

/** Describes the request without its query, which may hold a credential, and without secrets in its path. */
function describe(span: Span, { method, service, target }: Opening, backend: HttpTarget | undefined): void {
  setMethod(span, method)
  span.setAttribute('plugboard.service', service)
  if (backend === undefined) return
  const path = safePath(target.split('?', 1)[0] as string)
  if (backend.kind === 'unix') {
    span.setAttribute('server.address', backend.path)
    span.setAttribute('url.path', path)
    return
  }
  span.setAttribute('server.address', backend.host)
  span.setAttribute('server.port', backend.port)
  span.setAttribute('url.full', `${targetText(backend)}${path}`)
}
