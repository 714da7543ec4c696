// One slow timer for the timeouts of everything in flight, instead of one timer per request: each member is asked
// now and then to look at its own clock. Timeouts come true up to two intervals early or late, never more.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'

export interface Deadlined {
  /** `nowMs`: of the injected clock. May remove itself or others. */
  checkDeadline(nowMs: number): void
}

export class Deadlines {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #members = new Set<Deadlined>()
  #timer: Timer | undefined
  #nowMs: number

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#nowMs = clock.now()
  }

  /** The time of the last look, at most one interval old while there are members: cheap to note activity with. */
  get nowMs(): number {
    return this.#nowMs
  }

  get size(): number {
    return this.#members.size
  }

  add(member: Deadlined): void {
    this.#members.add(member)
    if (this.#timer !== undefined) return
    this.#nowMs = this.#clock.now()
    this.#arm()
  }

  delete(member: Deadlined): void {
    this.#members.delete(member)
  }

  #arm(): void {
    this.#timer = this.#clock.after(this.#intervalMs, () => this.#look())
  }

  #look(): void {
    this.#timer = undefined
    this.#nowMs = this.#clock.now()
    for (const member of this.#members) member.checkDeadline(this.#nowMs)
    if (this.#members.size > 0) this.#arm()
  }
}
