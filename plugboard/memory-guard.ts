// Says when the process is short of memory, so that new requests are turned away with 503 `overloaded` while the
// old ones can still finish. Looks at the heap against V8's limit, and at the whole process against that of its
// container. Looking costs some microseconds, so it is done by a timer, not by requests.

import { getHeapStatistics } from 'node:v8'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'

/** Share of a limit at which new requests are refused, and the one at which they are taken again. */
const HIGH = 0.9
const LOW = 0.8
const INTERVAL_MS = 500

export interface MemoryReading {
  readonly usedBytes: number
  /** 0: no limit is known. */
  readonly limitBytes: number
}

export interface MemoryGuardOptions {
  readonly clock: Clock
  readonly log: Logger
  /** For tests; default: heap and process. */
  readonly read?: () => readonly MemoryReading[]
}

export class MemoryGuard {
  readonly #options: MemoryGuardOptions
  readonly #read: () => readonly MemoryReading[]
  #timer: Timer
  #short = false

  constructor(options: MemoryGuardOptions) {
    this.#options = options
    this.#read = options.read ?? readMemory
    this.#timer = this.#schedule()
  }

  get short(): boolean {
    return this.#short
  }

  stop(): void {
    this.#timer.cancel()
  }

  #schedule(): Timer {
    return this.#options.clock.after(INTERVAL_MS, () => {
      this.#look()
      this.#timer = this.#schedule()
    })
  }

  #look(): void {
    const threshold = this.#short ? LOW : HIGH
    const short = this.#read().some(
      ({ usedBytes, limitBytes }) => limitBytes > 0 && usedBytes >= limitBytes * threshold,
    )
    if (short === this.#short) return
    this.#short = short
    if (short) this.#options.log.error('short of memory, new requests are refused')
    else this.#options.log.info('memory is free again')
  }
}

function readMemory(): MemoryReading[] {
  const heap = getHeapStatistics()
  const constrained = process.constrainedMemory()
  // Without a container's limit Node reports 0, or a number beyond any machine.
  const limitBytes = constrained < Number.MAX_SAFE_INTEGER ? constrained : 0
  return [
    { usedBytes: heap.used_heap_size, limitBytes: heap.heap_size_limit },
    { usedBytes: process.memoryUsage.rss(), limitBytes },
  ]
}
