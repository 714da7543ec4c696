// The running parts of a replica, in the order of their start. They stop from the last to the first. When one fails to stop,
// the others still stop.

import type { Logger } from '@vera-stack/shared/log.ts'

export class RunningParts {
  readonly #log: Logger
  readonly #parts: { readonly name: string; readonly stop: () => unknown }[] = []

  constructor(log: Logger) {
    this.#log = log
  }

  /** `name` is for the log. `stop` may return a promise, which is awaited before the next part stops. */
  add(name: string, stop: () => unknown): void {
    this.#parts.push({ name, stop })
  }

  /** Never rejects. A second call stops the parts that were added since the first one. */
  async stop(): Promise<void> {
    for (const part of this.#parts.splice(0).reverse()) {
      try {
        await part.stop()
      } catch (error) {
        this.#log.error('a component failed to stop', { part: part.name, err: error })
      }
    }
  }
}
