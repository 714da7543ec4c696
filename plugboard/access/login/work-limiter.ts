// Runs costly work with limited concurrency and a bounded queue. Work that does not fit is refused at once, because its result
// would be too late. Each owner (for example a client address) has a limited share, so that others always find room.

interface Waiting {
  readonly start: () => void
}

export interface WorkLimiterOptions {
  readonly maxRunning: number
  readonly maxWaiting: number
  /** Limit for the running and waiting work of one owner. */
  readonly maxPerOwner: number
}

export class WorkLimiter {
  readonly #options: WorkLimiterOptions
  readonly #waiting: Waiting[] = []
  readonly #perOwner = new Map<string, number>()
  #running = 0

  constructor(options: WorkLimiterOptions) {
    this.#options = options
  }

  /** Runs work, now or later. Returns undefined when all owners, or this one, have too much work. */
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

  /** Starts work that the caller has already counted as running. */
  async #start<Result>(owner: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } finally {
      const left = (this.#perOwner.get(owner) ?? 1) - 1
      if (left === 0) this.#perOwner.delete(owner)
      else this.#perOwner.set(owner, left)
      // The next waiting work takes over the place. `#running` stays unchanged, so that no other work can take the place
      // before it starts.
      const next = this.#waiting.shift()
      if (next === undefined) this.#running -= 1
      else next.start()
    }
  }
}
