// The client's side of an upgraded HTTP/1.1 connection: the socket, which Node's HTTP server has detached.

import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ClientConnection } from '../connections/client-connection.ts'
import { switchedProtocol } from '../edge/upgrade-request.ts'
import type { UpgradeSide } from '../exchange/upgrade.ts'
import type { ResponseFields } from '../response/response-fields.ts'
import { rawHead } from './raw-head.ts'
import { Http1Response } from './response.ts'

export class Http1UpgradeSide implements UpgradeSide {
  readonly bytes: Socket
  onWaiting: (() => void) | undefined
  /** 0, because a paused socket is not read. */
  readonly waitingBytes = 0
  readonly #connection: ClientConnection
  readonly #req: IncomingMessage
  readonly #protocol: string

  /** `protocol`: the value of the client's Upgrade. */
  constructor(connection: ClientConnection, req: IncomingMessage, protocol: string) {
    this.bytes = connection.socket
    this.#connection = connection
    this.#req = req
    this.#protocol = protocol
  }

  pause(): void {
    this.bytes.pause()
  }

  resume(): void {
    this.bytes.resume()
  }

  accept({ fields, upgrade }: ResponseFields): boolean {
    const protocol = switchedProtocol(this.#protocol, upgrade)
    if (protocol === undefined) return false
    const text = rawHead(101, ['Connection', 'Upgrade', 'Upgrade', protocol, ...fields])
    if (text === undefined) return false
    this.bytes.write(text, 'latin1')
    return true
  }

  respond(): Http1Response {
    const socket = this.bytes
    const res = new ServerResponse(this.#req)
    res.shouldKeepAlive = false
    res.assignSocket(socket)
    this.#connection.expectUnread()
    res.once('finish', () => socket.destroySoon())
    socket.resume()
    return new Http1Response(res, this.#connection)
  }

  cut(): void {
    this.#connection.reset()
  }

  destroy(): void {
    this.bytes.destroy()
  }
}
