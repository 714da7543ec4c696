// Carries an exchange of messages with one peer over one stream of a link. Each message has its length in front. It pulls messages
// from the exchange only while the stream has room, so that a slow peer needs no queue.

import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'

/** The source and the receiver of the messages. */
export interface MessageExchange {
  /** Returns the next message, or undefined while no message is due. */
  pull(): Uint8Array | undefined
  receive(bytes: Uint8Array): void
  close(): void
}

/** The kinds of streams that carry messages. */
export type MessageKind = 'registry' | 'share' | 'observe'

export function messageOpening(kind: MessageKind): Opening {
  return { kind, hops: 0, service: '', method: '', target: '', fields: [] }
}

export interface MessageStreamOptions {
  readonly kind: MessageKind
  readonly exchange: MessageExchange
  /** A longer message of the peer ends the stream. */
  readonly maxMessageBytes: number
  /** Called once, when the stream has ended by itself. `error`: the peer or the session has ended it with a reason. */
  readonly onOver: (error: TunnelError | undefined) => void
}

const LENGTH_BYTES = 4
const NOTHING = Buffer.alloc(0)

export class MessageStream implements StreamEvents {
  readonly #options: MessageStreamOptions
  #stream: Stream | undefined
  #blocked = false
  /** The received part of an incomplete message. */
  #partial: Buffer = NOTHING
  /** True when the peer has accepted the stream. */
  confirmed = false
  #over = false

  constructor(options: MessageStreamOptions) {
    this.#options = options
  }

  /** Sets the stream whose events go to this object. Call it once. */
  attach(stream: Stream, accepted: boolean): void {
    this.#stream = stream
    if (accepted) stream.respond({ status: 200, statusText: '', fields: [] })
    this.confirmed = accepted
    this.pump()
  }

  /** Sends waiting messages while the stream has room. */
  pump(): void {
    const stream = this.#stream
    while (stream?.open && !this.#blocked) {
      const message = this.#options.exchange.pull()
      if (message === undefined) return
      this.#blocked = !stream.write(framed(message))
    }
  }

  /** Sends the waiting messages, as far as the stream has room, and ends our half. The far end then closes the stream. */
  finish(): void {
    this.pump()
    this.#stream?.end()
  }

  close(): void {
    this.#over = true
    this.#stream?.reset('cancelled')
  }

  onHead(): void {
    this.confirmed = true
  }

  onData(chunk: Buffer): void {
    const { kind, exchange, maxMessageBytes } = this.#options
    let bytes = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk])
    while (bytes.length >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(0)
      if (length > maxMessageBytes) {
        this.#stream?.reset('protocol_error', `a ${kind} message is longer than ${maxMessageBytes} bytes`)
        this.#ended()
        return
      }
      if (bytes.length < LENGTH_BYTES + length) break
      exchange.receive(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length))
      bytes = bytes.subarray(LENGTH_BYTES + length)
    }
    this.#partial = bytes
    this.#stream?.consume(chunk.length)
    this.pump()
  }

  onEnd(): void {
    this.#stream?.reset('cancelled')
    this.#ended()
  }

  onWritable(): void {
    this.#blocked = false
    this.pump()
  }

  onAbort(error: TunnelError): void {
    this.#ended(error)
  }

  #ended(error?: TunnelError): void {
    if (this.#over) return
    this.#over = true
    this.#options.onOver(error)
  }
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + message.length)
  frame.writeUInt32BE(message.length, 0)
  frame.set(message, LENGTH_BYTES)
  return frame
}
