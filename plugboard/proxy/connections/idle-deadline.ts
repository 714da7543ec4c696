// Closes an HTTP/1 connection that is idle between two requests. Node's server calls `socket.setTimeout` after each response
// and again when the next request arrives. Each call cancels or creates a timer, which costs 1 % of the CPU of a small GET.
// Here the connection joins Deadlines instead, whose one timer serves all connections.

import type { Socket } from 'node:net'
import type { Deadlined, Deadlines } from '../deadlines.ts'

/** The value of `#bytesRead` until the first check after a response reads it from the socket. */
const UNKNOWN = -1

export class IdleDeadline implements Deadlined {
  deadlineSlot: number | undefined
  readonly #socket: Socket
  readonly #deadlines: Deadlines
  #timeoutMs = 0
  #endsAtMs = 0
  #bytesRead = UNKNOWN

  /** Replaces `setTimeout` of the socket. Node's server still closes the connection, when the socket emits `timeout`. */
  constructor(socket: Socket, deadlines: Deadlines) {
    this.#socket = socket
    this.#deadlines = deadlines
    socket.setTimeout = timeoutMs => {
      if (timeoutMs === 0) this.cancel()
      else this.#start(timeoutMs)
      return socket
    }
  }

  cancel(): void {
    this.#deadlines.delete(this)
  }

  checkDeadline(nowMs: number): void {
    const { bytesRead } = this.#socket
    if (this.#bytesRead === UNKNOWN) this.#bytesRead = bytesRead
    if (nowMs < this.#endsAtMs) return
    if (bytesRead !== this.#bytesRead) {
      // A part of the next head has arrived. The time limit of heads applies to it.
      this.#start(this.#timeoutMs)
      return
    }
    this.cancel()
    this.#socket.emit('timeout')
  }

  #start(timeoutMs: number): void {
    // A destroyed socket emits `close` only once. That may have happened already, and `cancel` would never be called.
    if (this.#socket.destroyed) return
    const deadlines = this.#deadlines
    deadlines.add(this)
    this.#timeoutMs = timeoutMs
    this.#bytesRead = UNKNOWN
    // The time of the last check may be one interval old. No connection may be closed before the time that was announced.
    this.#endsAtMs = deadlines.nowMs + deadlines.intervalMs + timeoutMs
  }
}
