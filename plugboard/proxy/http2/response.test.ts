// Responses of a backend that HTTP/2 cannot carry, or carries in another form. They can only break their own exchange, never
// their tunnel or the process.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import type { FakeCall } from '../../../test/support/harness/fake-telephone.ts'
import { harnessRoute, ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { Http2Client } from '../../../test/support/http/http2-client.ts'
import { FRAME, frame } from '../../../test/support/http/http2-frames.ts'
import { RawHttp2 } from '../../../test/support/http/raw-http2.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'

useLeakCheck()

const GET = { ':authority': 'test', ':path': '/' }
const POST = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'test'],
  [':path', '/'],
] as const
const WEBSOCKET = [[':method', 'CONNECT'], [':protocol', 'websocket'], ...POST.slice(1)] as const

async function withHarness(task: (harness: ProxyHarness) => Promise<void>): Promise<void> {
  // Longer than a busy process leaves a connection idle between two steps of a test.
  const harness = await ProxyHarness.start({ http2Cleartext: true, limits: { keepAliveTimeoutMs: 1000 } })
  try {
    await task(harness)
  } finally {
    await harness.close()
  }
}

/** Names and values, alternating. Node 22 refuses to send a repeated field. */
const TWICE = ['ETag', '"a"', 'ETag', '"b"', 'Content-Language', 'de', 'Content-Language', 'en']

const responses: Record<string, (call: FakeCall) => void> = {
  'a status past 599': call => call.respond(999, 'x'),
  'a status past 599 whose response is not complete at once': call => {
    call.stream.respond({ status: 600, statusText: '', fields: [] })
  },
  'repeated fields that HTTP allows only once': call => call.respond(200, 'x', TWICE),
  'the same in trailers': call => {
    call.stream.respond({ status: 200, statusText: '', fields: [] })
    call.stream.end(TWICE.slice(0, 4))
  },
  'the same in a 103': call => {
    call.stream.respond({ status: 103, statusText: '', fields: TWICE })
    call.respond(200, 'x')
  },
}

for (const [name, response] of Object.entries(responses)) {
  it(`${name} affects no other response`, () =>
    withHarness(async harness => {
      const telephone = await harness.telephone()
      const client = new Http2Client(`http://127.0.0.1:${harness.port}`)
      telephone.handler = response
      const first = await client.ask(GET)
      expect(name.includes('599') ? first.status : 502).toBe(502)
      telephone.handler = call => call.respond(200, 'well')
      expect((await client.ask(GET)).body.toString()).toBe('well')
      expect(telephone.session.state).toBe('open')
      expect(harness.proxy.inFlightCount).toBe(0)
      client.close()
    }))
}

it('an upgrade that gets 200 does not look like a WebSocket', () =>
  withHarness(async harness => {
    const telephone = await harness.telephone()
    harness.routes.push(
      harnessRoute({ host: 'fixed', service: 'web', options: { rules: { respond: { body: 'closed' } } } }),
    )
    telephone.handler = call => call.respond(200, 'a page')
    const raw = await (await RawHttp2.open(harness.port)).greet()
    raw.request(1, WEBSOCKET, false)
    await raw.ended(1)
    raw.request(
      3,
      WEBSOCKET.map(([name, value]) => [name, name === ':authority' ? 'fixed' : value] as const),
      false,
    )
    await raw.ended(3)
    expect(harness.accessLog.map(({ status, code }) => [status, code])).toEqual([
      [502, 'backend_protocol_error'],
      [405, 'method_not_allowed'],
    ])
    raw.destroy()
  }))

it('U1 an upgrade with a Content-Length reaches no backend', () =>
  withHarness(async harness => {
    const telephone = await harness.telephone()
    const raw = await (await RawHttp2.open(harness.port)).greet()
    raw.request(1, [...WEBSOCKET, ['content-length', '5']], false)
    await raw.ended(1)
    expect(harness.accessLog[0]?.status).toBe(400)
    expect(telephone.calls).toEqual([])
    raw.destroy()
  }))

it('a request that sends no bytes and no end is complete with its response, and its connection becomes idle', () =>
  withHarness(async harness => {
    const telephone = await harness.telephone()
    telephone.handler = call => call.respond(200, 'x')
    const raw = await (await RawHttp2.open(harness.port)).greet()
    raw.request(1, [...POST, ['content-length', '0']], false)
    await raw.next(each => each.type === FRAME.resetStream && each.payload.readUInt32BE(0) === 0)
    await raw.closed()
  }))

it('P11 a refusal that the client does not read does not keep its connection open', async () => {
  let skippedMs = 0
  const clock = { ...systemClock, now: () => systemClock.now() + skippedMs }
  const harness = await ProxyHarness.start({ http2Cleartext: true, clock })
  const raw = await (await RawHttp2.open(harness.port)).greet()
  const noWindow = Buffer.from([0, 4, 0, 0, 0, 0])
  raw.send(frame(FRAME.settings, 0, 0, noWindow))
  raw.request(1, POST)
  await raw.next(each => each.type === FRAME.headers)
  expect(harness.proxy.inFlightCount).toBe(1)
  skippedMs = 301_000
  expect(await raw.ended(1)).toBe(2)
  await eventually('no request is in flight', () => (harness.proxy.inFlightCount === 0 ? true : undefined))
  skippedMs += 76_000
  await raw.closed()
  await harness.close()
})
