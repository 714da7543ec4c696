// Carries a registry exchange over one stream of a link. Each message has its length in front. It pulls messages from the
// exchange only while the stream has room, so that a slow peer needs no queue.

import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { MESSAGE_BYTES } from '../registry/wire/message.ts'

/** The methods of RegistrySync that the stream uses. */
export interface RegistryExchange {
  pull(): Uint8Array | undefined
  receive(bytes: Uint8Array): void
}

export const REGISTRY_OPENING: Opening = {
  kind: 'registry',
  hops: 0,
  service: '',
  method: '',
  target: '',
  fields: [],
}

const LENGTH_BYTES = 4
const NOTHING = Buffer.alloc(0)

export class RegistryStream implements StreamEvents {
  readonly #exchange: RegistryExchange
  readonly #onOver: () => void
  #stream: Stream | undefined
  #blocked = false
  /** The received part of an incomplete message. */
  #partial: Buffer = NOTHING
  /** True when the peer has accepted the stream. */
  confirmed = false
  #over = false

  constructor(exchange: RegistryExchange, onOver: () => void) {
    this.#exchange = exchange
    this.#onOver = onOver
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
      const message = this.#exchange.pull()
      if (message === undefined) return
      this.#blocked = !stream.write(framed(message))
    }
  }

  close(): void {
    this.#over = true
    this.#stream?.reset('cancelled')
  }

  onHead(): void {
    this.confirmed = true
  }

  onData(chunk: Buffer): void {
    let bytes = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk])
    while (bytes.length >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(0)
      if (length > MESSAGE_BYTES) {
        this.#stream?.reset('protocol_error', `a registry message is longer than ${MESSAGE_BYTES} bytes`)
        this.#ended()
        return
      }
      if (bytes.length < LENGTH_BYTES + length) break
      this.#exchange.receive(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length))
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

  onAbort(_error: TunnelError): void {
    this.#ended()
  }

  #ended(): void {
    if (this.#over) return
    this.#over = true
    this.#onOver()
  }
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + message.length)
  frame.writeUInt32BE(message.length, 0)
  frame.set(message, LENGTH_BYTES)
  return frame
}
