// An HTTP/2 client that sends exactly the frames it is told to, well-formed or not, and reads what comes back
// (RFC 9113; fields as HPACK literals, RFC 7541 section 6.2.2). What Node's own client would never send is the point.

import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const FLAG = { endStream: 1, ack: 1, endHeaders: 4 } as const

export interface RawFrame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: Buffer
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(streamId, 5)
  return Buffer.concat([head, payload])
}

/** Fields as literals that nobody has to remember. */
export function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])),
  )
}

export function resetFrame(streamId: number, code: number): Buffer {
  return frame(FRAME.resetStream, 0, streamId, uint32(code))
}

/** An integer with a 7 bit prefix (RFC 7541 section 5.1), then the bytes, not Huffman coded. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  const length: number[] = []
  let rest = bytes.length
  if (rest < 127) length.push(rest)
  else {
    length.push(127)
    for (rest -= 127; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128)
    length.push(rest)
  }
  return Buffer.concat([Buffer.from(length), bytes])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export class RawHttp2 {
  readonly socket: Socket
  readonly frames: RawFrame[] = []
  #received: Buffer = Buffer.alloc(0)
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

  /** `tls`: options of the handshake; absent: cleartext. Nothing is sent yet. */
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

  /** Preface and settings, the server's acknowledged, unless not. */
  async greet(acknowledge = true): Promise<this> {
    this.send(PREFACE, frame(FRAME.settings, 0, 0))
    await this.next(each => each.type === FRAME.settings && each.flags === 0)
    if (acknowledge) this.send(frame(FRAME.settings, FLAG.ack, 0))
    return this
  }

  send(...frames: Buffer[]): void {
    if (this.socket.writable) this.socket.write(Buffer.concat(frames))
  }

  /** A request head. `end`: there is no body. */
  request(streamId: number, fields: readonly (readonly [string, string])[], end = true): void {
    const flags = FLAG.endHeaders | (end ? FLAG.endStream : 0)
    this.send(frame(FRAME.headers, flags, streamId, headerBlock(fields)))
  }

  data(streamId: number, bytes: string | Buffer, end = false): void {
    this.send(frame(FRAME.data, end ? FLAG.endStream : 0, streamId, Buffer.from(bytes)))
  }

  /** The first frame, also of those that have come, that is like this; rejects when the connection closes first. */
  async next(wanted: (each: RawFrame) => boolean): Promise<RawFrame> {
    let seen = 0
    for (;;) {
      for (; seen < this.frames.length; seen += 1) {
        const each = this.frames[seen] as RawFrame
        if (wanted(each)) return each
      }
      if (this.#closed) throw new Error('the connection closed before such a frame came')
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
  }

  /** How a stream ended: `end`, or the code of its reset. */
  async ended(streamId: number): Promise<'end' | number> {
    const last = await this.next(
      ({ type, flags, streamId: id }) =>
        id === streamId &&
        (type === FRAME.resetStream ||
          ((type === FRAME.data || type === FRAME.headers) && (flags & FLAG.endStream) !== 0)),
    )
    return last.type === FRAME.resetStream ? last.payload.readUInt32BE(0) : 'end'
  }

  /** The error code of GOAWAY. */
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
    this.#received = Buffer.concat([this.#received, chunk])
    while (this.#received.length >= 9) {
      const length = this.#received.readUIntBE(0, 3)
      if (this.#received.length < 9 + length) break
      this.frames.push({
        type: this.#received.readUInt8(3),
        flags: this.#received.readUInt8(4),
        streamId: this.#received.readUInt32BE(5) & 0x7fffffff,
        payload: this.#received.subarray(9, 9 + length),
      })
      this.#received = this.#received.subarray(9 + length)
    }
    this.#wake()
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
