// Costly work, a few at a time, with a queue that has an end: beyond it there is a no at once instead of a yes too late.
// Each owner (a client address, for example) has at most its share of it, so that others always find room.

interface Waiting {
  readonly start: () => void
}

export interface BoundedWorkOptions {
  readonly maxRunning: number
  readonly maxWaiting: number
  /** Running and waiting work of one owner together. */
  readonly maxPerOwner: number
}

export class BoundedWork {
  readonly #options: BoundedWorkOptions
  readonly #waiting: Waiting[] = []
  readonly #perOwner = new Map<string, number>()
  #running = 0

  constructor(options: BoundedWorkOptions) {
    this.#options = options
  }

  /** Returns undefined when there is too much work already, of all owners or of this one. */
  run<Result>(owner: string, work: () => Promise<Result>): Promise<Result> | undefined {
    const { maxRunning, maxWaiting, maxPerOwner } = this.#options
    const own = this.#perOwner.get(owner) ?? 0
    const mustWait = this.#running >= maxRunning
    if (own >= maxPerOwner || (mustWait && this.#waiting.length >= maxWaiting)) return undefined
    this.#perOwner.set(owner, own + 1)
    if (!mustWait) {
      this.#running += 1
      return this.#start(owner, work)
    }
    return new Promise<void>(resolve => this.#waiting.push({ start: resolve })).then(() =>
      this.#start(owner, work),
    )
  }

  /** The caller has counted it as running. */
  async #start<Result>(owner: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } finally {
      const left = (this.#perOwner.get(owner) ?? 1) - 1
      if (left === 0) this.#perOwner.delete(owner)
      else this.#perOwner.set(owner, left)
      // The next one takes over the place. It begins later in this turn, and nothing else may take the place until then.
      const next = this.#waiting.shift()
      if (next === undefined) this.#running -= 1
      else next.start()
    }
  }
}
