// The end of a process whose log has a slow reader or a stalled one: real processes, and a standard output that this test
// does not read until the process ends.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { afterEach, expect, it } from 'vitest'

const LINES = 3000
/** Far more than the buffers between the processes hold. */
const DETAIL = 'x'.repeat(500)

let child: ChildProcessByStdio<null, Readable, Readable>
afterEach(() => {
  child.kill('SIGKILL')
})

const module = (path: string): string => JSON.stringify(new URL(`../../shared/${path}`, import.meta.url).href)

/**
 * Starts a process that logs the lines, waits until the sink finds its pipe full, reports that on stderr, and runs `end`. A
 * batch that the thread pool writes at the very end of a process is outside of these tests: its outcome is unknown.
 */
function start(closeWaitMs: number, end: string): void {
  const script = `
    import { createLog } from ${module('log.ts')}
    import { FileSink } from ${module('log/sink.ts')}
    import { systemClock } from ${module('clock.ts')}
    let pipeIsFull = () => undefined
    const after = (delayMs, task) => {
      if (delayMs === 20) pipeIsFull()
      return systemClock.after(delayMs, task)
    }
    const sink = new FileSink({ closeWaitMs: ${closeWaitMs}, clock: { ...systemClock, after } })
    const log = createLog({ level: 'info', format: 'json', sink })
    for (let number = 0; number < ${LINES}; number += 1) {
      log.info('line', { count: number, detail: '${DETAIL}' })
      if (number % 100 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    const keepAlive = setInterval(() => undefined, 1000)
    await new Promise(resolve => { pipeIsFull = resolve })
    clearInterval(keepAlive)
    console.error('ends')
    ${end}`
  child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

it.each([
  ['log.close', 'await log.close()', 0],
  ['process.exit', 'process.exit(3)', 3],
  ['an uncaught error', "throw new Error('crash')", 1],
])('%s writes each waiting line, and the reader gets them in order', async (_name, end, exitCode) => {
  start(30_000, end)
  await once(child.stderr, 'data')
  let output = ''
  child.stdout.setEncoding('utf8').on('data', chunk => {
    output += chunk
  })
  child.stderr.resume()
  expect(await once(child, 'close')).toEqual([exitCode, null])
  const lines = output.split('\n')
  expect(lines.pop()).toBe('')
  const numbers = lines.map(line => (JSON.parse(line) as { count: number }).count)
  expect(numbers).toEqual(Array.from({ length: LINES }, (_, number) => number))
})

it.each([
  ['log.close', 'await log.close()', 0],
  ['process.exit', 'process.exit(3)', 3],
])('%s ends the process although the reader of the log stalls', async (_name, end, exitCode) => {
  start(100, end)
  child.stderr.resume()
  expect(await once(child, 'exit')).toEqual([exitCode, null])
})
