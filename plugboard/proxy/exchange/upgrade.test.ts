// Rows U1-U5: an upgraded connection from the client's socket to the telephone's stream. ../edge-rows.test.ts has the upgrades
// that stay plain HTTP.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import type { FakeCall } from '../../../test/support/harness/fake-telephone.ts'
import { harnessRoute, ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../../test/support/harness/use-proxy.ts'
import { RawConnection } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'

useLeakCheck()

const proxy = useProxy()

const REQUEST =
  'GET /ws HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n\r\n'
const SWITCH = {
  status: 101,
  statusText: '',
  fields: ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'X', 'y'],
}

async function upgraded(): Promise<{ connection: RawConnection; call: FakeCall }> {
  const connection = await proxy.send(REQUEST)
  const call = await proxy.telephone.nextCall()
  call.stream.respond(SWITCH)
  expect((await connection.readHead()).status).toBe(101)
  return { connection, call }
}

it('U1 is forwarded as an upgrade, and bytes flow both ways after the 101', async () => {
  const connection = await proxy.send(REQUEST)
  const call = await proxy.telephone.nextCall()
  expect(call.opening).toMatchObject({ kind: 'upgrade', method: 'GET', target: '/ws' })
  expect([call.field('upgrade'), call.field('connection')]).toEqual(['WebSocket', 'Upgrade'])
  call.stream.respond(SWITCH)
  const head = await connection.readHead()
  expect(head.headers.slice(0, 3)).toEqual([
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
    ['X', 'y'],
  ])
  await connection.send('ping')
  await call.untilReceived(4)
  call.stream.write(Buffer.from('pong'))
  expect((await connection.readBytes(4)).toString()).toBe('pong')
})

it('U1, U3 bytes that arrive before the 101 are held until then', async () => {
  const connection = await proxy.send(`${REQUEST}early`)
  const call = await proxy.telephone.nextCall()
  await connection.send('bird')
  // The bytes of a round trip show that no other bytes were sent before.
  call.stream.respond({ status: 102, statusText: '', fields: [] })
  expect(call.receivedBytes).toBe(0)
  call.stream.respond(SWITCH)
  await connection.readHead()
  await call.untilReceived(9)
  expect(call.body.toString()).toBe('earlybird')
})

it('U3 at most 64 KiB are held; then the socket is not read', async () => {
  const connection = await proxy.send(`${REQUEST}${'x'.repeat(65_536)}`)
  const call = await proxy.telephone.nextCall()
  for (let sent = 0; sent < 32; sent += 1) void connection.send(Buffer.alloc(1 << 20))
  call.stream.respond(SWITCH)
  await connection.readHead()
  await call.untilReceived(65_536 + 32 * (1 << 20))
})

it('U2 a long response instead of 101 is streamed', async () => {
  const connection = await proxy.send(REQUEST)
  const call = await proxy.telephone.nextCall()
  call.stream.respond({ status: 200, statusText: '', fields: [] })
  const size = 4 << 20
  for (let sent = 0; sent < size; sent += 1 << 16) {
    if (!call.stream.write(Buffer.alloc(1 << 16))) await call.untilWritable()
  }
  call.stream.end()
  const response = await connection.readResponse()
  expect([response.body.length, response.complete]).toEqual([size, true])
})

it('U2 an incomplete response instead of 101', async () => {
  const connection = await proxy.send(REQUEST)
  ;(await proxy.telephone.nextCall()).respond(200, 'x', ['Content-Length', '9'])
  expect((await connection.readResponse()).status).toBe(502)
})

it('a 101 with a field that is not HTTP', async () => {
  const connection = await proxy.send(REQUEST)
  ;(await proxy.telephone.nextCall()).stream.respond({ ...SWITCH, fields: ['X', 'a\x01'] })
  expect((await connection.readResponse()).status).toBe(502)
})

it('U4 each direction ends separately: the client first', async () => {
  const { connection, call } = await upgraded()
  await connection.send('last')
  connection.end()
  expect((await call.ended).body.toString()).toBe('last')
  call.stream.write(Buffer.from('answer'))
  call.stream.end()
  expect((await connection.readToEnd()).toString()).toBe('answer')
  expect(await connection.closed).toBe('fin')
})

it('U4 each direction ends separately: the far end first', async () => {
  const { connection, call } = await upgraded()
  call.stream.write(Buffer.from('bye'))
  call.stream.end()
  expect((await connection.readToEnd()).toString()).toBe('bye')
  await connection.send('after')
  connection.end()
  expect((await call.ended).body.toString()).toBe('after')
})

it('U4 16 MiB each way arrive as sent, with backpressure', async () => {
  const { connection, call } = await upgraded()
  const size = 16 << 20
  void connection.send(Buffer.alloc(size, 1))
  call.stream.write(Buffer.alloc(size, 2))
  await call.untilReceived(size)
  expect((await connection.readBytes(size)).equals(Buffer.alloc(size, 2))).toBe(true)
  expect(call.body.equals(Buffer.alloc(size, 1))).toBe(true)
})

it('a reset from either side reaches the other', async () => {
  const first = await upgraded()
  first.connection.reset()
  expect((await first.call.aborted).reason).toBe('cancelled')
  const second = await upgraded()
  second.call.stream.reset('backend_closed')
  expect(await second.connection.closed).toBe('reset')
  const third = await upgraded()
  proxy.telephone.cut()
  expect(await third.connection.closed).toBe('reset')
})

it('R11 a client that disconnects before the 101 ends the stream', async () => {
  const connection = await proxy.send(REQUEST)
  const call = await proxy.telephone.nextCall()
  connection.end()
  expect((await call.aborted).reason).toBe('cancelled')
})

it('U5 an upgraded connection has an idle timeout of its own', async () => {
  proxy.harness.routes = [
    harnessRoute({ host: 'test', policy: { idleTimeoutMs: 1, upgradeIdleTimeoutMs: 120 } }),
  ]
  const { connection, call } = await upgraded()
  await connection.send('x')
  await call.untilReceived(1)
  expect((await call.aborted).reason).toBe('idle_timeout')
  await connection.closed
  expect(proxy.harness.accessLog).toMatchObject([{ status: 101 }])
})

it('U5 survives the edit of its route', async () => {
  const { connection, call } = await upgraded()
  proxy.harness.routes = []
  await connection.send('still')
  await call.untilReceived(5)
})

it('S3 no 101 in time', async () => {
  proxy.harness.routes = [harnessRoute({ host: 'test', policy: { responseHeadTimeoutMs: 30 } })]
  const connection = await proxy.send(REQUEST)
  expect((await connection.readResponse()).status).toBe(504)
  await connection.readToEnd()
})

it('without a telephone, the response is a problem', async () => {
  proxy.harness.routes = [harnessRoute({ host: 'test', service: 'lonely' })]
  const connection = await proxy.send(REQUEST)
  expect((await connection.readResponse()).status).toBe(503)
  await connection.readToEnd()
})

it('is retried on another line before any response', async () => {
  const other = await proxy.harness.telephone(['web'])
  const connection = await proxy.send(REQUEST)
  ;(await proxy.telephone.nextCall()).stream.reset('backend_unreachable')
  ;(await other.nextCall()).stream.respond(SWITCH)
  expect((await connection.readHead()).status).toBe(101)
})

it('behind requests that wait for their responses, an upgrade is served as a plain request', async () => {
  const connection = await proxy.send(`GET /a HTTP/1.1\r\nHost: test\r\n\r\n${REQUEST}`)
  const first = await proxy.telephone.nextCall()
  const second = await proxy.telephone.nextCall()
  expect(second.opening.kind).toBe('http')
  second.respond(426, 'two')
  first.respond(200, 'one')
  expect((await connection.readResponse()).body.toString()).toBe('one')
  expect((await connection.readResponse()).body.toString()).toBe('two')
})

it('drain: upgraded connections have the grace period, then they are destroyed', async () => {
  const { connection, call } = await upgraded()
  await proxy.harness.proxy.drain(50)
  expect((await call.aborted).reason).toBe('cancelled')
  await connection.closed
})

it('U2 a refused upgrade ends soon, even when the client never ends its side', async () => {
  let skippedMs = 0
  const clock = { ...systemClock, now: () => systemClock.now() + skippedMs }
  const skipping = await ProxyHarness.start({ clock })
  const refusing = await skipping.telephone()
  refusing.handler = call => call.respond(403, 'no')
  const connection = await RawConnection.open(skipping.port)
  await connection.send(REQUEST)
  expect(String(await connection.readToEnd())).toContain('403')
  skippedMs = 6000
  await eventually('no request is in flight', () => (skipping.proxy.inFlightCount === 0 ? true : undefined))
  connection.destroy()
  await skipping.close()
})
