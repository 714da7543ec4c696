// How many control messages a peer may send: a token bucket. They are rare by their nature and cost a hundred times
// what a frame of data costs, so that a peer which floods them would keep its neighbours waiting.

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

  /** False: one too many. */
  take(nowMs: number): boolean {
    const gained = ((nowMs - this.#countedAtMs) / 1000) * this.#perSecond
    this.#left = Math.min(this.#burst, this.#left + gained) - 1
    this.#countedAtMs = nowMs
    return this.#left >= 0
  }
}
