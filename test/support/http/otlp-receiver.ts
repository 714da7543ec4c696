// A receiver of traces by OTLP over HTTP with JSON. It keeps the spans of each accepted request, in the form in which tests compare
// them. A test can replace the response.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

interface JsonAttribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: number; readonly boolValue?: boolean }
}

interface JsonSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly traceState?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly JsonAttribute[]
  readonly status: { readonly code: number }
}

/** ExportTraceServiceRequest of opentelemetry-proto 1. */
interface TraceRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly JsonAttribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly JsonSpan[] }[]
  }[]
}

export interface ReceivedSpan extends Omit<JsonSpan, 'attributes' | 'kind' | 'status'> {
  readonly kind: 'server' | 'client' | 'other'
  readonly isError: boolean
  readonly attributes: Readonly<Record<string, unknown>>
  readonly resource: Readonly<Record<string, unknown>>
}

const KINDS: Readonly<Record<number, 'server' | 'client'>> = { 2: 'server', 3: 'client' }
const ERROR_STATUS = 2

export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = []
  readonly requests: { readonly path: string | undefined; readonly headers: IncomingMessage['headers'] }[] =
    []
  /** Responds to a request. Its spans count when the status is 200. */
  respond = (response: ServerResponse): void => void response.end('{}')
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => void this.#receive(request, response))
  }

  static async start(port = 0): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver()
    receiver.#server.listen(port, '127.0.0.1')
    await once(receiver.#server, 'listening')
    return receiver
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray())
    this.requests.push({ path: request.url, headers: request.headers })
    this.respond(response)
    if (response.statusCode !== 200 || request.url?.endsWith('/v1/traces') !== true) return
    this.spans.push(...spansOf(JSON.parse(gunzipSync(body).toString()) as TraceRequest))
  }
}

function spansOf({ resourceSpans }: TraceRequest): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ attributes, kind, status, ...span }) => ({
        ...span,
        kind: KINDS[kind] ?? 'other',
        isError: status.code === ERROR_STATUS,
        attributes: recordOf(attributes),
        resource: recordOf(resource.attributes),
      })),
    ),
  )
}

function recordOf(attributes: readonly JsonAttribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}
