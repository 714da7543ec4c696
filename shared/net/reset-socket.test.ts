import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { useLeakCheck } from '../../test/support/leak-check.ts'
import { resetSocket } from './reset-socket.ts'

useLeakCheck()

const server = createServer({ allowHalfOpen: true })
let near: Socket
let far: Socket

beforeEach(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  near = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  const accepted = once(server, 'connection')
  await once(near, 'connect')
  ;[far] = (await accepted) as [Socket]
  near.on('error', () => undefined)
})
afterEach(async () => {
  far.destroy()
  near.destroy()
  server.close()
  await once(server, 'close')
})

it.each([
  ['an open connection', () => undefined],
  ['one whose end waits for bytes', () => near.end(Buffer.alloc(8_000_000))],
])('%s: the far end gets a reset, and no socket stays open', async (_name, before) => {
  const failed = once(far, 'error')
  const closed = once(near, 'close')
  before()
  resetSocket(near)
  await closed
  far.resume()
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' })
})

it.each([
  ['on its way to the kernel', () => Promise.resolve()],
  ['with the kernel', () => once(near, 'finish')],
])('one whose end is %s: likewise, behind that end', async (_name, until) => {
  const failed = once(far, 'error')
  const closed = once(near, 'close')
  near.end()
  await until()
  resetSocket(near)
  await closed
  far.resume()
  await once(far, 'end')
  far.write('hello')
  expect((await failed)[0]).toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) })
})
