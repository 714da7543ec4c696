// Whose turn it is to send body: round robin over the streams that have data and credit, one slice each, until
// the transport is full. A stream that was told to wait for room has its place in the same ring, or streams that
// always have data would keep it waiting for ever. Knows neither frames nor credit.

/** What a turn needs of a stream. */
export interface TurnTaker {
  readonly open: boolean
  /** Kept by Turns alone. */
  inTurn: boolean
  /** Sends at most one slice, or tells the owner that there is room. True when another turn is wanted. */
  takeTurn(): boolean
}

export class Turns {
  /** In the order of their turns. */
  readonly #ring: TurnTaker[] = []
  readonly #congested: () => boolean
  readonly #onThrown: (error: unknown) => void
  #pumping = false

  /** `congested`: the transport is full. `onThrown`: an owner has thrown when it was told of room. */
  constructor(congested: () => boolean, onThrown: (error: unknown) => void) {
    this.#congested = congested
    this.#onThrown = onThrown
  }

  /** True when a stream waits for its turn. */
  get queued(): boolean {
    return this.#ring.length > 0
  }

  /** The stream wants a turn; it gets one at once when there is room and nobody waits. */
  ask(stream: TurnTaker): void {
    if (!stream.inTurn) {
      stream.inTurn = true
      this.#ring.push(stream)
    }
    this.pump()
  }

  /** The stream is closed: nothing here may keep it alive. */
  forget(stream: TurnTaker): void {
    if (!stream.inTurn) return
    stream.inTurn = false
    const at = this.#ring.indexOf(stream)
    if (at >= 0) this.#ring.splice(at, 1)
  }

  clear(): void {
    this.#ring.length = 0
  }

  /** Gives turns while there is room. */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (this.#ring.length > 0 && !this.#congested()) {
        const stream = this.#ring.shift() as TurnTaker
        stream.inTurn = false
        if (stream.open && stream.takeTurn() && !stream.inTurn) {
          stream.inTurn = true
          this.#ring.push(stream)
        }
      }
    } catch (error) {
      this.#onThrown(error)
    } finally {
      this.#pumping = false
    }
  }
}
