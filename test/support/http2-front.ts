// The least that an HTTP/2 client needs of a Plugboard: a server that hands each of its streams to a session of a
// tunnel, for tests of the other end with real HTTP/2 clients. No routing, no policy, one service.

import {
  constants,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { TunnelError } from '@vera-stack/shared/protocol/reason.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import type { AnswerHead, Fields, Stream, StreamEvents } from '@vera-stack/shared/protocol/stream.ts'

export class Http2Front {
  readonly #server: Http2Server = createServer()
  readonly #sessions = new Set<ServerHttp2Session>()

  constructor(tunnel: Session, service: string) {
    this.#server.on('session', session => {
      this.#sessions.add(session)
      session.on('close', () => this.#sessions.delete(session))
    })
    this.#server.on('stream', (stream: ServerHttp2Stream, _headers, _flags, raw) => {
      new FrontStream(stream, raw, tunnel, service)
    })
  }

  /** Resolves with the port. */
  async listen(): Promise<number> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }
}

class FrontStream implements StreamEvents {
  readonly #client: ServerHttp2Stream
  readonly #stream: Stream
  #head: AnswerHead | undefined
  #trailers: Fields | undefined
  #owedBytes = 0

  constructor(client: ServerHttp2Stream, raw: readonly string[], tunnel: Session, service: string) {
    this.#client = client
    const pseudo = new Map<string, string>()
    const fields: string[] = []
    for (let index = 0; index < raw.length; index += 2) {
      const [name = '', value = ''] = raw.slice(index, index + 2)
      if (name.startsWith(':')) pseudo.set(name, value)
      else fields.push(name, value)
    }
    fields.push('Host', pseudo.get(':authority') ?? '')
    const opening = { method: pseudo.get(':method') ?? '', target: pseudo.get(':path') ?? '', fields }
    const ended = client.endAfterHeaders
    this.#stream = tunnel.open({ kind: 'http', hops: 0, service, ...opening }, this, ended)
    client.on('data', (chunk: Buffer) => {
      if (!this.#stream.write(chunk)) client.pause()
    })
    client.on('end', () => {
      if (!ended && !client.aborted) this.#stream.end()
    })
    client.on('drain', () => this.#payCredit())
    client.on('error', () => undefined)
    client.on('wantTrailers', () => client.sendTrailers(objectOf(this.#trailers ?? [])))
    client.on('close', () => this.#stream.reset('cancelled'))
  }

  onHead(head: AnswerHead): void {
    if (head.status < 200) {
      this.#client.additionalHeaders({ ':status': head.status, ...objectOf(head.fields) })
      return
    }
    this.#head = head
    // A head that is all of the answer must be one frame: gRPC reads its status there ("Trailers-Only").
    queueMicrotask(() => this.#respond(false))
  }

  onData(chunk: Buffer): void {
    this.#respond(false)
    this.#owedBytes += chunk.length
    if (this.#client.write(chunk)) this.#payCredit()
  }

  onEnd(trailers: Fields | undefined): void {
    this.#trailers = trailers
    this.#respond(trailers === undefined)
    this.#client.end()
  }

  onWritable(): void {
    this.#client.resume()
  }

  onAbort(error: TunnelError): void {
    this.#client.close(
      error.reason === 'refused' ? constants.NGHTTP2_REFUSED_STREAM : constants.NGHTTP2_INTERNAL_ERROR,
    )
  }

  #respond(endStream: boolean): void {
    const head = this.#head
    this.#head = undefined
    if (head === undefined || this.#client.destroyed) return
    const options = endStream ? { endStream } : { waitForTrailers: true }
    this.#client.respond({ ':status': head.status, ...objectOf(head.fields) }, options)
  }

  #payCredit(): void {
    this.#stream.consume(this.#owedBytes)
    this.#owedBytes = 0
  }
}

function objectOf(fields: Fields): Record<string, string[]> {
  const object: Record<string, string[]> = {}
  for (let index = 0; index < fields.length; index += 2) {
    const name = (fields[index] as string).toLowerCase()
    object[name] = [...(object[name] ?? []), fields[index + 1] as string]
  }
  return object
}
