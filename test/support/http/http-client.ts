// Sends ordinary requests of a test, each on its own connection, with any Host, by default to 127.0.0.1. raw-connection.ts
// sends bytes that an HTTP library would not send.

import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'

export interface RequestOptions {
  readonly port: number
  /** The address to connect to. */
  readonly address?: string
  readonly path?: string
  readonly host?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string | Buffer | NodeJS.ReadableStream
  readonly timeoutMs?: number
}

export interface HttpResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
}

/** Sends the request and resolves with the response head. The caller must read or destroy the message. */
export function openRequest(options: RequestOptions): {
  request: ClientRequest
  response: Promise<IncomingMessage>
} {
  const {
    port,
    address = '127.0.0.1',
    path = '/',
    host,
    method = 'GET',
    headers = {},
    body,
    timeoutMs = 30_000,
  } = options
  const outgoing = request({
    host: address,
    port,
    path,
    method,
    agent: false,
    headers: { ...(host === undefined ? {} : { host }), ...headers },
  })
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve)
    outgoing.once('error', reject)
    outgoing.setTimeout(timeoutMs, () =>
      outgoing.destroy(new Error(`${method} ${path}: silent for ${timeoutMs} ms`)),
    )
  })
  // A caller that waits for the response gets the error. A request that is only destroyed has no such caller.
  response.catch(() => undefined)
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) outgoing.end(body)
  else body.pipe(outgoing)
  return { request: outgoing, response }
}

/** Sends the request and reads the whole response. Rejects when the response is cut. */
export async function send(options: RequestOptions): Promise<HttpResponse> {
  const message = await openRequest(options).response
  const chunks: Buffer[] = []
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  return { status: message.statusCode ?? 0, headers: message.headers, body, text: body.toString() }
}
