// The open streams of a session by their id. Not a Map: V8's Map leaves, with each of its rehashes, a dead table
// that points at its successor. Under steady churn one such table that has reached the old generation keeps every
// later stream alive until the next full collection, and every scavenge copies them: a third of the CPU of a
// small request. docs/decisions/0005-no-map-per-request.md has the figures.
//
// Open addressing with linear probing; deletion closes the gap (Knuth, TAOCP 6.4, algorithm R), so there are no
// tombstones. Ids count up by two, so that id / 2 spreads them perfectly until old streams are in the way.

const SMALLEST = 16

export class StreamTable<Stream extends { readonly id: number }> {
  #slots: (Stream | undefined)[] = emptySlots(SMALLEST)
  #mask = SMALLEST - 1
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): Stream | undefined {
    return this.#slots[this.#find(id)]
  }

  /** Adds a stream. Replaces a stream with the same id. */
  add(stream: Stream): void {
    const at = this.#find(stream.id)
    if (this.#slots[at] === undefined) this.#size += 1
    this.#slots[at] = stream
    if (this.#size * 2 > this.#slots.length) this.#grow()
  }

  /** Returns false when the table has no stream with this id. */
  delete(id: number): boolean {
    let gap = this.#find(id)
    if (this.#slots[gap] === undefined) return false
    this.#size -= 1
    for (let at = (gap + 1) & this.#mask; ; at = (at + 1) & this.#mask) {
      const stream = this.#slots[at]
      if (stream === undefined) break
      // The entry may fill the gap unless its own place lies cyclically after the gap.
      const home = (stream.id >>> 1) & this.#mask
      if (((at - home) & this.#mask) < ((at - gap) & this.#mask)) continue
      this.#slots[gap] = stream
      gap = at
    }
    this.#slots[gap] = undefined
    return true
  }

  /** Returns a copy without an order, so that streams may be added and removed during iteration. */
  all(): Stream[] {
    return this.#slots.filter(stream => stream !== undefined)
  }

  /** Returns the slot of the id, or the empty slot for it. The table always has an empty slot. */
  #find(id: number): number {
    let at = (id >>> 1) & this.#mask
    for (;;) {
      const stream = this.#slots[at]
      if (stream === undefined || stream.id === id) return at
      at = (at + 1) & this.#mask
    }
  }

  #grow(): void {
    const streams = this.all()
    this.#slots = emptySlots(this.#slots.length * 2)
    this.#mask = this.#slots.length - 1
    for (const stream of streams) this.#slots[this.#find(stream.id)] = stream
  }
}

function emptySlots<Value>(length: number): (Value | undefined)[] {
  return new Array<Value | undefined>(length).fill(undefined)
}
