// Handles every stream that a Plugboard opens: finds the service, passes the stream to its backend, and refuses a stream of an
// unknown service. This file does not depend on tunnels, tokens or HTTP.

import { equalsIgnoringCase } from '@vera-stack/shared/http/headers.ts'
import { EchoStream } from '@vera-stack/shared/protocol/streams/echo-stream.ts'
import type { Fields, Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { ExchangeSummary } from '../../events.ts'
import type { TelephoneMeters } from '../../metrics/telephone-meters.ts'
import type { BackendFailure } from '../backend-failure.ts'
import type { BackendTraces } from '../backend-traces.ts'
import { type Backend, REFUSED, type Report } from './backend.ts'

/** One finished exchange. */
export interface ForwardedExchange {
  readonly opening: Opening
  readonly streamId: number
  /** Status of the response; 0 without a response head. */
  readonly status: number
  /** Reason of an early end. */
  readonly code: string | undefined
  /** Cause of an early end that the backend caused. */
  readonly failure: BackendFailure | undefined
  readonly durationMs: number
}

export interface ForwarderOptions {
  readonly backends: ReadonlyMap<string, Backend>
  /** Counts the times and failures of backends. Absent: they are not counted. */
  readonly meters?: Pick<TelephoneMeters, 'responded' | 'failed'> | undefined
  /** Called at the end of each exchange. Absent: exchanges are not reported. */
  readonly onExchange?: ((exchange: ForwardedExchange) => void) | undefined
  readonly now: () => number
}

/** Opens streams at backends, and receives a copy of their requests and responses. */
export interface StreamInspector {
  open(backend: Backend, stream: Stream, opening: Opening, report: Report | undefined): StreamEvents
}

export class Forwarder {
  readonly #options: ForwarderOptions
  /** Captures the exchanges; undefined: no exchange is captured. */
  inspector: StreamInspector | undefined
  /** Traces requests; undefined: no request is traced. */
  traces: Pick<BackendTraces, 'begin'> | undefined

  constructor(options: ForwarderOptions) {
    this.#options = options
  }

  backendOf(service: string): Backend | undefined {
    return this.#options.backends.get(service)
  }

  /** Returns the events of a new stream, for Session. */
  onStream(stream: Stream, opening: Opening): StreamEvents {
    switch (opening.kind) {
      case 'http':
      case 'upgrade': {
        const backend = this.backendOf(opening.service)
        if (backend !== undefined) {
          const report = this.#report(stream, opening)
          return this.inspector === undefined
            ? backend.open(stream, opening, report)
            : this.inspector.open(backend, stream, opening, report)
        }
        stream.reset('unknown_service')
        return REFUSED
      }
      case 'echo':
        return new EchoStream(stream)
      default:
        stream.reset('unknown_kind')
        return REFUSED
    }
  }

  close(): void {
    for (const backend of this.#options.backends.values()) backend.close()
  }

  #report(stream: Stream, opening: Opening): Report | undefined {
    const { onExchange, meters, now } = this.#options
    const span = this.traces?.begin(opening)
    if (onExchange === undefined && meters === undefined && span === undefined) return undefined
    const { service } = opening
    const startedAt = onExchange === undefined ? 0 : now()
    return {
      responded: backendUs => meters?.responded(service, backendUs),
      ended: (status, code, failure) => {
        if (failure !== undefined) meters?.failed(service, failure.cause)
        span?.end(status, failure?.cause ?? code)
        onExchange?.({
          opening,
          streamId: stream.id,
          status,
          code,
          failure,
          durationMs: now() - startedAt,
        })
      },
    }
  }
}

/** Returns the public form of an exchange, without the fields of the request. */
export function exchangeSummary({ opening, ...end }: ForwardedExchange): ExchangeSummary {
  const { service, method, target, fields } = opening
  const path = target.split('?', 1)[0] as string
  return { service, method, path, requestId: fieldValueOf(fields, 'x-request-id'), ...end }
}

/** Returns the first value of a field. `name`: in lower case. */
export function fieldValueOf(fields: Fields, name: string): string | undefined {
  for (let index = 0; index < fields.length; index += 2) {
    if (equalsIgnoringCase(fields[index] as string, name)) return fields[index + 1]
  }
  return undefined
}
