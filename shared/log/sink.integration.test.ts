import { spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { FileSink } from './sink.ts'

let folder: string
let open: number[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-'))
  open = []
})
afterEach(() => {
  for (const fd of open) closeSync(fd)
  rmSync(folder, { recursive: true })
})

function openFile(path: string, flags: string | number): number {
  const fd = openSync(path, flags)
  open.push(fd)
  return fd
}

function close(fd: number): void {
  open = open.filter(each => each !== fd)
  closeSync(fd)
}

/** Closes `fd`, and opens the file under the same number. */
function replaceFile(fd: number, path: string): void {
  close(fd)
  while (openFile(path, 'w') !== fd) {
    // A lower number had become free. It stays open until the end of the test.
  }
}

/** Returns both ends of a pipe. The writing end is non-blocking, as Node makes a standard output that is a pipe. */
function openPipe(): { reader: number; writer: number } {
  const path = join(folder, 'pipe')
  expect(spawnSync('mkfifo', [path]).status).toBe(0)
  const reader = openFile(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return { reader, writer: openFile(path, constants.O_WRONLY | constants.O_NONBLOCK) }
}

/** Returns what the pipe holds. */
function readPipe(reader: number): string {
  const parts: Buffer[] = []
  for (;;) {
    const chunk = Buffer.alloc(64 * 1024)
    try {
      const length = readSync(reader, chunk)
      if (length === 0) break
      parts.push(chunk.subarray(0, length))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') break
      throw error
    }
  }
  return Buffer.concat(parts).toString()
}

const onDropped = (count: number): string => `dropped ${count}\n`

test('a sink writes batches in order and counts the dropped lines', async () => {
  const fd = openFile(join(folder, 'out'), 'w')
  const sink = new FileSink({ fd, maxPendingLength: 20, onDropped })
  sink.write('first line\n', false)
  sink.write('second\n', true)
  sink.write('third is too much\n', false)
  sink.write('and so is this\n', false)
  await sink.flush()
  sink.write('fourth\n', false)
  await sink.close()
  expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('first line\nsecond\ndropped 2\nfourth\n')
})

/** Writes lines until they no longer wait for further ones, and returns their length. */
async function firstBatch(fd: number): Promise<number> {
  const clock = new ManualClock()
  const sink = new FileSink({ fd, clock })
  let length = 0
  do {
    sink.write(`${'x'.repeat(1023)}\n`, false)
    length += 1024
  } while (clock.pendingTimers > 0)
  await sink.close()
  return length
}

test('lines for a file wait for a larger batch than lines for a pipe, and none is lost', async () => {
  const { reader, writer } = openPipe()
  expect(await firstBatch(writer)).toBe(64 * 1024)
  expect(readPipe(reader)).toBe(`${'x'.repeat(1023)}\n`.repeat(64))
  const path = join(folder, 'out')
  expect(await firstBatch(openFile(path, 'w'))).toBe(512 * 1024)
  expect(readFileSync(path, 'utf8')).toBe(`${'x'.repeat(1023)}\n`.repeat(512))
})

test('a sink whose descriptor is closed discards its lines and ends', async () => {
  const sink = new FileSink({ fd: 1_000_000 })
  sink.write('into the void\n', true)
  await sink.close()
  expect(await sink.flush()).toBeUndefined()
})

test('a sink whose reader has closed the pipe discards its lines from then on', async () => {
  const { reader, writer } = openPipe()
  close(reader)
  const sink = new FileSink({ fd: writer })
  sink.write('first\n', true)
  await sink.flush()
  const second = openFile(join(folder, 'pipe'), constants.O_RDONLY | constants.O_NONBLOCK)
  sink.write('second\n', true)
  await sink.close()
  expect(readPipe(second)).toBe('')
})

test('while the reader stalls, a bounded length waits, and each dropped line is counted', async () => {
  const { reader, writer } = openPipe()
  const maxPendingLength = 256 * 1024
  const sink = new FileSink({ fd: writer, maxPendingLength, onDropped })
  const total = 20_000
  // In several batches, so that some lines arrive while a batch waits for the reader.
  for (let number = 0; number < total; number += 1) {
    sink.write(`line ${String(number).padStart(94, '0')}\n`, false)
    if (number % 1000 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  let output = ''
  const flushed = sink.flush().then(() => true)
  while (!(await Promise.race([flushed, new Promise(resolve => setImmediate(resolve))]))) {
    output += readPipe(reader)
  }
  await sink.close()
  output += readPipe(reader)
  const lines = output.split('\n').slice(0, -1)
  const reports = lines.filter(line => line.startsWith('dropped '))
  const written = lines.filter(line => line.startsWith('line ')).map(line => Number(line.slice(5)))
  const dropped = reports.reduce((sum, line) => sum + Number(line.slice('dropped '.length)), 0)
  expect(written.length + dropped).toBe(total)
  expect(written).toEqual(written.toSorted((left, right) => left - right))
  // The reader has not read while lines were logged, so the pipe holds 64 KiB, and the sink holds its bound.
  expect(output.length).toBeLessThanOrEqual(maxPendingLength + 64 * 1024 + 100)
  expect(dropped).toBeGreaterThan(0)
})

test('a stalled reader delays the end of a sink by a bounded time', async () => {
  const { reader, writer } = openPipe()
  const sink = new FileSink({ fd: writer, closeWaitMs: 50 })
  sink.write(`${'x'.repeat(200_000)}\n`, true)
  await sink.close()
  expect(readPipe(reader).length).toBeLessThan(200_000)
})

test('after a temporary error, such as a full disk, a sink writes again and counts the lost lines', async () => {
  const clock = new ManualClock()
  const fd = openFile('/dev/full', 'w')
  const sink = new FileSink({ fd, clock, onDropped })
  sink.write('first\n', true)
  sink.write('second\n', false)
  await expect.poll(() => clock.pendingTimers).toBe(1)
  // The report of the first two lines is lost too.
  sink.write('third\n', false)
  clock.advance(1000)
  await expect.poll(() => clock.pendingTimers).toBe(1)
  replaceFile(fd, join(folder, 'out'))
  sink.write('fourth\n', false)
  clock.advance(1000)
  await sink.close()
  expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('fourth\ndropped 3\n')
})

test('a line that an error cuts is counted, and the next one starts on a new line', async () => {
  const { reader, writer } = openPipe()
  const clock = new ManualClock()
  const sink = new FileSink({ fd: writer, clock, onDropped })
  sink.write(`${'x'.repeat(100_000)}\n`, true)
  sink.write('second\n', true)
  await expect.poll(() => clock.pendingTimers).toBe(1)
  // The pipe is full. From here on, the same descriptor is a full disk, then a file.
  replaceFile(writer, '/dev/full')
  clock.advance(20)
  await expect.poll(() => clock.pendingTimers).toBe(1)
  replaceFile(writer, join(folder, 'out'))
  sink.write('third\n', true)
  clock.advance(1000)
  await sink.close()
  expect(readPipe(reader)).toMatch(/^x+$/)
  expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('\nthird\ndropped 2\n')
})
