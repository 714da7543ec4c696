// A backend for tests that sends exactly the bytes that the test writes. It is a TCP server. The test gets each connection, with the
// bytes that have arrived on it.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

export class BackendConnection {
  readonly socket: Socket
  received = ''
  ended = false
  closed = false
  error: Error | undefined
  #waiting: (() => void)[] = []

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', chunk => {
      this.received += chunk.toString('latin1')
      this.#wake()
    })
    socket.on('end', () => {
      this.ended = true
      this.#wake()
    })
    socket.on('close', () => {
      this.closed = true
      this.#wake()
    })
    socket.on('error', error => {
      this.error = error
    })
  }

  /** Resolves when `condition` is true. It is checked after each event of the connection. */
  async until(condition: (connection: BackendConnection) => boolean): Promise<this> {
    while (!condition(this)) await new Promise<void>(resolve => this.#waiting.push(resolve))
    return this
  }

  /** Waits for a complete head. Removes it from `received`, and resolves with it. */
  async request(): Promise<string> {
    await this.until(c => c.received.includes('\r\n\r\n'))
    const end = this.received.indexOf('\r\n\r\n') + 4
    const head = this.received.slice(0, end)
    this.received = this.received.slice(end)
    return head
  }

  say(text: string): void {
    this.socket.write(text, 'latin1')
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

export class ScriptedBackend {
  readonly connections: BackendConnection[] = []
  readonly #server: Server
  #waiting: (() => void)[] = []

  constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
      this.connections.push(new BackendConnection(socket))
      for (const resolve of this.#waiting.splice(0)) resolve()
    })
  }

  async listen(
    options: { port?: number; host?: string; path?: string } = { port: 0, host: '127.0.0.1' },
  ): Promise<this> {
    this.#server.listen(options)
    await once(this.#server, 'listening')
    return this
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Resolves with the connection of this number, counted from 0, when it exists. */
  async connection(number = 0): Promise<BackendConnection> {
    while (this.connections[number] === undefined) {
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
    return this.connections[number]
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }
}
