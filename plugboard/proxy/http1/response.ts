// Writes one response as HTTP/1: 1xx heads, the final head, the body as it arrives, trailers.

import type { ServerResponse } from 'node:http'
import { relayedTrailers } from '@vera-stack/shared/http/headers.ts'
import type { Fields, StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { ClientConnection } from '../connections/client-connection.ts'
import { ClientResponse } from '../response/client-response.ts'
import { closingConnection, type ProxyResponse } from '../response/local-responses.ts'
import { type ResponseFields, readInterimFields, removeTrailerField } from '../response/response-fields.ts'
import { rawHead } from './raw-head.ts'

/** Up to this size, head and body are joined to one string, because one plain write costs less than a write of two buffers. */
const JOINED_BYTES = 4096

export class Http1Response extends ClientResponse {
  readonly #res: ServerResponse
  readonly #connection: ClientConnection
  readonly #http10: boolean

  constructor(res: ServerResponse, connection: ClientConnection) {
    super(res.req.method === 'HEAD')
    this.#res = res
    this.#connection = connection
    this.#http10 = res.req.httpVersionMinor === 0
  }

  interim(head: StreamResponseHead): boolean {
    const res = this.#res
    if (this.#http10 || this.state !== 'idle') return false
    if (head.status === 100) {
      res.writeContinue()
      return true
    }
    // Without a socket, earlier responses of the connection are still being written. A client that does not read gets no
    // further 1xx heads: this is the only limit for the number that a Telephone can send.
    const { socket } = res
    if (socket === null || socket.writableNeedDrain) return false
    const text = rawHead(head.status, readInterimFields(head.fields))
    if (text === undefined) return false
    socket.write(text, 'latin1')
    return true
  }

  override hold(head: StreamResponseHead): boolean {
    if (!super.hold(head)) return false
    if (this.owner.closeAfter) this.#connection.lastResponse()
    return true
  }

  end(trailers: Fields | undefined): boolean {
    if (this.state === 'held') return this.#endComplete(trailers)
    if (!this.complete) return false
    if (trailers !== undefined && !this.#addTrailers(trailers)) return false
    this.state = 'ended'
    this.#res.end()
    return true
  }

  sendLocal(response: ProxyResponse): void {
    const { status, statusText, fields, body } = response
    this.state = 'ended'
    this.heldBody = undefined
    if (this.owner.closeAfter) {
      fields.push('Connection', closingConnection(response))
      this.#connection.lastResponse()
    }
    this.#res.writeHead(status, statusText, fields)
    this.#res.end(body)
  }

  whenSent(): void {
    const { socket } = this.#res
    if (socket !== null && socket.writableLength === 0) this.owner.sent()
    else this.#res.once('finish', () => this.owner.sent())
  }

  /** Returns false, because HTTP/1 has no such signal. The rest of the request is read and discarded. */
  stopUpload(): boolean {
    return false
  }

  cut(): void {
    // If only the end of the connection delimits the body, the client would take an orderly close for a complete response.
    if (this.#http10 && this.contentLength === -1 && this.#res.socket !== null) this.#connection.reset()
    else this.#res.destroy()
  }

  destroy(): void {
    // A finished response has no socket any more. An unfinished one may still wait for its turn to get the socket.
    if (this.#res.writableFinished) this.#connection.socket.destroy()
    else this.#res.destroy()
  }

  giveUpBytes(): void {
    // Node keeps the bytes of a response that waits for its turn, even when the response is destroyed.
    this.#connection.socket.destroy()
  }

  #endComplete(trailers: Fields | undefined): boolean {
    const held = this.heldBody
    const response = this.response as ResponseFields
    if (!this.bodyless && this.contentLength === -1 && trailers === undefined && !response.trailer) {
      this.contentLength = this.bytesOut
    }
    if (!this.complete) return false
    if (!this.#writeHead()) return false
    if (trailers !== undefined) {
      if (held !== undefined) this.#res.write(held)
      this.heldBody = undefined
      this.state = 'streaming'
      return this.end(trailers)
    }
    this.state = 'ended'
    if (held === undefined) this.#res.end()
    else if (held.length <= JOINED_BYTES) this.#res.end(held.toString('latin1'), 'latin1')
    else this.#res.end(held)
    return true
  }

  protected start(): boolean {
    if (!this.#writeHead()) return false
    this.state = 'streaming'
    if (this.heldBody !== undefined) this.#res.write(this.heldBody)
    this.heldBody = undefined
    if (this.bytesOut === 0) this.#res.flushHeaders()
    return true
  }

  protected write(chunk: Buffer): boolean {
    return this.#res.write(chunk)
  }

  protected onDrain(listener: () => void): void {
    this.#res.on('drain', listener)
  }

  /** Returns false, and writes no byte, when Node refuses a field, the status or its text. */
  #writeHead(): boolean {
    const { status, statusText } = this.head as StreamResponseHead
    const { fields, dated, trailer } = this.response as ResponseFields
    const res = this.#res
    if (this.contentLength !== -1) fields.push('Content-Length', String(this.contentLength))
    if (trailer && (this.bodyless || this.#http10 || this.contentLength !== -1)) removeTrailerField(fields)
    if (dated) res.sendDate = false
    if (this.owner.closeAfter) {
      fields.push('Connection', 'close')
      this.#connection.lastResponse()
    }
    try {
      res.writeHead(status, statusText, fields)
      return true
    } catch {
      return false
    }
  }

  #addTrailers(trailers: Fields): boolean {
    if (this.#http10 || this.bodyless || this.contentLength !== -1) return true
    const relayed = relayedTrailers(trailers)
    if (relayed === undefined) return true
    const pairs: [string, string][] = []
    for (let index = 0; index + 1 < relayed.length; index += 2) {
      pairs.push([relayed[index] as string, relayed[index + 1] as string])
    }
    try {
      this.#res.addTrailers(pairs)
      return true
    } catch {
      return false
    }
  }
}
