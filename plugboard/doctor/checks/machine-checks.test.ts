import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { checkDisk, delayFinding, diskFinding } from './machine-checks.ts'
import { portHolder } from './port-holder.ts'

const MIB = 1024 * 1024

it('a disk fails under 100 MiB, and warns under 1 GiB or 5 %', () => {
  const stateOf = (freeMib: number, totalMib: number) =>
    diskFinding('/data', { freeBytes: freeMib * MIB, totalBytes: totalMib * MIB }).state
  expect(stateOf(99, 10_000)).toBe('failed')
  expect(stateOf(1023, 10_000)).toBe('warning')
  expect(stateOf(4999, 100_000)).toBe('warning')
  expect(stateOf(5000, 100_000)).toBe('ok')
})

it('a data folder that does not exist fails', async () => {
  const folder = join(tmpdir(), 'no-such-folder-of-plugboard')
  expect(await checkDisk(folder)).toMatchObject({ state: 'failed', detail: expect.stringContaining(folder) })
  expect((await checkDisk(tmpdir())).detail).toContain('MiB free')
})

it('the event loop warns above 100 ms', () => {
  expect(delayFinding(100).state).toBe('ok')
  expect(delayFinding(101)).toMatchObject({ state: 'warning', detail: expect.stringContaining('101 ms') })
})

it.runIf(process.platform === 'linux')('names the process that listens on a port', async () => {
  const server = createServer()
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  expect(portHolder(port)).toMatch(new RegExp(`^Process ${process.pid} \\(.+\\) has port ${port}\\.$`))
  await new Promise(resolve => {
    server.close(resolve)
  })
  expect(portHolder(port)).toBeUndefined()
})
