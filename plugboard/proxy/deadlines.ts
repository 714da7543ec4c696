// One slow timer for the timeouts of everything in flight, instead of one timer per request. At each tick, every member
// compares its own deadline with the current time. A timeout fires at most two intervals early or late.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'

export interface Deadlined {
  /** Acts when the deadline has passed at `nowMs`, the time of the injected clock. May remove this member or others. */
  checkDeadline(nowMs: number): void
  /** The index of this member in Deadlines, which alone writes it. Undefined while it is not a member. */
  deadlineSlot: number | undefined
}

export class Deadlines {
  /** Time between two ticks, ms. */
  readonly intervalMs: number
  readonly #clock: Clock
  /** Unordered. An array instead of a Set, because each request adds and removes a member: see StreamTable. */
  readonly #members: Deadlined[] = []
  #timer: Timer | undefined
  #nowMs: number

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock
    this.intervalMs = intervalMs
    this.#nowMs = clock.now()
  }

  /** The time of the last tick: a cheap timestamp for activity. At most one interval old while there are members. */
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
    // Backwards: the last member takes the place of a removed one, and it has been checked already.
    for (let slot = this.#members.length - 1; slot >= 0; slot -= 1) {
      this.#members[slot]?.checkDeadline(this.#nowMs)
    }
    if (this.#members.length > 0) this.#arm()
  }
}
