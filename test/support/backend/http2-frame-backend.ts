// A backend for tests that sends any HTTP/2 frames, valid or not. It is a TCP server that gives each connection to the test,
// with the frames that have arrived on it.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import {
  FLAG,
  FRAME,
  FrameReader,
  fieldBlock,
  frame,
  type Http2Frame,
  resetFrame,
  settings,
  u32,
} from '../http/http2-frames.ts'

export class FrameConnection {
  readonly socket: Socket
  /** All received frames, except acknowledgements. */
  readonly frames: Http2Frame[] = []
  closed = false
  ended = false
  /** True to acknowledge PING frames, as a correct peer does. */
  ponging = true
  readonly #reader = new FrameReader(true)
  #waiting: (() => void)[] = []

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      for (const each of this.#reader.read(chunk)) this.#arrived(each)
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
    // `closed` reports a connection that the peer resets.
    socket.on('error', () => undefined)
  }

  async until(condition: (connection: FrameConnection) => boolean): Promise<this> {
    while (!condition(this)) await new Promise<void>(resolve => this.#waiting.push(resolve))
    return this
  }

  /** Resolves with the first frame of this type on the stream. */
  async frame(type: number, streamId?: number): Promise<Http2Frame> {
    const find = () =>
      this.frames.find(one => one.type === type && (streamId === undefined || one.streamId === streamId))
    await this.until(() => find() !== undefined)
    return find() as Http2Frame
  }

  /** Returns the body bytes of a stream so far. */
  data(streamId: number): string {
    const parts = this.frames.filter(one => one.type === FRAME.data && one.streamId === streamId)
    return Buffer.concat(parts.map(one => one.payload)).toString('latin1')
  }

  say(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames))
  }

  /** Sends a response head. With `end`, the head is the whole response. */
  respond(streamId: number, fields: readonly string[] = [':status', '200'], end = false): void {
    const flags = FLAG.endHeaders | (end ? FLAG.endStream : 0)
    this.say(frame(FRAME.headers, flags, streamId, fieldBlock(fields)))
  }

  body(streamId: number, bytes: string, end = false): void {
    this.say(frame(FRAME.data, end ? FLAG.endStream : 0, streamId, bytes))
  }

  reset(streamId: number, code: number): void {
    this.say(resetFrame(streamId, code))
  }

  goaway(lastStreamId: number, code: number): void {
    this.say(frame(FRAME.goaway, 0, 0, u32(lastStreamId, code)))
  }

  #arrived(each: Http2Frame): void {
    const { type, flags, payload } = each
    const responded = type === FRAME.settings || type === FRAME.ping
    if (responded && (flags & FLAG.ack) !== 0) return
    this.frames.push(each)
    if (type === FRAME.settings) this.say(frame(FRAME.settings, FLAG.ack, 0))
    if (type === FRAME.ping && this.ponging) this.say(frame(FRAME.ping, FLAG.ack, 0, payload))
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

export class FrameBackend {
  readonly connections: FrameConnection[] = []
  readonly #server: Server
  #waiting: (() => void)[] = []

  /** `greeting`: the first bytes of each connection. Default: a SETTINGS frame. */
  constructor(greeting: () => Buffer = () => settings()) {
    this.#server = createServer({ noDelay: true }, socket => {
      const connection = new FrameConnection(socket)
      this.connections.push(connection)
      connection.say(greeting())
      for (const resolve of this.#waiting.splice(0)) resolve()
    })
  }

  async listen(port = 0): Promise<this> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Resolves with the connection of this number, counted from 0. */
  async connection(number = 0): Promise<FrameConnection> {
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
