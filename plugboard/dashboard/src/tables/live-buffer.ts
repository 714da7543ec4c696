// The rows of a live list, the newest first, and bounded. Rows that arrive while the list is paused wait. A row that is already in the
// list replaces its older state.

const MAX_ROWS = 1000

export class LiveBuffer<Row> {
  readonly #keyOf: (row: Row) => string
  /** By key, the oldest first. */
  readonly #waiting = new Map<string, Row>()
  #rows: readonly Row[] = []
  #missed = 0

  constructor(keyOf: (row: Row) => string) {
    this.#keyOf = keyOf
  }

  /** The rows to show, the newest first. */
  get rows(): readonly Row[] {
    return this.#rows
  }

  /** The number of rows that `show` adds or replaces. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** The number of rows that were never in the list: replicas dropped them, or too many were waiting. */
  get missed(): number {
    return this.#missed
  }

  add(row: Row): void {
    this.#waiting.set(this.#keyOf(row), row)
    if (this.#waiting.size <= MAX_ROWS) return
    const [oldest] = this.#waiting.keys()
    if (oldest !== undefined) this.#waiting.delete(oldest)
    this.#missed += 1
  }

  miss(count: number): void {
    this.#missed += count
  }

  /** Moves the waiting rows into the list. */
  show(): void {
    if (this.#waiting.size === 0) return
    const kept = this.#rows.map(row => {
      const key = this.#keyOf(row)
      const newer = this.#waiting.get(key)
      if (newer === undefined) return row
      this.#waiting.delete(key)
      return newer
    })
    this.#rows = [...[...this.#waiting.values()].reverse(), ...kept].slice(0, MAX_ROWS)
    this.#waiting.clear()
  }
}
