import { type Logger, silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it } from 'vitest'
import { RunningParts } from './running-parts.ts'

it('stops the last part first, and waits for each one', async () => {
  const parts = new RunningParts(silentLogger)
  const stopped: string[] = []
  parts.add('database', () => stopped.push('database'))
  parts.add('port', async () => {
    await new Promise(resolve => setImmediate(resolve))
    stopped.push('port')
  })
  await parts.stop()
  expect(stopped).toEqual(['port', 'database'])
  await parts.stop()
  expect(stopped).toHaveLength(2)
})

it('stops the other parts when one fails, and logs its name', async () => {
  const logged: unknown[] = []
  const log: Logger = { ...silentLogger, error: (_message, fields) => logged.push(fields?.part) }
  const parts = new RunningParts(log)
  let stopped = false
  parts.add('database', () => {
    stopped = true
  })
  parts.add('port', () => Promise.reject(new Error('the port is busy')))
  parts.add('tunnels', () => {
    throw new Error('no tunnel')
  })
  await parts.stop()
  expect(stopped).toBe(true)
  expect(logged).toEqual(['tunnels', 'port'])
})
