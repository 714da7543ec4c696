// Reports when the process is short of memory, so that new requests get 503 `overloaded` while the old ones can still
// finish. It compares the heap with V8's limit, and the whole process with the limit of its container or, without one,
// with a share of the machine's memory. A reading costs some microseconds, so a timer takes it, not each request.
//
// Garbage counts as used memory until it is collected, and V8 collects late when its own limit is far away. So the guard
// collects garbage before it refuses requests. It collects again while it refuses them, because the few remaining requests
// rarely cause a collection by V8.

import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { releaseMemory } from '@vera-stack/shared/process/body-memory.ts'

/** The shares of a limit at which new requests are refused (HIGH) and accepted again (LOW). */
const HIGH = 0.9
const LOW = 0.8
const INTERVAL_MS = 500
/** The shortest time between two collections: in ms, and as a multiple of the last one's duration (5 % of the time at most). */
const COLLECT_INTERVAL_MS = 1000
const COLLECT_SPACING = 20

export interface MemoryReading {
  readonly usedBytes: number
  /** 0: there is no known limit. */
  readonly limitBytes: number
}

export interface MemoryGuardOptions {
  /** The part of the machine's memory that the process may use when no container limits it. */
  readonly maxPercent: number
  readonly clock: Clock
  readonly log: Logger
  /** For tests. Default: the process and its system. */
  readonly system?: MemorySystem | undefined
}

/** The readings of the guard. */
export interface MemorySystem {
  heap(): MemoryReading
  /** Resident memory of the process. Throws while the process has no open file left (EMFILE). */
  residentBytes(): number
  /** The limit of the container. Without a limit, or while it cannot be read: 0, or more than the memory of any machine. */
  containerBytes(): number
  machineBytes(): number
  /** Collects garbage, and gives free memory back to the system. */
  releaseMemory(): void
}

export class MemoryGuard {
  readonly #options: MemoryGuardOptions
  readonly #system: MemorySystem
  #timer: Timer
  #short = false
  #residentBytes = 0
  #containerBytes = 0
  #collectAgainMs = Number.NEGATIVE_INFINITY
  /** True when the last reading of resident memory failed. */
  #blind = false

  constructor(options: MemoryGuardOptions) {
    this.#options = options
    this.#system = options.system ?? thisProcess
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
    let exceeded = this.#exceeded()
    if (exceeded !== undefined && this.#collect()) exceeded = this.#exceeded()
    const short = exceeded !== undefined
    if (short === this.#short) return
    this.#short = short
    const { log } = this.#options
    if (exceeded === undefined) log.info('memory is below its limit again, new requests are accepted')
    else {
      const detail = `${exceeded.usedBytes} of ${exceeded.limitBytes} bytes are in use`
      log.error('memory is near its limit, new requests are refused', { bytes: exceeded.usedBytes, detail })
    }
  }

  /** Returns the reading that is over its limit; undefined when both are below their limits. */
  #exceeded(): MemoryReading | undefined {
    const threshold = this.#short ? LOW : HIGH
    return [this.#system.heap(), this.#process()].find(
      ({ usedBytes, limitBytes }) => limitBytes > 0 && usedBytes >= limitBytes * threshold,
    )
  }

  /** Collects garbage. Returns false without a collection when the last one was a short time ago. */
  #collect(): boolean {
    const { clock } = this.#options
    const startedMs = clock.now()
    if (startedMs < this.#collectAgainMs) return false
    this.#system.releaseMemory()
    const endedMs = clock.now()
    this.#collectAgainMs = endedMs + Math.max(COLLECT_INTERVAL_MS, COLLECT_SPACING * (endedMs - startedMs))
    return true
  }

  #process(): MemoryReading {
    const machine = this.#system.machineBytes()
    const container = this.#system.containerBytes()
    // A missing limit and an unreadable one look alike, so a limit that was read once stays in force.
    if (container > 0 && container < machine) this.#containerBytes = container
    const limitBytes = this.#containerBytes || (machine * this.#options.maxPercent) / 100
    return { usedBytes: this.#resident(), limitBytes }
  }

  /** Returns the last known value when a reading fails. Readings of the heap cannot fail, and continue. */
  #resident(): number {
    try {
      this.#residentBytes = this.#system.residentBytes()
      this.#blind = false
    } catch (error) {
      if (!this.#blind) {
        this.#options.log.error('the memory of the process could not be read, the last value is used', {
          err: error,
        })
      }
      this.#blind = true
    }
    return this.#residentBytes
  }
}

const thisProcess: MemorySystem = {
  heap() {
    const heap = getHeapStatistics()
    return { usedBytes: heap.used_heap_size, limitBytes: heap.heap_size_limit }
  },
  residentBytes: () => process.memoryUsage.rss(),
  containerBytes: () => process.constrainedMemory(),
  machineBytes: totalmem,
  releaseMemory,
}
