// The client's side of a replay: a connection without a socket, a body in memory, and a response whose bytes are dropped after they are
// captured. Between them, the same Exchange runs as for real clients.

import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { InFlight, RequestConnection } from '../connections/client-connection.ts'
import type { BodySource } from '../exchange/request-body.ts'
import { ClientResponse } from '../response/client-response.ts'

export class ReplayedConnection implements RequestConnection {
  closing = false
  readonly affinity = undefined
  readonly socket = { destroy: () => undefined }

  /** A credential for a whole connection, such as NTLM, needs more than one request. */
  authenticated(): void {
    // Has no effect: the connection has one request.
  }

  add(): void {
    // The replay ends its exchange itself.
  }

  remove(): void {
    // The replay waits for its capture, not for the connection.
  }

  isLast(_request: InFlight): boolean {
    return true
  }

  expectUnread(): void {
    // There are no further bytes.
  }
}

/** The largest chunk of the body. */
const CHUNK_BYTES = 16 * 1024

export class ReplayedBody implements BodySource {
  readonly rawTrailers = []
  readonly waitingBytes = 0
  readonly #bytes: Buffer
  #at = 0
  #ended = false
  #paused = true
  #scheduled = false
  #onData: (chunk: Buffer) => void = () => undefined
  #onEnd: () => void = () => undefined

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get complete(): boolean {
    return this.#ended
  }

  on(event: 'data', listener: (chunk: Buffer) => void): void
  on(event: 'end' | 'waiting', listener: () => void): void
  on(event: 'error', listener: (error: Error) => void): void
  on(event: string, listener: (value: never) => void): void {
    if (event === 'data') this.#onData = listener as (chunk: Buffer) => void
    else if (event === 'end') this.#onEnd = listener as () => void
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#schedule()
  }

  /** Emits in a later turn, as a socket does. */
  #schedule(): void {
    if (this.#scheduled || this.#ended) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (!this.#paused) this.#emit()
    })
  }

  #emit(): void {
    if (this.#at === this.#bytes.length) {
      this.#ended = true
      this.#onEnd()
      return
    }
    const chunk = this.#bytes.subarray(this.#at, this.#at + CHUNK_BYTES)
    this.#at += chunk.length
    this.#onData(chunk)
    this.#schedule()
  }
}

export class ReplayedResponse extends ClientResponse {
  readonly #maxBytes: number
  readonly #onTooLong: () => void

  /** Calls `onTooLong` when the body has more than `maxBytes`. */
  constructor(isHead: boolean, maxBytes: number, onTooLong: () => void) {
    super(isHead)
    this.#maxBytes = maxBytes
    this.#onTooLong = onTooLong
  }

  interim(): boolean {
    return this.state === 'idle'
  }

  end(_trailers: Fields | undefined): boolean {
    if (!this.complete) return false
    this.state = 'ended'
    return true
  }

  sendLocal(): void {
    this.state = 'ended'
  }

  whenSent(): void {
    this.owner.sent()
  }

  stopUpload(): boolean {
    return true
  }

  cut(): void {
    // The capture shows that the response is incomplete.
  }

  destroy(): void {
    // There is no socket.
  }

  giveUpBytes(): void {
    // No bytes wait.
  }

  protected start(): boolean {
    this.state = 'streaming'
    this.heldBody = undefined
    return true
  }

  protected write(): boolean {
    if (this.bytesOut > this.#maxBytes) this.#onTooLong()
    return true
  }

  protected onDrain(): void {
    // `write` never asks the caller to wait.
  }
}
