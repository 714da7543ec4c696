// Decides when a connection with open streams is asked whether it is still there. gRPC servers count PINGs and close
// a connection on the third that comes without data in between, unless five minutes lie between them (gRFC A8). So a
// silence is asked about once; a second time when a request was sent since; after that every five minutes.
// A pure record of times: it sends nothing and sets no timer.

/** No byte for so long while an answer is awaited: is it alive? */
export const SILENCE_MS = 5000
/** And so long for its PING to come back. With the silence: 10 s, as for a tunnel. */
export const PONG_TIMEOUT_MS = 5000
/** The most PINGs that any gRPC server takes without data from itself in between. */
const PINGS_WITHOUT_DATA = 2
/** Beyond those: more than the five minutes between PINGs that gRPC servers insist on. */
const SPARSE_PING_MS = 310_000

export class Liveness {
  #heardAt: number
  #bytes = 0
  #pingAt: number | undefined
  #awaitsPong = false
  #pingsWithoutData = 0
  #sentSincePing = false

  constructor(nowMs: number) {
    this.#heardAt = nowMs
  }

  /** A request went out. */
  sent(): void {
    this.#sentSincePing = true
  }

  /** A head or body bytes of an answer came: what a gRPC server forgives PINGs for. */
  answered(): void {
    this.#pingsWithoutData = 0
  }

  /** After a time without open streams the clock starts anew. */
  wake(nowMs: number): void {
    this.#heardAt = Math.max(this.#heardAt, nowMs)
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

  /** `bytesRead`: of the connection, ever. */
  look(nowMs: number, bytesRead: number): 'fine' | 'ping' | 'dead' {
    if (bytesRead !== this.#bytes) {
      this.#bytes = bytesRead
      this.#heardAt = nowMs
    }
    const pingAt = this.#pingAt
    if (this.#awaitsPong && pingAt !== undefined) {
      return nowMs - pingAt >= PONG_TIMEOUT_MS && nowMs - this.#heardAt >= PONG_TIMEOUT_MS ? 'dead' : 'fine'
    }
    if (nowMs - this.#heardAt < SILENCE_MS) return 'fine'
    const first = this.#pingsWithoutData === 0
    const again = this.#pingsWithoutData < PINGS_WITHOUT_DATA && this.#sentSincePing
    return first || again || pingAt === undefined || nowMs - pingAt >= SPARSE_PING_MS ? 'ping' : 'fine'
  }
}
