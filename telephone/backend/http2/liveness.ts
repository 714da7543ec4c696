// Decides when a connection with open streams gets a PING. gRPC servers close a connection at the third PING without data
// in between, unless the PINGs are five minutes apart (gRFC A8). So the first PING follows a silence, the second one only
// after a further request, and later ones at most every five minutes. Only records times: no frames, no timer.

/** Time without a received byte, while a response is expected, after which a PING is sent. */
export const SILENCE_MS = 5000
/** Time limit for the response to a PING. A dead connection is found within 10 s in all, as for a tunnel. */
export const PONG_TIMEOUT_MS = 5000
/** Number of PINGs that every gRPC server accepts without sending data in between. */
const PINGS_WITHOUT_DATA = 2
/** Interval of further PINGs: more than the five minutes that gRPC servers require. */
const SPARSE_PING_MS = 310_000

export class Liveness {
  #receivedAt: number
  #bytes = 0
  #pingAt: number | undefined
  #awaitsPong = false
  #pingsWithoutData = 0
  #sentSincePing = false

  constructor(nowMs: number) {
    this.#receivedAt = nowMs
  }

  /** Records a sent request. */
  sent(): void {
    this.#sentSincePing = true
  }

  /** Records the head or body bytes of a response, after which a gRPC server resets its count of PINGs. */
  responded(): void {
    this.#pingsWithoutData = 0
  }

  /** Restarts the measurement after a time without open streams. */
  wake(nowMs: number): void {
    this.#receivedAt = Math.max(this.#receivedAt, nowMs)
  }

  pinged(nowMs: number): void {
    this.#pingAt = nowMs
    this.#awaitsPong = true
    this.#pingsWithoutData += 1
    this.#sentSincePing = false
  }

  ponged(): void {
    this.#awaitsPong = false
  }

  /** Returns the next step. `bytesRead`: all bytes that the connection has received. */
  look(nowMs: number, bytesRead: number): 'fine' | 'ping' | 'dead' {
    if (bytesRead !== this.#bytes) {
      this.#bytes = bytesRead
      this.#receivedAt = nowMs
    }
    const pingAt = this.#pingAt
    if (this.#awaitsPong && pingAt !== undefined) {
      return nowMs - pingAt >= PONG_TIMEOUT_MS && nowMs - this.#receivedAt >= PONG_TIMEOUT_MS
        ? 'dead'
        : 'fine'
    }
    if (nowMs - this.#receivedAt < SILENCE_MS) return 'fine'
    const first = this.#pingsWithoutData === 0
    const again = this.#pingsWithoutData < PINGS_WITHOUT_DATA && this.#sentSincePing
    return first || again || pingAt === undefined || nowMs - pingAt >= SPARSE_PING_MS ? 'ping' : 'fine'
  }
}
