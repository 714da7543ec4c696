// A Transport whose other side is the test itself: messages go in by `receive`, come out in `sent`, at once and in
// order; nothing is timed. `hold` plays a peer that does not read. Knows transports only.

import type { Transport, TransportReceiver } from '@vera-stack/shared/protocol/transport.ts'

export class ScriptedTransport implements Transport {
  bufferedBytes = 0
  receivedBytes = 0
  /** Copies of the messages that left, in order. */
  readonly sent: Buffer[] = []
  /** How it was ended from this side. */
  ending: { by: 'close' | 'terminate'; detail: string } | undefined
  /** True: `close` never completes, as when the peer does not answer it. */
  closeHangs = false
  #receiver: TransportReceiver | undefined
  #held: { message: Buffer; sent: () => void }[] | undefined
  #over = false

  start(receiver: TransportReceiver): void {
    this.#receiver = receiver
  }

  send(message: Buffer, sent: () => void): void {
    if (this.#over || this.ending !== undefined) {
      queueMicrotask(sent)
    } else if (this.#held !== undefined) {
      this.bufferedBytes += message.length
      this.#held.push({ message, sent })
    } else {
      this.#leave(message, sent)
    }
  }

  close(detail: string): void {
    this.ending ??= { by: 'close', detail }
    if (!this.closeHangs) setImmediate(() => this.lose(true, detail))
  }

  terminate(): void {
    this.ending ??= { by: 'terminate', detail: '' }
    setImmediate(() => this.lose(false, 'terminated'))
  }

  /** A message from the peer. The session gets a copy. */
  receive(message: Buffer): void {
    this.receivedBytes += message.length
    if (!this.#over) this.#receiver?.onMessage(Buffer.from(message))
  }

  /** The connection is over, whoever ended it. */
  lose(clean = false, detail = 'connection reset'): void {
    if (this.#over) return
    this.#over = true
    this.release()
    this.#receiver?.onClose({ clean, detail })
  }

  /** From now on nothing leaves. */
  hold(): void {
    this.#held ??= []
  }

  /** Lets the first `count` held messages go; all of them ends the hold. */
  release(count = Number.POSITIVE_INFINITY): void {
    const held = this.#held
    if (held === undefined) return
    for (let left = count; left > 0 && held.length > 0; left -= 1) {
      const { message, sent } = held.shift()!
      this.bufferedBytes -= message.length
      this.#leave(message, sent)
    }
    if (count === Number.POSITIVE_INFINITY) this.#held = undefined
  }

  /** What a careless socket does to a buffer that is its own until `sent`. */
  #leave(message: Buffer, sent: () => void): void {
    this.sent.push(Buffer.from(message))
    message.fill(0xee)
    sent()
  }
}
