// Schedules the body data of streams: round robin over the streams that have data and credit, one slice each, until the
// transport is full. A stream whose owner waits for room is in the same ring; otherwise streams that always have data
// could block it for ever. This file is independent of frames and credit.

/** The part of a stream that a turn uses. */
export interface ScheduledSender {
  readonly open: boolean
  /** Written only by SendScheduler. */
  inTurn: boolean
  /** Sends at most one slice, or notifies the owner that there is room. Returns true when the stream needs another turn. */
  takeTurn(): boolean
}

export class SendScheduler {
  /** The waiting streams, in the order of their turns. */
  readonly #ring: ScheduledSender[] = []
  readonly #congested: () => boolean
  readonly #onThrown: (error: unknown) => void
  #pumping = false

  /** `congested` returns true when the transport is full. `onThrown` receives the error when an owner throws in its turn. */
  constructor(congested: () => boolean, onThrown: (error: unknown) => void) {
    this.#congested = congested
    this.#onThrown = onThrown
  }

  /** True when a stream waits for its turn. */
  get queued(): boolean {
    return this.#ring.length > 0
  }

  /** Requests a turn for the stream. The turn comes at once when there is room and no other stream waits. */
  ask(stream: ScheduledSender): void {
    if (!stream.inTurn) {
      stream.inTurn = true
      this.#ring.push(stream)
    }
    this.pump()
  }

  /** Removes a closed stream, so that the garbage collector can free it. */
  forget(stream: ScheduledSender): void {
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
        const stream = this.#ring.shift() as ScheduledSender
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
