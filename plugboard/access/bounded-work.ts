// Costly work, a few at a time, with a queue that has an end: beyond it there is a no at once instead of a yes too late.

interface Waiting {
  readonly start: () => void
}

export class BoundedWork {
  readonly #maxRunning: number
  readonly #maxWaiting: number
  readonly #waiting: Waiting[] = []
  #running = 0

  constructor(maxRunning: number, maxWaiting: number) {
    this.#maxRunning = maxRunning
    this.#maxWaiting = maxWaiting
  }

  /** Undefined: there is too much already. */
  run<Result>(work: () => Promise<Result>): Promise<Result> | undefined {
    if (this.#running < this.#maxRunning) return this.#start(work)
    if (this.#waiting.length >= this.#maxWaiting) return undefined
    return new Promise<void>(resolve => this.#waiting.push({ start: resolve })).then(() => this.#start(work))
  }

  async #start<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#running += 1
    try {
      return await work()
    } finally {
      this.#running -= 1
      this.#waiting.shift()?.start()
    }
  }
}
