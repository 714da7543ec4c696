// Spans of the SDK of OpenTelemetry. The caller decides which requests are traced, before a span exists, so the SDK records each
// span. The processor and the exporter of OpenTelemetry are not used: they report no count of dropped spans, read environment variables
// beside the settings, and do not limit the whole time of a request (docs/decisions/0022-traces.md).

import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { type Context, createTraceState, ROOT_CONTEXT, SpanKind, TraceFlags, trace } from '@opentelemetry/api'
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { LabelledCounts } from '../metrics/labelled-counts.ts'
import type { OtlpResource } from '../metrics/otlp-requests.ts'
import type { OtlpReceiver } from '../otlp/otlp-settings.ts'
import { PreciseTime } from './precise-time.ts'
import { SpanQueue } from './span-queue.ts'
import type { SpanParent, Tracing } from './tracing.ts'

export interface TracingOptions {
  readonly receiver: OtlpReceiver
  readonly resource: OtlpResource
  /** Counts spans by their result. */
  readonly counts: LabelledCounts
  readonly clock: Clock
  readonly log: Logger
}

/** The longest value of an attribute, in characters. A longer one, such as a path, is cut. */
const MAX_ATTRIBUTE = 1024
/** A longer tracestate is forwarded, but not recorded. */
const MAX_TRACE_STATE = 512
const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT } as const

export function openTelemetry({ receiver, resource, counts, clock, log }: TracingOptions): Tracing {
  const agentOptions = { keepAlive: true, maxSockets: 1 }
  const queue = new SpanQueue({
    receiver,
    agent: receiver.url.protocol === 'https:' ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions),
    serialize: spans => JsonTraceSerializer.serializeRequest(spans) ?? new Uint8Array(),
    counts,
    clock,
    log,
  })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': resource.name,
      'service.version': resource.version,
      'service.instance.id': resource.instanceId,
    }),
    sampler: new AlwaysOnSampler(),
    spanLimits: { attributeValueLengthLimit: MAX_ATTRIBUTE },
    spanProcessors: [queue],
  })
  const tracer = provider.getTracer('vera-stack', resource.version)
  const time = new PreciseTime(clock)
  return {
    start: ({ kind, name, parent, startMs }) =>
      tracer.startSpan(name, { kind: KINDS[kind], startTime: startMs }, contextOf(parent)),
    wallTimeOf: monotonicMs => time.at(monotonicMs),
    stop: () => queue.shutdown(),
  }
}

function contextOf(parent: SpanParent | undefined): Context {
  if (parent === undefined) return ROOT_CONTEXT
  const { traceId, spanId, isRemote, traceState } = parent
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    isRemote,
    traceFlags: TraceFlags.SAMPLED,
    ...(traceState !== '' &&
      traceState.length <= MAX_TRACE_STATE && { traceState: createTraceState(traceState) }),
  })
}
