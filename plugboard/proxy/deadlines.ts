// One slow timer for the timeouts of everything in flight, instead of one timer per request: each member is asked
// now and then to look at its own clock. Timeouts come true up to two intervals early or late, never more.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'

export interface Deadlined {
  /** `nowMs`: of the injected clock. May remove itself or others. */
  checkDeadline(nowMs: number): void
  /** Where it stands among the members; kept by Deadlines alone. Undefined: nowhere. */
  deadlineSlot: number | undefined
}

export class Deadlines {
  /** Time between two looks, ms. */
  readonly intervalMs: number
  readonly #clock: Clock
  /** In no order. An array, not a Set, because it churns with every request: see StreamTable. */
  readonly #members: Deadlined[] = []
  #timer: Timer | undefined
  #nowMs: number

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock
    this.intervalMs = intervalMs
    this.#nowMs = clock.now()
  }

  /** The time of the last look, at most one interval old while there are members: cheap to note activity with. */
  get nowMs(): number {
    return this.#nowMs
  }

  get size(): number {
    return this.#members.length
  }

  add(member: Deadlined): void {
    if (member.deadlineSlot !== undefined) return
    member.deadlineSlot = this.#members.push(member) - 1
    if (this.#timer !== undefined) return
    this.#nowMs = this.#clock.now()
    this.#arm()
  }

  delete(member: Deadlined): void {
    const slot = member.deadlineSlot
    if (slot === undefined) return
    member.deadlineSlot = undefined
    const last = this.#members.pop() as Deadlined
    if (last === member) return
    this.#members[slot] = last
    last.deadlineSlot = slot
  }

  #arm(): void {
    this.#timer = this.#clock.after(this.intervalMs, () => this.#look())
  }

  #look(): void {
    this.#timer = undefined
    this.#nowMs = this.#clock.now()
    // Backwards: who goes away is replaced by one that has been asked already.
    for (let slot = this.#members.length - 1; slot >= 0; slot -= 1) {
      this.#members[slot]?.checkDeadline(this.#nowMs)
    }
    if (this.#members.length > 0) this.#arm()
  }
}
