// One forwarded stream on the replica that holds the tunnel: what comes from the peer goes to the tunnel and back,
// frame by frame, without a copy and without a turn of its own. Credit is given back on one side only for what the
// other side has taken, so that a slow reader at either end stops the writer at the far one.
//
//   peer's stream (near, we accept)  ◄──head, data, end, reset──►  tunnel's stream (far, we open)

import { REFUSED_STREAM } from '@vera-stack/shared/protocol/streams/refused-stream.ts'
import type {
  AnswerHead,
  Fields,
  Opening,
  Stream,
  StreamEvents,
} from '@vera-stack/shared/protocol/streams/stream.ts'
import { HeadError } from '@vera-stack/shared/protocol/wire/encode.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { parseStreamTarget, type StreamTarget } from '../registry/line-ids.ts'

/** Opens a stream on a line of this replica, or throws TunnelError. `opening` names the service of the target. */
export type OpenLocal = (target: StreamTarget, opening: Opening, events: StreamEvents, end: boolean) => Stream

/** Returns the events of the near stream. When no line takes it, the near stream is refused with the reason. */
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
    // The origin may have other lines to try: nothing was delivered, whatever the reason was here. But for a head that
    // is too large there is no other line, and its client should hear of it.
    const known = error.delivered === 'no' || error.reason === 'payload_too_large'
    near.reset(known ? error.reason : 'refused', error.detail, error.causeCode)
    return REFUSED_STREAM
  }
}

/** From the peer towards the tunnel. */
class Forward implements StreamEvents {
  readonly #far: Stream
  readonly #backward: Backward
  /** Taken from the peer, not yet taken by the tunnel. */
  #owedBytes = 0

  constructor(far: Stream, backward: Backward) {
    this.#far = far
    this.#backward = backward
  }

  onHead(): void {
    throw new Error('the peer opened this stream: no head comes from it')
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
  }

  /** The peer has room again for the answer. */
  onWritable(): void {
    this.#backward.payCredit()
  }

  onAbort(error: TunnelError): void {
    // A link that broke is nothing that the telephone has to know: for it, nobody reads any more.
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

/** From the tunnel towards the peer. */
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

  onHead(head: AnswerHead): void {
    this.#pass(() => this.#near.respond(head))
  }

  onData(chunk: Buffer): void {
    if (this.#near.write(chunk) && this.#owedBytes === 0) this.#far?.consume(chunk.length)
    else this.#owedBytes += chunk.length
  }

  onEnd(trailers: Fields | undefined): void {
    // What waits here for the peer counts as the telephone's until it has left, also when the far stream has ended.
    if (this.#owedBytes > 0) this.#far?.holdAfterEnd()
    this.#pass(() => this.#near.end(trailers))
    // A stream that closes with this end reports no room any more.
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

  /** The telephone would not take the request's trailers. */
  refuse(error: HeadError): void {
    this.#near.reset('payload_too_large', error.message)
  }

  payCredit(): void {
    const bytes = this.#owedBytes
    this.#owedBytes = 0
    this.#far?.consume(bytes)
    // Also while the request goes on: after its end the stream must count nothing.
    this.#far?.release()
  }

  /** The telephone may send a head that the peer does not take: that ends this stream and not the tunnel. */
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
