// Schedules the writes of the snapshot file: some time after a change, never two at once, and less often when a write is slow. A
// failed write causes a warning and is retried.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { DirectoryState } from '../directory-state.ts'
import { writeSnapshot } from './snapshot-file.ts'

const DEBOUNCE_MS = 1_000
const RETRY_MS = 60_000
/** The delay is this many times the duration of a write, so that writes take at most a twentieth of the time. */
const REST_FACTOR = 20

export interface SnapshotKeeperOptions {
  readonly file: string
  readonly clock: Clock
  readonly currentState: () => DirectoryState | undefined
  readonly failed: (error: unknown) => void
}

export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions
  #timer: Timer | undefined
  #writing: Promise<void> | undefined
  #dirty = false
  #delayMs = DEBOUNCE_MS

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options
  }

  /** Schedules a write after a change. */
  schedule(): void {
    this.#dirty = true
    if (this.#timer !== undefined || this.#writing !== undefined) return
    this.#timer = this.#options.clock.after(this.#delayMs, () => {
      this.#timer = undefined
      this.#writing = this.#write()
    })
  }

  /** Writes pending changes now, and then no more until the next change. */
  async flush(): Promise<void> {
    this.#cancelTimer()
    await this.#writing
    this.#cancelTimer()
    if (this.#dirty) await this.#write()
    this.#cancelTimer()
  }

  #cancelTimer(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  async #write(): Promise<void> {
    const { clock, currentState, failed, file } = this.#options
    const state = currentState()
    if (state === undefined) return
    const startedAt = clock.now()
    this.#dirty = false
    try {
      await writeSnapshot(file, state)
      this.#delayMs = Math.max(DEBOUNCE_MS, (clock.now() - startedAt) * REST_FACTOR)
    } catch (error) {
      failed(error)
      this.#dirty = true
      this.#delayMs = RETRY_MS
    }
    this.#writing = undefined
    if (this.#dirty) this.schedule()
  }
}
