// Writes log lines to one file descriptor, in order and in batches, and never blocks the event loop. The memory of waiting
// lines is bounded: while the reader of the log stalls, the sink drops further lines, counts them, and reports the count
// as soon as it can write again. docs/decisions/0017-log-sink.md gives the reasons for own code instead of sonic-boom.

import { fstatSync, write, writeSync } from 'node:fs'
import { type Clock, systemClock, type Timer } from '../clock.ts'
import { LineBytes } from './line-bytes.ts'

export interface LineSink {
  /** Queues a line that ends with a newline. `urgent` starts the write in this turn of the event loop, else within 100 ms. */
  write(line: string, urgent: boolean): void
  /**
   * Returns the place for a line, to which the caller writes it before any other call. Undefined: the sink takes no line now.
   * Absent: the sink takes texts only.
   */
  openLine?(): LineBytes | undefined
  /** Queues the line at the place that `openLine` has returned. False: the line is not complete, and is removed. */
  closeLine?(): boolean
  /** Resolves when the lines so far are written, or when the file descriptor can no longer be written. */
  flush(): Promise<void>
}

export interface FileSinkOptions {
  /** Default 1, the standard output. */
  readonly fd?: number
  readonly clock?: Clock
  /**
   * Bound of all lines that are not written yet, bytes. Before it is encoded, a line counts as one byte for each UTF-16 unit.
   * Default 4 Mi.
   */
  readonly maxPendingLength?: number
  /** Longest time that `close` and the end of the process wait for a stalled reader, ms. Default 2000. */
  readonly closeWaitMs?: number
  /** Returns the line that reports the number of dropped lines. Called when lines can be written again. */
  readonly onDropped?: (count: number) => string
}

const BATCH_DELAY_MS = 100
/** Size of the buffers of lines. A pipe takes as many bytes at once. */
const CHUNK_LENGTH = 64 * 1024
/** Room for a line of `openLine`. Longer lines are texts. */
const LINE_ROOM = 4096
/** A write wakes a thread of the pool and then the event loop, which costs more than the bytes. A file takes any number at once. */
const FILE_BATCH_LENGTH = 8 * CHUNK_LENGTH
/** Delay after EAGAIN: the descriptor is non-blocking, and the pipe or terminal is full. */
const FULL_PIPE_RETRY_MS = 20
/** Delay after an error that may pass, such as ENOSPC. */
const FAULT_RETRY_MS = 1000
/** These errors last as long as the descriptor: its reader has closed the pipe, or the descriptor is closed. */
const PERMANENT_FAULTS: readonly (string | undefined)[] = ['EPIPE', 'EBADF']
const NEWLINE = 0x0a
const NO_BYTES = Buffer.alloc(0)

/**
 * `idle`: each line is written. `scheduled`: a timer starts the next batch. `due`: a microtask starts it. `writing`: the
 * thread pool writes a batch. `retrying`: a timer repeats the write of the rest of the batch. `failed`: the descriptor cannot
 * be written any more, and the sink discards each line.
 */
type SinkState = 'idle' | 'scheduled' | 'due' | 'writing' | 'retrying' | 'failed'

export class FileSink implements LineSink {
  readonly #fd: number
  /** A batch of this length does not wait for further lines. */
  readonly #fullLength: number
  readonly #clock: Clock
  readonly #maxPendingLength: number
  readonly #closeWaitMs: number
  readonly #onDropped: (count: number) => string
  #state: SinkState = 'idle'
  #timer: Timer | undefined
  /** Lines that wait for the next batch: full buffers, then the bytes of `#line` from `#start` to its end. */
  #chunks: Buffer[] = []
  readonly #line = new LineBytes()
  #chunk = NO_BYTES
  #from = 0
  /** The end of the last complete line. */
  #to = 0
  /** Length of all these lines and of the batch. The batch counts until its last byte is written. */
  #pendingLength = 0
  /** The bytes that are being written, and how many of them are written. */
  #batch: Buffer = NO_BYTES
  #batchLength = 0
  #offset = 0
  /** Dropped lines that no line has reported yet. */
  #dropped = 0
  /** The batch ends with a report of this many dropped lines. The report takes `reportBytes` of the batch. */
  #reported = 0
  #reportBytes = 0
  /** True when the output ends in the middle of a line, because an error has cut a batch. */
  #cutLine = false
  #waiters: (() => void)[] = []

  constructor(options: FileSinkOptions = {}) {
    this.#fd = options.fd ?? 1
    this.#fullLength = isFile(this.#fd) ? FILE_BATCH_LENGTH : CHUNK_LENGTH
    this.#clock = options.clock ?? systemClock
    this.#maxPendingLength = options.maxPendingLength ?? 4 * 1024 * 1024
    this.#closeWaitMs = options.closeWaitMs ?? 2000
    this.#onDropped = options.onDropped ?? (() => '')
    process.on('exit', this.#atExit)
  }

  write(line: string, urgent: boolean): void {
    if (!this.#takes(line.length)) return
    this.#pendingLength += this.#encode(line)
    this.#schedule(urgent)
  }

  openLine(): LineBytes | undefined {
    if (!this.#takes(0)) return undefined
    if (this.#chunk.length - this.#to < LINE_ROOM) this.#nextChunk()
    this.#line.end = this.#to
    return this.#line
  }

  closeLine(): boolean {
    if (!this.#line.isComplete) return false
    this.#pendingLength += this.#line.end - this.#to
    this.#to = this.#line.end
    this.#schedule(false)
    return true
  }

  /** False: the sink discards the line, because its descriptor or its memory does not take it. */
  #takes(length: number): boolean {
    if (this.#state === 'failed') return false
    if (this.#pendingLength + length <= this.#maxPendingLength) return true
    this.#dropped += 1
    return false
  }

  #schedule(urgent: boolean): void {
    if (this.#state !== 'idle' && this.#state !== 'scheduled') return
    if (urgent || this.#pendingLength >= this.#fullLength) {
      this.#timer?.cancel()
      this.#state = 'due'
      queueMicrotask(() => this.#start())
    } else if (this.#state === 'idle') {
      this.#state = 'scheduled'
      this.#timer = this.#clock.after(BATCH_DELAY_MS, () => this.#start())
    }
  }

  flush(): Promise<void> {
    if (this.#state === 'idle' || this.#state === 'failed') return Promise.resolve()
    return new Promise(resolve => {
      this.#waiters.push(resolve)
      this.#start()
    })
  }

  /** Flushes, and detaches the sink from the process. A stalled reader delays it by at most `closeWaitMs`. */
  async close(): Promise<void> {
    // The timer of the process, not the clock: it also keeps the process alive while a full pipe is retried.
    const { promise, resolve } = Promise.withResolvers<void>()
    const limit = setTimeout(resolve, this.#closeWaitMs)
    await Promise.race([this.flush(), promise])
    clearTimeout(limit)
    this.#timer?.cancel()
    process.off('exit', this.#atExit)
  }

  #start(): void {
    if (this.#state !== 'scheduled' && this.#state !== 'due') return
    this.#timer?.cancel()
    this.#batchLength = this.#pendingLength
    this.#batch = this.#takeLines()
    this.#offset = 0
    this.#send()
  }

  /** Returns the waiting lines as one buffer, with the report of dropped lines at its end. */
  #takeLines(): Buffer {
    const report = this.#dropped > 0 ? this.#onDropped(this.#dropped) : ''
    this.#reported = this.#dropped
    this.#reportBytes = this.#encode(report)
    this.#dropped = 0
    const start = this.#cutLine ? [Buffer.of(NEWLINE)] : []
    this.#cutLine = false
    const parts = [...start, ...this.#chunks, this.#chunk.subarray(this.#from, this.#to)]
    this.#chunks = []
    this.#from = this.#to
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
  }

  /** Appends the text to the waiting lines, and returns its number of bytes. */
  #encode(text: string): number {
    // A UTF-16 unit has at most three bytes.
    if (3 * text.length > CHUNK_LENGTH) {
      const bytes = Buffer.from(text)
      this.#nextChunk()
      this.#chunks.push(bytes)
      return bytes.length
    }
    if (3 * text.length > this.#chunk.length - this.#to) this.#nextChunk()
    const length = this.#chunk.write(text, this.#to)
    this.#to += length
    return length
  }

  /** Continues with an empty buffer. A batch that is being written may still have bytes of the buffer before. */
  #nextChunk(): void {
    if (this.#to > this.#from) this.#chunks.push(this.#chunk.subarray(this.#from, this.#to))
    // Not from the pool of small buffers, which a part of this size would keep in memory.
    this.#chunk = Buffer.allocUnsafeSlow(CHUNK_LENGTH)
    this.#line.bytes = this.#chunk
    this.#from = 0
    this.#to = 0
  }

  #send(): void {
    this.#state = 'writing'
    const rest = this.#batch.length - this.#offset
    write(this.#fd, this.#batch, this.#offset, rest, null, (error, written) => {
      if (error) return this.#onError(error)
      this.#offset += written
      if (this.#offset < this.#batch.length) return this.#send()
      this.#endBatch()
      this.#continue()
    })
  }

  /** Starts the next batch at once, because its lines have waited for this one. */
  #continue(): void {
    if (this.#pendingLength > 0 || this.#dropped > 0) {
      this.#state = 'due'
      this.#start()
    } else {
      this.#state = 'idle'
      this.#release()
    }
  }

  #onError({ code }: NodeJS.ErrnoException): void {
    if (code === 'EAGAIN') {
      this.#state = 'retrying'
      this.#timer = this.#clock.after(FULL_PIPE_RETRY_MS, () => this.#send())
    } else if (PERMANENT_FAULTS.includes(code)) {
      this.#fail()
    } else {
      this.#dropBatch()
      this.#state = 'retrying'
      this.#timer = this.#clock.after(FAULT_RETRY_MS, () => this.#continue())
    }
  }

  /** Counts the incomplete lines of the batch, and the lines that its report counted. */
  #dropBatch(): void {
    this.#cutLine = this.#offset > 0 && this.#batch[this.#offset - 1] !== NEWLINE
    this.#dropped += this.#reported
    for (let at = this.#offset; at < this.#batch.length - this.#reportBytes; at += 1) {
      if (this.#batch[at] === NEWLINE) this.#dropped += 1
    }
    this.#endBatch()
  }

  #endBatch(): void {
    this.#batch = NO_BYTES
    this.#offset = 0
    this.#pendingLength -= this.#batchLength
  }

  /** Discards the lines. The loss cannot be reported anywhere else, and traffic continues without a log. */
  #fail(): void {
    this.#state = 'failed'
    this.#batch = NO_BYTES
    this.#chunks = []
    this.#from = this.#to
    this.#pendingLength = 0
    this.#release()
  }

  #release(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }

  /**
   * Writes the rest synchronously, also after an uncaught error. The thread pool completes a batch that it writes before the
   * process ends, but no event can report that here: a short pause lets it write first, which keeps the order of lines.
   */
  readonly #atExit = (): void => {
    if (this.#state === 'failed') return
    if (this.#state === 'writing') pause(FULL_PIPE_RETRY_MS)
    const rest = this.#state === 'retrying' ? this.#batch.subarray(this.#offset) : NO_BYTES
    writeBeforeExit(this.#fd, Buffer.concat([rest, this.#takeLines()]), this.#closeWaitMs)
  }
}

/** True for a regular file. False also for a closed descriptor, whose fault the first write reports. */
function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile()
  } catch {
    return false
  }
}

/**
 * Writes all bytes that the reader takes within `waitMs`. An error other than EAGAIN ends it, because the process ends
 * anyway.
 */
function writeBeforeExit(fd: number, bytes: Buffer, waitMs: number): void {
  const deadline = performance.now() + waitMs
  for (let rest = bytes; rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() > deadline) return
      pause(FULL_PIPE_RETRY_MS)
    }
  }
}

/** Blocks the thread. Only for the end of the process, when no event can arrive any more. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
