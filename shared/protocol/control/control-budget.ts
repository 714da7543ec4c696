// Limits the control messages of a peer with a token bucket. Control messages are rare, and each one costs a hundred times
// as much CPU as a data frame. Without a limit, one peer could delay all other peers with a flood of them.

export class ControlBudget {
  readonly #burst: number
  readonly #perSecond: number
  #left: number
  #countedAtMs: number

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#burst = burst
    this.#perSecond = perSecond
    this.#left = burst
    this.#countedAtMs = nowMs
  }

  /** Counts one message. Returns false when the message is over the limit. */
  take(nowMs: number): boolean {
    const gained = ((nowMs - this.#countedAtMs) / 1000) * this.#perSecond
    const left = Math.min(this.#burst, this.#left + gained)
    const isWithin = left >= 1
    this.#left = isWithin ? left - 1 : left
    this.#countedAtMs = nowMs
    return isWithin
  }
}
