// Counts the results of a telephone process or a service in a window, by default the last 10 seconds, and how many of them were
// errors. It has one slot for each tenth of the window: a result changes two numbers, and allocates no memory.

/** The length of the window, in slots. */
const SLOTS = 10
const WINDOW_MS = 10_000

export class ResultWindow {
  /** Results in the window. */
  total = 0
  /** Results in the window that were errors. */
  errors = 0
  readonly #totals = new Uint32Array(SLOTS)
  readonly #errors = new Uint32Array(SLOTS)
  readonly #slotMs: number
  /** The number of the newest slot, its index, and the time at which it ends. Most results change none of them. */
  #slot = Number.NEGATIVE_INFINITY
  #index = 0
  #endMs = Number.NEGATIVE_INFINITY

  constructor(windowMs = WINDOW_MS) {
    this.#slotMs = windowMs / SLOTS
  }

  add(isError: boolean, nowMs: number): void {
    this.advance(nowMs)
    const index = this.#index
    this.total += 1
    this.#totals[index] = (this.#totals[index] as number) + 1
    if (!isError) return
    this.errors += 1
    this.#errors[index] = (this.#errors[index] as number) + 1
  }

  /** Removes the results that are older than the window. Call it before you read the counts. */
  advance(nowMs: number): void {
    if (nowMs < this.#endMs) return
    const slot = Math.floor(nowMs / this.#slotMs)
    this.#endMs = (slot + 1) * this.#slotMs
    if (slot - this.#slot >= SLOTS) {
      this.clear()
      this.#slot = slot
      return
    }
    while (this.#slot < slot) {
      this.#slot += 1
      const index = (this.#index + 1) % SLOTS
      this.#index = index
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
