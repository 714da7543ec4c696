import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { expectNoLeak, leakedSince, openResources } from './leak-check.ts'

describe('leak check', () => {
  it('fails while a server or a timer is open, and passes after they are closed', async () => {
    const before = openResources()
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const timer = setTimeout(() => undefined, 60_000)
    expect(leakedSince(before)).toEqual(expect.arrayContaining(['TCPServerWrap +1', 'Timeout +1']))
    clearTimeout(timer)
    await expect(expectNoLeak(before, 50)).rejects.toThrow('TCPServerWrap +1')
    server.close()
    await expectNoLeak(before)
  })
})
