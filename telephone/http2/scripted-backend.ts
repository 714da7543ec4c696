// A backend for tests that speaks HTTP/2 frame by frame as it is told, well or badly: a TCP server whose every
// connection is handed to the test, with the frames that have arrived on it. Written by hand from RFC 9113 and
// RFC 7541, so that it shares no fault with the client under test.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4 } as const

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: Buffer
}

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const HEADER_BYTES = 9

export function frame(type: number, flags: number, streamId: number, payload: Buffer | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUIntBE(body.length, 0, 3)
  header[3] = type
  header[4] = flags
  header.writeUInt32BE(streamId, 5)
  return Buffer.concat([header, body])
}

/** A field block of literals that are not indexed (RFC 7541 section 6.2.2), without Huffman codes. */
export function fieldBlock(fields: readonly string[]): Buffer {
  const parts: Buffer[] = []
  for (let index = 0; index < fields.length; index += 2) {
    parts.push(Buffer.from([0]), text(fields[index] as string), text(fields[index + 1] as string))
  }
  return Buffer.concat(parts)
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  const length = [127]
  let rest = bytes.length - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) | 128)
  return Buffer.concat([Buffer.from([...length, rest]), bytes])
}

export function u32(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4)
  for (const [index, number] of numbers.entries()) bytes.writeUInt32BE(number, index * 4)
  return bytes
}

/** Identifier and value, in turns. */
export function settings(...pairs: number[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 3)
  for (let index = 0; index < pairs.length; index += 2) {
    payload.writeUInt16BE(pairs[index] as number, index * 3)
    payload.writeUInt32BE(pairs[index + 1] as number, index * 3 + 2)
  }
  return frame(TYPE.settings, 0, 0, payload)
}

export class FrameConnection {
  readonly socket: Socket
  /** All that came, acknowledgements aside. */
  readonly frames: Frame[] = []
  closed = false
  ended = false
  /** Answer PING, as an honest peer does. */
  ponging = true
  #received: Buffer = Buffer.alloc(0)
  #greeted = false
  #waiting: (() => void)[] = []

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#parse()
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
    // A peer that resets its connection is seen in `closed`.
    socket.on('error', () => undefined)
  }

  async until(condition: (connection: FrameConnection) => boolean): Promise<this> {
    while (!condition(this)) await new Promise<void>(resolve => this.#waiting.push(resolve))
    return this
  }

  /** The first frame of this type on the stream, once it is there. */
  async frame(type: number, streamId?: number): Promise<Frame> {
    const find = () =>
      this.frames.find(one => one.type === type && (streamId === undefined || one.streamId === streamId))
    await this.until(() => find() !== undefined)
    return find() as Frame
  }

  /** Body bytes of a stream so far. */
  data(streamId: number): string {
    const parts = this.frames.filter(one => one.type === TYPE.data && one.streamId === streamId)
    return Buffer.concat(parts.map(one => one.payload)).toString('latin1')
  }

  say(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames))
  }

  /** An answer head; with `end`, all of an answer. */
  answer(streamId: number, fields: readonly string[] = [':status', '200'], end = false): void {
    const flags = FLAG.endHeaders | (end ? FLAG.endStream : 0)
    this.say(frame(TYPE.headers, flags, streamId, fieldBlock(fields)))
  }

  body(streamId: number, bytes: string, end = false): void {
    this.say(frame(TYPE.data, end ? FLAG.endStream : 0, streamId, bytes))
  }

  reset(streamId: number, code: number): void {
    this.say(frame(TYPE.reset, 0, streamId, u32(code)))
  }

  goaway(lastStreamId: number, code: number): void {
    this.say(frame(TYPE.goaway, 0, 0, u32(lastStreamId, code)))
  }

  #parse(): void {
    if (!this.#greeted) {
      if (this.#received.length < PREFACE.length) return
      if (this.#received.toString('latin1', 0, PREFACE.length) !== PREFACE) throw new Error('no preface')
      this.#received = this.#received.subarray(PREFACE.length)
      this.#greeted = true
    }
    while (this.#received.length >= HEADER_BYTES) {
      const length = this.#received.readUIntBE(0, 3)
      if (this.#received.length < HEADER_BYTES + length) return
      const type = this.#received[3] as number
      const flags = this.#received[4] as number
      const streamId = this.#received.readUInt32BE(5)
      const payload = this.#received.subarray(HEADER_BYTES, HEADER_BYTES + length)
      this.#received = this.#received.subarray(HEADER_BYTES + length)
      const ack = (type === TYPE.settings || type === TYPE.ping) && (flags & FLAG.ack) !== 0
      if (!ack) this.frames.push({ type, flags, streamId, payload })
      if (type === TYPE.settings && !ack) this.say(frame(TYPE.settings, FLAG.ack, 0))
      if (type === TYPE.ping && !ack && this.ponging) this.say(frame(TYPE.ping, FLAG.ack, 0, payload))
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

export class FrameBackend {
  readonly connections: FrameConnection[] = []
  readonly #server: Server
  #waiting: (() => void)[] = []

  /** `greeting`: what it says first; a SETTINGS frame unless told otherwise. */
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

  /** The connection of this number, counted from 0, once it is there. */
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
