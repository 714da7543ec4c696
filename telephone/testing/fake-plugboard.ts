// A Plugboard for tests of the Telephone. It accepts tunnels, and responds to announcements as the test decides. The test can
// drain, drop, refuse and renew. It uses the real Session.

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { webSocketTransport } from '@vera-stack/shared/net/websocket-transport.ts'
import type {
  Announce,
  Announced,
  ControlMessage,
  Probed,
} from '@vera-stack/shared/protocol/control/control.ts'
import { Session } from '@vera-stack/shared/protocol/session.ts'
import { EchoStream } from '@vera-stack/shared/protocol/streams/echo-stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { WebSocketServer } from 'ws'

export interface FakeTunnel {
  readonly session: Session
  readonly authorization: string | undefined
  announce: Announce | undefined
  /** The results of probes, each with the announced health of the first service at the time of its arrival. */
  readonly probed: { readonly result: Probed; readonly announced: 'up' | 'down' | undefined }[]
  closedBy: TunnelError | undefined
}

export interface Refusal {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export class FakePlugboard {
  readonly name: string
  port = 0
  readonly tunnels: FakeTunnel[] = []
  /** The number of announcements on all tunnels. */
  announcements = 0
  /** The number of requests for a tunnel, including refused ones. */
  dials = 0
  refusal: Refusal | undefined
  /** Sent on each tunnel after its hello. */
  replicas: { id: string; url: string }[] = []
  judge = (announce: Announce): Announced['results'] =>
    announce.services.map(({ service, mount }) => ({
      service,
      accepted: true,
      urls: mount === undefined ? [] : [`http://${mount}`],
    }))
  /** The response to `renew`; undefined: no response. */
  renewed: ControlMessage | undefined
  renewals = 0
  readonly #server: Server
  readonly #webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  readonly #sockets = new Set<Socket>()
  #waiting: (() => void)[] = []

  /** `certificate`: the server uses TLS. */
  constructor(name: string, certificate?: { cert: string; key: string }) {
    this.name = name
    this.#server = certificate === undefined ? createServer() : createSecureServer(certificate)
    this.#server.on('request', (_request, response) => response.writeHead(404).end())
    this.#server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    this.#webSockets.on('headers', headers => void headers.push(`Date: ${new Date().toUTCString()}`))
    this.#server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      this.dials += 1
      this.#wake()
      if (this.refusal !== undefined) {
        const { status, headers = {}, body = '' } = this.refusal
        const lines = Object.entries({ 'Content-Length': String(Buffer.byteLength(body)), ...headers })
        const fields = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
        // A Telephone resets the connection as soon as it has the head of a refusal.
        socket.on('error', () => socket.destroy())
        socket.end(`HTTP/1.1 ${status} No\r\n${fields}Connection: close\r\n\r\n${body}`)
        return
      }
      this.#webSockets.handleUpgrade(request, socket, head, webSocket => {
        const transport = webSocketTransport(webSocket, socket)
        this.#accept(request, transport)
      })
    })
  }

  async listen(port = 0): Promise<this> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.port = (this.#server.address() as AddressInfo).port
    return this
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Open tunnels with an announcement. */
  get live(): FakeTunnel[] {
    return this.tunnels.filter(tunnel => tunnel.closedBy === undefined && tunnel.announce !== undefined)
  }

  async until(condition: (plugboard: FakePlugboard) => boolean): Promise<this> {
    while (!condition(this)) await new Promise<void>(resolve => this.#waiting.push(resolve))
    return this
  }

  /** Drops every connection and closes the listener, as a killed process does. */
  async kill(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(request: IncomingMessage, transport: ReturnType<typeof webSocketTransport>): void {
    const session: Session = new Session({
      transport,
      role: 'acceptor',
      identity: { agent: 'plugboard/test', instance: randomUUID(), name: this.name, startedAt: 1 },
      events: {
        onReady: () => {
          if (this.replicas.length > 0) session.sendControl({ type: 'replicas', replicas: this.replicas })
        },
        onStream: (stream, opening) => {
          if (opening.kind !== 'echo') throw new Error(`a Telephone opens no stream of kind ${opening.kind}`)
          return new EchoStream(stream)
        },
        onControl: message => this.#onControl(tunnel, message),
        onPeerDrain: () => undefined,
        onClose: error => {
          tunnel.closedBy = error
          this.#wake()
        },
      },
    })
    const tunnel: FakeTunnel = {
      session,
      authorization: request.headers.authorization,
      announce: undefined,
      probed: [],
      closedBy: undefined,
    }
    this.tunnels.push(tunnel)
    this.#wake()
  }

  #onControl(tunnel: FakeTunnel, message: ControlMessage): void {
    if (message.type === 'announce') {
      tunnel.announce = message
      this.announcements += 1
      tunnel.session.sendControl({ type: 'announced', id: message.id, results: this.judge(message) })
    } else if (message.type === 'renew') {
      this.renewals += 1
      if (this.renewed !== undefined) tunnel.session.sendControl(this.renewed)
    } else if (message.type === 'probed') {
      tunnel.probed.push({ result: message, announced: tunnel.announce?.services[0]?.health })
    }
    this.#wake()
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
