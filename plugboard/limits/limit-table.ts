// The counts of all limit keys, in typed arrays: one number per key and fact, no object. So a table of 200,000 keys causes no work
// for the garbage collector (docs/decisions/0005 has the figures for Map). It grows with the number of keys, up to a fixed
// capacity. A full table evicts the key whose quota is restored first, because the eviction changes this count the least.
//
//   index: hash ─▶ slot        slots: the facts of a key        heap: the slots, by the time at which their quota is restored
//
// With many keys, a lookup takes as long as its reads from memory. The facts of a slot lie side by side, and an entry of the index has
// bits of the key beside the slot. So a lookup reads two lines of the processor's cache: one of the index, and the facts of its key.
//
//   low word of the key:  bits above the mask ‖ home          entry:  the same bits above the mask ‖ slot

/** A key of the table: an integer from 0 to 2^53 - 1. */
export type LimitKey = number

const FIRST_CAPACITY = 1024
const EMPTY = -1
/** Numbers of one slot. */
const FACTS = 4
const KEY = 0
const FULL_AT = 1
const ADMITTED = 2
/** The number of the limit that counts the key; 0: no request of this replica has shown it yet. */
const OWNER = 3
/**
 * Most slots that one addition, and one eviction, move in the heap. A key gets its first request after its addition, so the next
 * addition moves it. Without this bound, the first eviction would move all keys at once, and stop the process for 200 ms.
 */
const CORRECTIONS_OF_ADDITION = 4
const CORRECTIONS_OF_EVICTION = 500

export class LimitTable {
  readonly #maxKeys: number
  #capacity: number
  /** Entries by hash: open addressing with linear probing, at most half full. So no slot has all bits of the mask, as EMPTY has. */
  #index: Int32Array
  /** FACTS numbers for each slot: KEY, FULL_AT, ADMITTED, OWNER. */
  #facts: Float64Array
  /** Slots in the order of a binary heap by `#orders`. */
  #heap: Int32Array
  /** By place in the heap: a lower bound of FULL_AT of the slot. It is corrected when the slot is the first of the heap. */
  #orders: Float64Array
  #size = 0
  /** Keys that were evicted before their quota was restored. */
  evictions = 0
  /** Slots that additions have moved in the heap. For tests: it bounds the time of one addition. */
  corrections = 0

  constructor(maxKeys = 200_000) {
    this.#maxKeys = maxKeys
    this.#capacity = Math.min(FIRST_CAPACITY, maxKeys)
    this.#index = emptyIndex(this.#capacity)
    this.#facts = new Float64Array(FACTS * this.#capacity)
    this.#heap = new Int32Array(this.#capacity)
    this.#orders = new Float64Array(this.#capacity)
  }

  /** Number of keys. */
  get size(): number {
    return this.#size
  }

  get maxKeys(): number {
    return this.#maxKeys
  }

  /** Returns the slot of the key, or -1. A slot is valid until the next `add`. */
  find(key: LimitKey): number {
    const index = this.#index
    const entry = index[this.#placeOf(key)] as number
    return entry === EMPTY ? -1 : entry & (index.length - 1)
  }

  /** Returns the slot of a new key, with all facts 0. The key must not be in the table. */
  add(key: LimitKey, nowMs: number): number {
    if (this.#size === this.#capacity && this.#capacity < this.#maxKeys) this.#grow()
    this.#correctOrder(CORRECTIONS_OF_ADDITION)
    const slot = this.#size === this.#capacity ? this.#evict(nowMs) : this.#size
    const at = FACTS * slot
    this.#facts[at + KEY] = key
    this.#facts[at + FULL_AT] = 0
    this.#facts[at + ADMITTED] = 0
    this.#facts[at + OWNER] = 0
    this.#enter(key, slot)
    this.#size += 1
    this.#siftUp(this.#size - 1, slot, nowMs)
    return slot
  }

  keyOf(slot: number): LimitKey {
    return this.#facts[FACTS * slot + KEY] as number
  }

  /** Returns the number of the limit to which the key of the slot belongs; 0: unknown. */
  ownerOf(slot: number): number {
    return this.#facts[FACTS * slot + OWNER] as number
  }

  setOwner(slot: number, owner: number): void {
    this.#facts[FACTS * slot + OWNER] = owner
  }

  /** Returns the theoretical arrival time of the next request, ms of the clock (see gcra.ts). */
  fullAtMs(slot: number): number {
    return this.#facts[FACTS * slot + FULL_AT] as number
  }

  setFullAtMs(slot: number, fullAtMs: number): void {
    this.#facts[FACTS * slot + FULL_AT] = fullAtMs
  }

  /** Returns the requests or bytes that this replica has admitted since the key was added. The number only grows. */
  admitted(slot: number): number {
    return this.#facts[FACTS * slot + ADMITTED] as number
  }

  addAdmitted(slot: number, cost: number): void {
    this.#facts[FACTS * slot + ADMITTED] = this.admitted(slot) + cost
  }

  /** Removes the slot whose quota is restored first, and returns it. */
  #evict(nowMs: number): number {
    this.#correctOrder(CORRECTIONS_OF_EVICTION)
    const slot = this.#heap[0] as number
    if (this.fullAtMs(slot) > nowMs) this.evictions += 1
    this.#size -= 1
    this.#siftDown(this.#heap[this.#size] as number, this.#orders[this.#size] as number)
    this.#forget(this.keyOf(slot))
    return slot
  }

  /** Moves the first slots of the heap, if requests have come since they were moved last. At most `max` slots. */
  #correctOrder(max: number): void {
    for (let count = 0; count < max && this.#size > 0; count += 1) {
      const slot = this.#heap[0] as number
      const fullAtMs = this.fullAtMs(slot)
      if (fullAtMs <= (this.#orders[0] as number)) return
      this.#siftDown(slot, fullAtMs)
      this.corrections += 1
    }
  }

  /** Writes the entry of a key that is not in the index. */
  #enter(key: LimitKey, slot: number): void {
    const mask = this.#index.length - 1
    this.#index[this.#placeOf(key)] = (lowWordOf(key) & ~mask) | slot
  }

  /** Removes the key from the index. Moves the entries behind it, so that a search never ends early. */
  #forget(key: LimitKey): void {
    const index = this.#index
    const mask = index.length - 1
    let hole = this.#placeOf(key)
    for (let place = (hole + 1) & mask; index[place] !== EMPTY; place = (place + 1) & mask) {
      const home = lowWordOf(this.keyOf((index[place] as number) & mask)) & mask
      // True when the home of the entry is not between the hole and the entry, in the order of the search.
      if (((place - home) & mask) < ((place - hole) & mask)) continue
      index[hole] = index[place] as number
      hole = place
    }
    index[hole] = EMPTY
  }

  /** Returns the place of the key in the index, or the empty place at which it would be. */
  #placeOf(key: LimitKey): number {
    const index = this.#index
    const mask = index.length - 1
    const low = lowWordOf(key)
    let place = low & mask
    for (;;) {
      const entry = index[place] as number
      if (entry === EMPTY) return place
      if (((entry ^ low) & ~mask) === 0 && this.keyOf(entry & mask) === key) return place
      place = (place + 1) & mask
    }
  }

  #grow(): void {
    this.#capacity = Math.min(2 * this.#capacity, this.#maxKeys)
    const facts = new Float64Array(FACTS * this.#capacity)
    facts.set(this.#facts)
    this.#facts = facts
    const heap = new Int32Array(this.#capacity)
    heap.set(this.#heap)
    this.#heap = heap
    const orders = new Float64Array(this.#capacity)
    orders.set(this.#orders)
    this.#orders = orders
    this.#index = emptyIndex(this.#capacity)
    for (let slot = 0; slot < this.#size; slot += 1) {
      this.#enter(this.keyOf(slot), slot)
    }
  }

  /** Puts the slot into the heap, at the place `start` or above it. */
  #siftUp(start: number, slot: number, order: number): void {
    const [heap, orders] = [this.#heap, this.#orders]
    let at = start
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = orders[parent] as number
      if (above <= order) break
      heap[at] = heap[parent] as number
      orders[at] = above
      at = parent
    }
    heap[at] = slot
    orders[at] = order
  }

  /** Puts the slot into the heap in place of the first one, at the first place or below it. */
  #siftDown(slot: number, order: number): void {
    const [heap, orders, size] = [this.#heap, this.#orders, this.#size]
    let at = 0
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && (orders[child + 1] as number) < (orders[child] as number)) child += 1
      const below = orders[child] as number
      if (order <= below) break
      heap[at] = heap[child] as number
      orders[at] = below
      at = child
    }
    heap[at] = slot
    orders[at] = order
  }
}

/** Returns the low word of a key, which is as random as the key: the conversion to an integer of 32 bits is modulo 2^32. */
function lowWordOf(key: LimitKey): number {
  return key | 0
}

function emptyIndex(capacity: number): Int32Array {
  return new Int32Array(2 ** Math.ceil(Math.log2(Math.max(2, 2 * capacity)))).fill(EMPTY)
}
