// The settings for OpenTelemetry, which both programs have, and the receivers that follow from them.

import { type SettingsOf, setting } from '../settings.ts'
import { type OtlpSignal, otlpEndpointProblem, otlpUrl } from './otlp-endpoint.ts'
import { type OtlpHeaders, otlpHeadersOf, otlpHeadersProblem } from './otlp-headers.ts'

export const otlpSettings = {
  otlpEndpoint: setting.url({
    protocols: ['http', 'https'],
    check: otlpEndpointProblem,
    help: 'URL of a receiver of OTLP over HTTP, without /v1/metrics, such as http://127.0.0.1:4318; it receives metrics each minute, and traces',
  }),
  otlpTracesEndpoint: setting.url({
    protocols: ['http', 'https'],
    check: otlpEndpointProblem,
    help: 'URL of another receiver for traces, such as Tempo, without /v1/traces; default: otlpEndpoint',
  }),
  otlpHeaders: setting.list({
    default: [],
    secret: true,
    item: 'name=value',
    help: 'Header fields of each request to these receivers, such as a credential; %xx in a value is an escaped character',
  }),
  traceSample: setting.fraction({
    default: 0.01,
    help: 'Part of the requests to trace; 0: no traces are sent',
  }),
} as const

export type OtlpConfig = SettingsOf<typeof otlpSettings>

/** A receiver of one signal. */
export interface OtlpReceiver {
  readonly url: URL
  readonly headers: OtlpHeaders
}

/** Returns the problems that depend on several of these settings. */
export function otlpProblems(config: OtlpConfig): { key: keyof OtlpConfig; detail: string }[] {
  const { otlpEndpoint, otlpTracesEndpoint, otlpHeaders } = config
  if (otlpHeaders.length === 0) return []
  const detail =
    otlpHeadersProblem(otlpHeaders) ??
    (otlpEndpoint === undefined && otlpTracesEndpoint === undefined
      ? 'needs otlpEndpoint or otlpTracesEndpoint'
      : undefined)
  return detail === undefined ? [] : [{ key: 'otlpHeaders', detail }]
}

/** Returns undefined when metrics are not sent. */
export function metricsReceiver(config: OtlpConfig): OtlpReceiver | undefined {
  return receiver(config.otlpEndpoint, 'metrics', config.otlpHeaders)
}

/** Returns undefined when traces are not sent. */
export function tracesReceiver(config: OtlpConfig): OtlpReceiver | undefined {
  if (config.traceSample === 0) return undefined
  return receiver(config.otlpTracesEndpoint ?? config.otlpEndpoint, 'traces', config.otlpHeaders)
}

function receiver(
  endpoint: string | undefined,
  signal: OtlpSignal,
  items: readonly string[],
): OtlpReceiver | undefined {
  return endpoint === undefined
    ? undefined
    : { url: otlpUrl(endpoint, signal), headers: otlpHeadersOf(items) }
}
