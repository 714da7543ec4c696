// The client's side of a WebSocket over HTTP/2 (RFC 8441): a stream that carries the bytes of the WebSocket. For the client,
// 200 means the same as 101 in HTTP/1.1. Plugboard checks the Sec-WebSocket-Accept of the backend itself.

import type { ServerHttp2Stream } from 'node:http2'
import { equalsIgnoringCase } from '@vera-stack/shared/http/headers.ts'
import { webSocketAccept } from '@vera-stack/shared/http/websocket-accept.ts'
import { switchedProtocol } from '../edge/upgrade-request.ts'
import { PausedBody } from '../exchange/paused-body.ts'
import type { UpgradeSide } from '../exchange/upgrade.ts'
import type { ResponseFields } from '../response/response-fields.ts'
import { http2Fields } from './fields.ts'
import { breakOff, Http2Response, respond } from './response.ts'

export class Http2UpgradeSide implements UpgradeSide {
  readonly bytes: ServerHttp2Stream
  onWaiting: (() => void) | undefined
  /** Set by the first pause. */
  #paused: PausedBody | undefined
  readonly #key: string

  /** `key`: the Sec-WebSocket-Key that was sent to the backend. */
  constructor(stream: ServerHttp2Stream, key: string) {
    this.bytes = stream
    this.#key = key
  }

  get waitingBytes(): number {
    return this.#paused?.waitingBytes ?? 0
  }

  pause(): void {
    this.#paused ??= new PausedBody(this.bytes, () => this.onWaiting?.())
    this.#paused.pause()
  }

  resume(): void {
    if (this.#paused === undefined) this.bytes.resume()
    else this.#paused.resume()
  }

  accept(response: ResponseFields): boolean {
    const expected = webSocketAccept(this.#key)
    const relayed: string[] = []
    let accepted = false
    for (let index = 0; index + 1 < response.fields.length; index += 2) {
      const name = response.fields[index] as string
      const value = response.fields[index + 1] as string
      if (equalsIgnoringCase(name, 'sec-websocket-accept')) accepted = value === expected
      else relayed.push(name, value)
    }
    const fields = http2Fields(relayed)
    if (!accepted || fields === undefined || switchedProtocol('websocket', response.upgrade) === undefined)
      return false
    return this.bytes.closed || respond(this.bytes, 200, fields)
  }

  respond(): Http2Response {
    const response = new Http2Response(this.bytes, 'CONNECT')
    this.bytes.once('finish', () => response.stopUpload())
    this.resume()
    return response
  }

  cut(): void {
    breakOff(this.bytes)
  }

  destroy(): void {
    breakOff(this.bytes)
  }
}
