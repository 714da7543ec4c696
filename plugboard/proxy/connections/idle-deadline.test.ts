import { Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { RawConnection } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { Deadlines } from '../deadlines.ts'
import { IdleDeadline } from './idle-deadline.ts'

useLeakCheck()

const INTERVAL_MS = 100
const TIMEOUT_MS = 10_000
const STEP_MS = 1000

/** Counts the bytes that a client has sent. */
class CountedSocket extends Socket {
  override bytesRead = 0
}

function start() {
  const clock = new ManualClock()
  const socket = new CountedSocket()
  let timeouts = 0
  socket.on('timeout', () => {
    timeouts += 1
  })
  const idle = new IdleDeadline(socket, new Deadlines(clock, INTERVAL_MS))
  return { clock, socket, idle, timeouts: () => timeouts }
}

it('ends a connection that stays idle, once, and never too early', () => {
  const { clock, socket, timeouts } = start()
  socket.setTimeout(TIMEOUT_MS)
  clock.advance(TIMEOUT_MS - 1)
  expect(timeouts()).toBe(0)
  clock.advance(1 + 2 * INTERVAL_MS)
  expect([timeouts(), clock.pendingTimers]).toEqual([1, 0])
})

it('does not end a connection whose next request has arrived', () => {
  const { clock, socket, timeouts } = start()
  for (let request = 0; request < 3; request += 1) {
    socket.setTimeout(TIMEOUT_MS)
    clock.advance(TIMEOUT_MS - 1)
    socket.setTimeout(0)
  }
  clock.advance(2 * TIMEOUT_MS)
  expect([timeouts(), clock.pendingTimers]).toEqual([0, 0])
})

it('gives a connection more time when a part of the next head has arrived', () => {
  const { clock, socket, timeouts } = start()
  socket.setTimeout(TIMEOUT_MS)
  clock.advance(TIMEOUT_MS - 1)
  socket.bytesRead += 1
  clock.advance(TIMEOUT_MS)
  expect(timeouts()).toBe(0)
  clock.advance(1 + 3 * INTERVAL_MS)
  expect(timeouts()).toBe(1)
})

it('does not start for a closed connection, and stops when the connection closes', () => {
  const { clock, socket, idle, timeouts } = start()
  socket.setTimeout(TIMEOUT_MS)
  idle.cancel()
  socket.destroy()
  socket.setTimeout(TIMEOUT_MS)
  clock.advance(2 * TIMEOUT_MS)
  expect([timeouts(), clock.pendingTimers]).toEqual([0, 0])
})

let harness: ProxyHarness | undefined

afterEach(() => harness?.close())

it('closes an idle HTTP/1 connection after the time of the setting', async () => {
  const clock = new ManualClock()
  harness = await ProxyHarness.start({ clock, limits: { keepAliveTimeoutMs: TIMEOUT_MS } })
  const connection = await RawConnection.open(harness.port)
  await connection.send('GET / HTTP/1.1\r\nHost: unknown\r\n\r\n')
  expect((await connection.readResponse()).status).toBe(404)
  const { proxy } = harness
  let passedMs = 0
  await eventually('the connection is closed', () => {
    clock.advance(STEP_MS)
    passedMs += STEP_MS
    return proxy.connectionCount === 0 ? true : undefined
  })
  expect(passedMs).toBeGreaterThan(TIMEOUT_MS)
  expect((await connection.readToEnd()).length).toBe(0)
  connection.destroy()
})
