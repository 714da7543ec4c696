// Starts processes that log and end at once, and reads their output.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { AccessFields } from './log.ts'

const request: AccessFields = {
  requestId: 'r1',
  method: 'GET',
  host: 'a.test',
  path: '/x',
  status: 200,
  durationMs: 1.5,
  bytesIn: 0,
  bytesOut: 12,
  remoteAddress: '127.0.0.1',
}

test('lines that wait at exit are written', async () => {
  const script = `
    import { createLog } from ${JSON.stringify(new URL('log.ts', import.meta.url).href)}
    const log = createLog({ level: 'info', format: 'json' })
    log.access(${JSON.stringify(request)})
    log.info('bye')
    process.exit(3)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', chunk => {
    output += chunk
  })
  const [code] = (await once(child, 'close')) as [number]
  expect(code).toBe(3)
  expect(
    output
      .trim()
      .split('\n')
      .map(line => (JSON.parse(line) as { msg: string }).msg),
  ).toEqual(['request', 'bye'])
})
