// Exponential back-off with full jitter: each delay is uniform in [0, min(cap, base · 2^attempt)].
// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

export interface BackoffOptions {
  readonly baseMs: number
  readonly capMs: number
  /** Uniform in [0, 1). */
  readonly random?: () => number
}

export class Backoff {
  readonly #options: BackoffOptions
  #attempt = 0

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  /** Returns the next delay in ms: `atLeastMs`, which the peer asked for (`Retry-After`), plus the jittered back-off. */
  next(atLeastMs = 0): number {
    const { baseMs, capMs, random = Math.random } = this.#options
    const ceiling = Math.min(capMs, baseMs * 2 ** this.#attempt)
    if (ceiling < capMs) this.#attempt += 1
    return atLeastMs + Math.round(random() * ceiling)
  }

  /** Makes the next delay start from `baseMs` again. Call it after a success that has lasted. */
  reset(): void {
    this.#attempt = 0
  }
}
