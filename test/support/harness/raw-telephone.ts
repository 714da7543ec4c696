// A Telephone that follows no rules: a plain WebSocket on the tunnel endpoint, which sends any bytes.

import { once } from 'node:events'
import { WebSocket } from 'ws'
import { within } from '../deadline.ts'

const FRAME_HEADER_BYTES = 9

/** Encodes one frame of the tunnel protocol (PROTOCOL.md, "Frames"), valid or not. */
export function frame(type: number, streamId: number, payload: Buffer | string, flags = 0): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload) : payload
  const header = Buffer.alloc(FRAME_HEADER_BYTES)
  header.writeUInt8(type, 0)
  header.writeUInt8(flags, 1)
  header.writeUIntBE(body.length, 2, 3)
  header.writeUInt32BE(streamId, 5)
  return Buffer.concat([header, body])
}

/** Returns the frames in messages from Plugboard. */
export function framesOf(messages: readonly Buffer[]): { type: number; streamId: number; payload: Buffer }[] {
  const frames: { type: number; streamId: number; payload: Buffer }[] = []
  for (const message of messages) {
    for (let at = 0; at < message.length; ) {
      const end = at + FRAME_HEADER_BYTES + message.readUIntBE(at + 2, 3)
      const payload = message.subarray(at + FRAME_HEADER_BYTES, end)
      frames.push({ type: message.readUInt8(at), streamId: message.readUInt32BE(at + 5), payload })
      at = end
    }
  }
  return frames
}

export class RawTelephone {
  readonly socket: WebSocket
  readonly closed: Promise<void>
  /** All received messages so far, in order. */
  readonly messages: Buffer[] = []

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', message => this.messages.push(message as Buffer))
    // A reset or a close frame with a reason ends the connection.
    socket.on('error', () => undefined)
    this.closed = once(socket, 'close').then(() => undefined)
  }

  static async dial(port: number, token: string): Promise<RawTelephone> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/_plugboard/tunnel`, 'plugboard.v1', {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
    })
    const telephone = new RawTelephone(socket)
    await once(socket, 'open')
    return telephone
  }

  send(message: Buffer | string): void {
    this.socket.send(message)
  }

  hello(changes: object = {}): void {
    const hello = {
      type: 'hello',
      versions: [1, 1],
      agent: 'raw/0',
      instance: `raw-${Math.random().toString(36).slice(2)}`,
      name: 'raw',
      startedAt: Date.now(),
      initialWindowBytes: 262_144,
      maxStreams: 100,
      maxFrameBytes: 262_144,
      ...changes,
    }
    this.send(frame(0x08, 0, JSON.stringify(hello)))
  }

  announce(service: string): void {
    this.send(frame(0x08, 0, JSON.stringify({ type: 'announce', id: 1, services: [{ service }] })))
  }

  /** Resolves with the first message that contains the text. It may have arrived before the call. */
  async receive(text: string): Promise<Buffer> {
    let settle: () => void = () => undefined
    const found = new Promise<Buffer>(resolve => {
      settle = () => {
        const message = this.messages.find(candidate => candidate.includes(text))
        if (message) resolve(message)
      }
    })
    // This listener runs after the one of the constructor, so `messages` is up to date.
    this.socket.on('message', settle)
    settle()
    try {
      return await within(
        found,
        15_000,
        `Plugboard sends ${text}`,
        () => `it sent ${this.messages.join('\n')}`,
      )
    } finally {
      this.socket.off('message', settle)
    }
  }

  /** Resolves when Plugboard has ended the tunnel. */
  ended(): Promise<void> {
    return within(this.closed, 20_000, 'Plugboard ends the tunnel')
  }
}
