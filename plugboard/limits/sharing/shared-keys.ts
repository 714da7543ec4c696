// The facts of a key that only the exchange with other replicas needs, in one typed array beside the table of keys. The facts of a
// slot are reset when the table gives the slot to another key. The table does not report that, so each access compares the key.

import type { Quota } from '../gcra.ts'
import type { LimitKey, LimitTable } from '../limit-table.ts'

const FACTS = 5
const KEY = 0
const INTERVAL = 1
const BURST = 2
const BIRTH = 3
/** The total that was sent to peers last. When the total of the table is smaller, the key was evicted and added again. */
const REPORTED = 4
/** No key: keys are not negative. */
const UNUSED = -1

/** Returns the number of unreported requests from which a key is sent. */
export function reportThreshold(burst: number): number {
  return Math.max(1, burst / 20)
}

export class SharedKeys implements Quota {
  readonly #table: LimitTable
  #facts = new Float64Array(0)
  #births = 0
  // The quota of the slot that `select` has chosen. The object is its own result, so that no object is made for each entry.
  intervalMs = 0
  burst = 0

  constructor(table: LimitTable) {
    this.#table = table
  }

  /** The highest birth of a key so far. */
  get births(): number {
    return this.#births
  }

  /** Resets the facts of the slot when it has another key than before. Call it before any other method with this slot. */
  enter(slot: number, admittedBefore: number): void {
    if (FACTS * slot >= this.#facts.length) this.#grow(slot)
    const at = FACTS * slot
    const facts = this.#facts
    const key = this.#table.keyOf(slot)
    if (facts[at + KEY] === key && (facts[at + REPORTED] as number) <= admittedBefore) return
    this.#births += 1
    facts[at + KEY] = key
    facts[at + INTERVAL] = 0
    facts[at + BURST] = 0
    facts[at + BIRTH] = this.#births
    facts[at + REPORTED] = 0
  }

  /** True when the facts belong to the key that the slot has now, and its quota is known. */
  isCurrent(slot: number): boolean {
    const at = FACTS * slot
    return (
      at < this.#facts.length &&
      this.#facts[at + KEY] === this.#table.keyOf(slot) &&
      (this.#facts[at + INTERVAL] as number) > 0
    )
  }

  setQuota(slot: number, { intervalMs, burst }: Quota): void {
    this.#facts[FACTS * slot + INTERVAL] = intervalMs
    this.#facts[FACTS * slot + BURST] = burst
  }

  /** Returns this object with the quota of the slot. */
  select(slot: number): Quota {
    this.intervalMs = this.#facts[FACTS * slot + INTERVAL] as number
    this.burst = this.#facts[FACTS * slot + BURST] as number
    return this
  }

  key(slot: number): LimitKey {
    return this.#facts[FACTS * slot + KEY] as number
  }

  birth(slot: number): number {
    return this.#facts[FACTS * slot + BIRTH] as number
  }

  reported(slot: number): number {
    return this.#facts[FACTS * slot + REPORTED] as number
  }

  setReported(slot: number, total: number): void {
    this.#facts[FACTS * slot + REPORTED] = total
  }

  #grow(slot: number): void {
    const facts = new Float64Array(FACTS * Math.max(2 * (this.#facts.length / FACTS), slot + 1, 64)).fill(
      UNUSED,
    )
    facts.set(this.#facts)
    this.#facts = facts
  }
}
