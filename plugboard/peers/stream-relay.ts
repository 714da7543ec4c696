// Relays one forwarded stream on the replica that holds the tunnel, in both directions between the peer and the tunnel. It
// passes each frame on in the same turn and without a copy. It grants credit to one side only for bytes that the other side has
// accepted, so that a slow reader at one end stops the writer at the other end.
//
//   peer's stream (near, we accept)  ◄──head, data, end, reset──►  tunnel's stream (far, we open)

import { REFUSED_STREAM } from '@vera-stack/shared/protocol/streams/refused-stream.ts'
import type {
  Fields,
  Opening,
  Stream,
  StreamEvents,
  StreamResponseHead,
} from '@vera-stack/shared/protocol/streams/stream.ts'
import { HeadError } from '@vera-stack/shared/protocol/wire/encode.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { parseStreamTarget, type StreamTarget } from '../registry/line-ids.ts'

/** Opens a stream on a line of this replica, or throws TunnelError. `opening` names the service of the target. */
export type OpenLocal = (target: StreamTarget, opening: Opening, events: StreamEvents, end: boolean) => Stream

/** Returns the events of the near stream. When no line accepts the stream, resets the near stream with the reason. */
export function relayStream(near: Stream, opening: Opening, openLocal: OpenLocal): StreamEvents {
  const backward = new Backward(near)
  const target = parseStreamTarget(opening.service)
  const named = target.kind === 'line' ? { ...opening, service: target.service } : opening
  try {
    const far = openLocal(target, named, backward, false)
    const forward = new Forward(far, backward)
    backward.join(far, forward)
    return forward
  } catch (error) {
    if (error instanceof HeadError) {
      near.reset('protocol_error', error.message)
      return REFUSED_STREAM
    }
    if (!(error instanceof TunnelError)) throw error
    // The replica of the client may try other lines, because no part of the request was delivered. A head that is too large
    // is too large for every line, so that reason is passed on.
    const known = error.delivered === 'no' || error.reason === 'payload_too_large'
    near.reset(known ? error.reason : 'refused', error.detail, error.causeCode)
    return REFUSED_STREAM
  }
}

/** The direction from the peer to the tunnel. */
class Forward implements StreamEvents {
  readonly #far: Stream
  readonly #backward: Backward
  /** Bytes that were received from the peer and not yet accepted by the tunnel. */
  #owedBytes = 0

  constructor(far: Stream, backward: Backward) {
    this.#far = far
    this.#backward = backward
  }

  onHead(): void {
    throw new Error('the peer opened this stream, so it cannot send a response head')
  }

  onData(chunk: Buffer): void {
    if (this.#far.write(chunk) && this.#owedBytes === 0) this.#backward.credit(chunk.length)
    else this.#owedBytes += chunk.length
  }

  onEnd(trailers: Fields | undefined): void {
    try {
      this.#far.end(trailers)
    } catch (error) {
      if (!(error instanceof HeadError)) throw error
      this.#far.reset('protocol_error', error.message)
      this.#far.release()
      this.#backward.refuse(error)
    }
    this.#backward.releaseWhenClosed()
  }

  /** The peer has room again for the response. */
  onWritable(): void {
    this.#backward.payCredit()
  }

  onAbort(error: TunnelError): void {
    // A broken link is no concern of the telephone. For the telephone, the client has cancelled.
    this.#far.reset(error.remote ? error.reason : 'cancelled', error.detail)
    this.#far.release()
  }

  /** The tunnel has room again for the request. */
  payCredit(): void {
    const bytes = this.#owedBytes
    this.#owedBytes = 0
    this.#backward.credit(bytes)
  }
}

/** The direction from the tunnel to the peer. */
class Backward implements StreamEvents {
  readonly #near: Stream
  #far: Stream | undefined
  #forward: Forward | undefined
  #owedBytes = 0

  constructor(near: Stream) {
    this.#near = near
  }

  join(far: Stream, forward: Forward): void {
    this.#far = far
    this.#forward = forward
  }

  onHead(head: StreamResponseHead): void {
    this.#pass(() => this.#near.respond(head))
  }

  onData(chunk: Buffer): void {
    if (this.#near.write(chunk) && this.#owedBytes === 0) this.#far?.consume(chunk.length)
    else this.#owedBytes += chunk.length
  }

  onEnd(trailers: Fields | undefined): void {
    // Bytes that wait here for the peer count for the telephone until they are sent, even after the end of the far stream.
    if (this.#owedBytes > 0) this.#far?.holdAfterEnd()
    this.#pass(() => this.#near.end(trailers))
    this.releaseWhenClosed()
  }

  /**
   * Call when a half of the near stream has ended. A near stream that has closed does not call `onWritable`. All bytes of the
   * response have been passed on then.
   */
  releaseWhenClosed(): void {
    if (!this.#near.open) this.payCredit()
  }

  onWritable(): void {
    this.#forward?.payCredit()
  }

  onAbort(error: TunnelError): void {
    this.#near.reset(error.reason, error.detail, error.causeCode)
  }

  credit(bytes: number): void {
    this.#near.consume(bytes)
  }

  /** Resets the stream when the request's trailers are too large for the telephone. */
  refuse(error: HeadError): void {
    this.#near.reset('payload_too_large', error.message)
  }

  payCredit(): void {
    const bytes = this.#owedBytes
    this.#owedBytes = 0
    this.#far?.consume(bytes)
    // Releases the bytes even while the request continues, because after its end the stream must hold no bytes.
    this.#far?.release()
  }

  /** Sends a head or trailers to the peer. When they are too large for the peer, this stream ends, and the tunnel stays. */
  #pass(send: () => void): void {
    try {
      send()
    } catch (error) {
      if (!(error instanceof HeadError)) throw error
      this.#near.reset('backend_protocol_error', error.message)
      this.#far?.reset('cancelled', error.message)
      this.#far?.release()
    }
  }
}
