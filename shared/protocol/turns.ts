// Whose turn it is to send body: round robin over the streams that have data and credit, one slice each, until
// the transport is full. Knows neither frames nor credit; a stream's owner may do anything in `writable`.

/** What a turn needs of a stream. */
export interface TurnTaker {
  readonly open: boolean
  /** Kept by Turns alone. */
  inTurn: boolean
  /** Sends at most one slice. True when another turn is wanted. */
  sendSlice(): boolean
  /** There is room again. */
  writable(): void
}

export class Turns {
  /** Streams with data and credit, in the order of their turns. */
  readonly #ring: TurnTaker[] = []
  /** Streams whose owner stopped because the transport was full. */
  readonly #waiting = new Set<TurnTaker>()
  readonly #congested: () => boolean
  readonly #onThrown: (error: unknown) => void
  #pumping = false

  /** `congested`: the transport is full. `onThrown`: an owner has thrown in `writable`. */
  constructor(congested: () => boolean, onThrown: (error: unknown) => void) {
    this.#congested = congested
    this.#onThrown = onThrown
  }

  /** True when a stream waits for its turn. */
  get queued(): boolean {
    return this.#ring.length > 0
  }

  take(stream: TurnTaker): void {
    if (!stream.inTurn) {
      stream.inTurn = true
      this.#ring.push(stream)
    }
    this.pump()
  }

  awaitRoom(stream: TurnTaker): void {
    this.#waiting.add(stream)
  }

  /** The stream is closed: nothing here may keep it alive. */
  forget(stream: TurnTaker): void {
    this.#waiting.delete(stream)
    if (!stream.inTurn) return
    stream.inTurn = false
    const at = this.#ring.indexOf(stream)
    if (at >= 0) this.#ring.splice(at, 1)
  }

  clear(): void {
    this.#ring.length = 0
    this.#waiting.clear()
  }

  /** Gives turns while there is room, then tells those who wait for it. */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (this.#ring.length > 0 && !this.#congested()) {
        const stream = this.#ring.shift() as TurnTaker
        stream.inTurn = false
        if (stream.open && stream.sendSlice() && !stream.inTurn) {
          stream.inTurn = true
          this.#ring.push(stream)
        }
      }
      if (this.#waiting.size > 0 && !this.#congested()) this.#tellWaiting()
    } catch (error) {
      this.#onThrown(error)
    } finally {
      this.#pumping = false
    }
  }

  #tellWaiting(): void {
    for (const stream of this.#waiting) {
      this.#waiting.delete(stream)
      stream.writable()
      if (this.#congested()) break
    }
  }
}
