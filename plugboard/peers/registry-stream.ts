// A registry exchange over one stream of a link: each message of the exchange behind its length. It writes while
// the stream has room and asks the exchange for more when there is room again, so that a slow peer costs no queue.

import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { MESSAGE_BYTES } from '../registry/wire/message.ts'

/** What it needs of a PeerExchange. */
export interface Exchange {
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
  readonly #exchange: Exchange
  readonly #onOver: () => void
  #stream: Stream | undefined
  #blocked = false
  /** The beginning of a message whose rest is still to come. */
  #partial: Buffer = NOTHING
  /** The peer has taken it up. */
  confirmed = false
  #over = false

  constructor(exchange: Exchange, onOver: () => void) {
    this.#exchange = exchange
    this.#onOver = onOver
  }

  /** Once, with the stream whose events come here. */
  attach(stream: Stream, accepted: boolean): void {
    this.#stream = stream
    if (accepted) stream.respond({ status: 200, statusText: '', fields: [] })
    this.confirmed = accepted
    this.pump()
  }

  /** Sends what there is, as far as there is room. */
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
        this.#stream?.reset('protocol_error', 'a registry message that is too long')
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
