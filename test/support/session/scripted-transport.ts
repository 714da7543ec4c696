// A Transport whose other side is the test itself. The test delivers messages with `receive` and finds the sent ones in
// `sent`, at once and in order, without timers. `hold` simulates a peer that does not read. Independent of frames and
// sessions.

import type { Transport, TransportReceiver } from '@vera-stack/shared/protocol/transport.ts'

export class ScriptedTransport implements Transport {
  bufferedBytes = 0
  receivedBytes = 0
  /** Copies of the messages that were sent, in order. */
  readonly sent: Buffer[] = []
  /** How this side has ended the connection. */
  ending: { by: 'close' | 'terminate'; detail: string } | undefined
  /** True when `close` never completes, as with a peer that does not respond to it. */
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

  /** Delivers a message from the peer. The session gets a copy. */
  receive(message: Buffer): void {
    this.receivedBytes += message.length
    if (!this.#over) this.#receiver?.onMessage(Buffer.from(message))
  }

  /** Ends the connection, for either side. */
  lose(clean = false, detail = 'connection reset'): void {
    if (this.#over) return
    this.#over = true
    this.release()
    this.#receiver?.onClose({ clean, detail })
  }

  /** Holds back all messages from now on. */
  hold(): void {
    this.#held ??= []
  }

  /** Sends the first `count` held messages. By default it sends all of them and ends the hold. */
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

  /** Overwrites a buffer, which belongs to the transport until `sent`. */
  #leave(message: Buffer, sent: () => void): void {
    this.sent.push(Buffer.from(message))
    message.fill(0xee)
    sent()
  }
}
