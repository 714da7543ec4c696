// The web server beside one Telephone. Each response names its sender (service, Telephone) and its request (nonce, method,
// Host and target as received, digest of the body). Its body has the bytes that belong to the nonce.
//
//   /<nonce>?bytes=&pieces=&everyMs=&length=1     `length`: with Content-Length, else in chunks

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { digest, payload } from '../client/payload.ts'

export class ChaosBackend {
  readonly #server: Server
  readonly #service: string
  readonly #telephone: string

  private constructor(service: string, telephone: string) {
    this.#service = service
    this.#telephone = telephone
    this.#server = createServer((request, response) => void this.#respond(request, response))
  }

  static async start(service: string, telephone: string): Promise<ChaosBackend> {
    const backend = new ChaosBackend(service, telephone)
    await once(backend.#server.listen(0, '127.0.0.1'), 'listening')
    return backend
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    // The connection has ended, so a response is not possible.
    if (body === undefined) return
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://backend')
    const nonce = pathname.slice(1)
    const bytes = payload(nonce, Number(searchParams.get('bytes') ?? 0))
    response.setHeader('x-service', this.#service)
    response.setHeader('x-telephone', this.#telephone)
    response.setHeader('x-nonce', nonce)
    response.setHeader('x-seen', `${request.method} ${request.headers.host} ${request.url}`)
    response.setHeader('x-body', `${body.length} ${digest(body)}`)
    if (searchParams.has('length')) response.setHeader('content-length', bytes.length)
    sendInPieces(
      response,
      bytes,
      Number(searchParams.get('pieces') ?? 1),
      Number(searchParams.get('everyMs') ?? 0),
    )
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  } catch {
    // The Telephone was killed, or has cancelled the request. The client notices it itself.
    return undefined
  }
  return Buffer.concat(chunks)
}

function sendInPieces(response: ServerResponse, bytes: Buffer, pieces: number, everyMs: number): void {
  const size = Math.ceil(bytes.length / pieces)
  let timer: NodeJS.Timeout | undefined
  response.on('close', () => clearTimeout(timer))
  const send = (from: number): void => {
    if (from + size >= bytes.length) {
      response.end(bytes.subarray(from))
      return
    }
    response.write(bytes.subarray(from, from + size))
    timer = setTimeout(() => send(from + size), everyMs)
  }
  send(0)
}
