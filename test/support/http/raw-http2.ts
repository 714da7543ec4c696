// An HTTP/2 client that sends exactly the given frames, valid or not, and reads the response. Node's own client would never
// send such frames.

import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { FLAG, FRAME, FrameReader, fieldBlock, frame, type Http2Frame, PREFACE } from './http2-frames.ts'

export class RawHttp2 {
  readonly socket: Socket
  readonly frames: Http2Frame[] = []
  readonly #reader = new FrameReader(false)
  #waiting: (() => void)[] = []
  #closed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.#closed = true
      this.#wake()
    })
  }

  /** Opens a connection and sends no bytes. `tls`: options of the handshake; absent: cleartext. */
  static async open(port: number, tls?: { servername: string; ca?: string | Buffer }): Promise<RawHttp2> {
    const host = '127.0.0.1'
    const socket = tls ? connectTls({ host, port, ALPNProtocols: ['h2'], ...tls }) : connect({ host, port })
    const raw = new RawHttp2(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once(tls ? 'secureConnect' : 'connect', () => resolve())
      socket.once('error', reject)
    })
    return raw
  }

  /** Sends the preface and SETTINGS, and acknowledges the SETTINGS of the server by default. */
  async greet(acknowledge = true): Promise<this> {
    this.send(PREFACE, frame(FRAME.settings, 0, 0))
    await this.next(each => each.type === FRAME.settings && each.flags === 0)
    if (acknowledge) this.send(frame(FRAME.settings, FLAG.ack, 0))
    return this
  }

  send(...frames: Buffer[]): void {
    if (this.socket.writable) this.socket.write(Buffer.concat(frames))
  }

  /** Sends a request head. `end`: the request has no body. */
  request(streamId: number, fields: readonly (readonly [string, string])[], end = true): void {
    const flags = FLAG.endHeaders | (end ? FLAG.endStream : 0)
    this.send(frame(FRAME.headers, flags, streamId, fieldBlock(fields.flat())))
  }

  data(streamId: number, bytes: string | Buffer, end = false): void {
    this.send(frame(FRAME.data, end ? FLAG.endStream : 0, streamId, Buffer.from(bytes)))
  }

  /** Resolves with the first matching frame, which may have arrived before. Rejects when the connection closes first. */
  async next(wanted: (each: Http2Frame) => boolean): Promise<Http2Frame> {
    let seen = 0
    for (;;) {
      for (; seen < this.frames.length; seen += 1) {
        const each = this.frames[seen] as Http2Frame
        if (wanted(each)) return each
      }
      if (this.#closed) throw new Error('the connection closed before a matching frame arrived')
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
  }

  /** Resolves with the end of a stream: `end`, or the error code of its reset. */
  async ended(streamId: number): Promise<'end' | number> {
    const last = await this.next(
      ({ type, flags, streamId: id }) =>
        id === streamId &&
        (type === FRAME.resetStream ||
          ((type === FRAME.data || type === FRAME.headers) && (flags & FLAG.endStream) !== 0)),
    )
    return last.type === FRAME.resetStream ? last.payload.readUInt32BE(0) : 'end'
  }

  /** Resolves with the error code of GOAWAY. */
  async goaway(): Promise<number> {
    return (await this.next(each => each.type === FRAME.goaway)).payload.readUInt32BE(4)
  }

  async closed(): Promise<void> {
    while (!this.#closed) await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  destroy(): void {
    this.socket.destroy()
  }

  #arrived(chunk: Buffer): void {
    this.frames.push(...this.#reader.read(chunk))
    this.#wake()
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
