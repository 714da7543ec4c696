// Counts the responses of a telephone process in the last 10 seconds, and how many of them were errors. One slot for each
// second: a result changes two numbers, and allocates no memory.

/** The length of the window, in slots of one second. */
const SLOTS = 10
const SLOT_MS = 1000

export class ResultWindow {
  /** Results in the window. */
  total = 0
  /** Results in the window that were errors. */
  errors = 0
  readonly #totals = new Uint32Array(SLOTS)
  readonly #errors = new Uint32Array(SLOTS)
  /** The number of the newest slot. */
  #slot = Number.NEGATIVE_INFINITY

  add(isError: boolean, nowMs: number): void {
    this.advance(nowMs)
    const index = this.#slot % SLOTS
    this.total += 1
    this.#totals[index] = (this.#totals[index] as number) + 1
    if (!isError) return
    this.errors += 1
    this.#errors[index] = (this.#errors[index] as number) + 1
  }

  /** Removes the results that are older than the window. Call it before you read the counts. */
  advance(nowMs: number): void {
    const slot = Math.floor(nowMs / SLOT_MS)
    if (slot === this.#slot) return
    if (slot - this.#slot >= SLOTS) {
      this.clear()
      this.#slot = slot
      return
    }
    while (this.#slot < slot) {
      this.#slot += 1
      const index = this.#slot % SLOTS
      this.total -= this.#totals[index] as number
      this.errors -= this.#errors[index] as number
      this.#totals[index] = 0
      this.#errors[index] = 0
    }
  }

  clear(): void {
    this.total = 0
    this.errors = 0
    this.#totals.fill(0)
    this.#errors.fill(0)
  }
}
