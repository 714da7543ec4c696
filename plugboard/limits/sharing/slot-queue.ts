// The slots that wait to be sent to one peer, each at most once, first in, first out. A slot that is sent and counts further
// requests goes to the end. So when there are more hot keys than fit into the rate of a link, all of them take turns.

export class SlotQueue {
  /** A ring buffer with room for each slot. */
  #slots = new Int32Array(64)
  #isQueued = new Uint8Array(64)
  #first = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  push(slot: number): void {
    if (slot >= this.#slots.length) this.#grow(slot)
    if (this.#isQueued[slot] === 1) return
    this.#isQueued[slot] = 1
    this.#slots[(this.#first + this.#size) % this.#slots.length] = slot
    this.#size += 1
  }

  /** Removes the first slot and returns it. Call it only on a queue that is not empty. */
  shift(): number {
    const slot = this.#slots[this.#first] as number
    this.#isQueued[slot] = 0
    this.#first = (this.#first + 1) % this.#slots.length
    this.#size -= 1
    return slot
  }

  clear(): void {
    this.#isQueued.fill(0)
    this.#size = 0
  }

  #grow(slot: number): void {
    const capacity = Math.max(2 * this.#slots.length, slot + 1)
    const slots = new Int32Array(capacity)
    for (let index = 0; index < this.#size; index += 1) {
      slots[index] = this.#slots[(this.#first + index) % this.#slots.length] as number
    }
    const isQueued = new Uint8Array(capacity)
    isQueued.set(this.#isQueued)
    this.#slots = slots
    this.#isQueued = isQueued
    this.#first = 0
  }
}
