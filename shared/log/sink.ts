// Where lines go: one file descriptor, written in order, in batches, without ever blocking the event loop. What
// waits is bounded: when the reader of our output stalls, lines are dropped and counted, and traffic goes on.

import { write, writeSync } from 'node:fs'
import { type Clock, systemClock, type Timer } from '../clock.ts'

export interface LineSink {
  /** `urgent`: leave in this turn of the event loop; otherwise within a tenth of a second. */
  write(line: string, urgent: boolean): void
  /** Resolves when all that was written so far has left, or cannot leave. */
  flush(): Promise<void>
}

export interface FileSinkOptions {
  /** Default 1, the standard output. */
  readonly fd?: number
  readonly clock?: Clock
  readonly maxPendingBytes?: number
  /** Called once lines flow again, with the number that was lost. Returns a line that says so. */
  readonly onDropped?: (count: number) => string
}

const BATCH_DELAY_MS = 100
const BATCH_LENGTH = 64 * 1024
const RETRY_DELAY_MS = 20

/** Batches lines to a file descriptor. What is left at exit is written synchronously. */
export class FileSink implements LineSink {
  readonly #fd: number
  readonly #clock: Clock
  readonly #maxPendingLength: number
  readonly #onDropped: (count: number) => string
  #pending: string[] = []
  #pendingLength = 0
  #dropped = 0
  #timer: Timer | undefined
  #urgent = false
  #writing = false
  #broken = false
  #waiters: (() => void)[] = []

  constructor(options: FileSinkOptions = {}) {
    this.#fd = options.fd ?? 1
    this.#clock = options.clock ?? systemClock
    this.#maxPendingLength = options.maxPendingBytes ?? 4 * 1024 * 1024
    this.#onDropped = options.onDropped ?? (() => '')
    process.on('exit', this.#atExit)
  }

  write(line: string, urgent: boolean): void {
    if (this.#broken) return
    if (this.#pendingLength + line.length > this.#maxPendingLength) {
      this.#dropped += 1
      return
    }
    this.#pending.push(line)
    this.#pendingLength += line.length
    if (this.#writing) return
    if (urgent || this.#pendingLength >= BATCH_LENGTH) {
      if (this.#urgent) return
      this.#urgent = true
      queueMicrotask(() => this.#start())
    } else {
      this.#timer ??= this.#clock.after(BATCH_DELAY_MS, () => this.#start())
    }
  }

  flush(): Promise<void> {
    if (!this.#writing && this.#pending.length === 0) return Promise.resolve()
    return new Promise(resolve => {
      this.#waiters.push(resolve)
      this.#start()
    })
  }

  /** Flushes and lets go of the process. */
  async close(): Promise<void> {
    await this.flush()
    this.#timer?.cancel()
    process.off('exit', this.#atExit)
  }

  #start(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#urgent = false
    if (this.#writing) return
    const batch = this.#take()
    if (batch.length === 0) return
    this.#writing = true
    this.#send(batch, 0)
  }

  #take(): Buffer {
    if (this.#dropped > 0) {
      this.#pending.push(this.#onDropped(this.#dropped))
      this.#dropped = 0
    }
    const text = this.#pending.join('')
    this.#pending = []
    this.#pendingLength = 0
    return Buffer.from(text)
  }

  #send(batch: Buffer, offset: number): void {
    write(this.#fd, batch, offset, batch.length - offset, null, (error, written) => {
      if (error?.code === 'EAGAIN') {
        // A terminal or a pipe that someone else has made non-blocking, and that is full.
        this.#clock.after(RETRY_DELAY_MS, () => this.#send(batch, offset))
      } else if (error) {
        this.#break()
      } else if (offset + written < batch.length) {
        this.#send(batch, offset + written)
      } else {
        this.#writing = false
        if (this.#pending.length > 0) this.#start()
        else this.#release()
      }
    })
  }

  /** The reader is gone (EPIPE) or the disk is full: there is nowhere left to complain to, and no reason to die. */
  #break(): void {
    this.#broken = true
    this.#writing = false
    this.#pending = []
    this.#pendingLength = 0
    this.#release()
  }

  #release(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }

  readonly #atExit = (): void => {
    let batch = this.#broken ? Buffer.alloc(0) : this.#take()
    for (let attempt = 0; batch.length > 0 && attempt < 100; attempt += 1) {
      try {
        batch = batch.subarray(writeSync(this.#fd, batch))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      }
    }
  }
}
