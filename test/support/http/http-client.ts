// Ordinary requests of a test, each on a connection of its own: with any Host, to 127.0.0.1 by default. For bytes that an HTTP
// library would not send, see raw-connection.ts.

import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'

export interface RequestOptions {
  readonly port: number
  /** Where to connect. */
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

/** Sends the request; resolves with the head. The caller reads or destroys the message. */
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
  // Who wants the answer gets its error; a request that is only destroyed has nobody who does.
  response.catch(() => undefined)
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) outgoing.end(body)
  else body.pipe(outgoing)
  return { request: outgoing, response }
}

/** Sends the request and reads the whole answer. Rejects when it breaks off. */
export async function send(options: RequestOptions): Promise<HttpResponse> {
  const message = await openRequest(options).response
  const chunks: Buffer[] = []
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  return { status: message.statusCode ?? 0, headers: message.headers, body, text: body.toString() }
}
