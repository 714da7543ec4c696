// Exchanges that the inspector keeps: from the public port to a telephone in memory, in both versions of HTTP.

import type { CapturedExchange } from '@vera-stack/shared/inspect/captured-exchange.ts'
import { describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../../test/support/harness/use-proxy.ts'
import { type RawResponse, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { Inspector } from '../../observe/exchanges/inspector.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import type { InspectRules } from '../../routes/rules/inspect-rules.ts'

useLeakCheck()

let clock: ManualClock
let inspector: Inspector

const proxy = useProxy(() => {
  clock = new ManualClock()
  inspector = new Inspector(clock)
  return { clock, http2Cleartext: true, inspector: { inspector, replicaId: 'r1' } }
})

const HOUR = 3_600_000
const SERVICE = 'id-web'

function inspect(rules: Partial<InspectRules> = {}, policy: Partial<ServicePolicy> = {}): void {
  const until = new Date(clock.wallTime() + HOUR).toISOString()
  const all = { until, sample: 1, maxBodyBytes: 65_536, maskJson: [], ...rules }
  proxy.harness.routes = [harnessRoute({ host: 'test', policy: { ...policy, inspect: all } })]
}

const exchange = (text: string): Promise<RawResponse> =>
  rawExchange(proxy.harness.port, text, text.split(' ')[0])
const get = (path = '/') => exchange(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`)

/** Resolves with all exchanges, once there are so many closed ones. */
const captured = (count = 1): Promise<CapturedExchange[]> =>
  eventually('the exchanges are kept', () => {
    const closed = inspector.ring.ofService(SERVICE).filter(({ open }) => !open)
    return closed.length < count
      ? undefined
      : closed.map(({ id }) => inspector.ring.get(id) as CapturedExchange)
  })
const fieldOf = (fields: [string, string][], name: string) => fields.find(([each]) => each === name)?.[1]

describe('an inspected service', () => {
  it('masks secrets in the reason phrase of a response', async () => {
    const line = {
      at: '2026-12-01T12:00:00.000Z',
      replicaId: 'r1',
      requestId: 'q1',
      method: 'GET',
      host: 'test',
      path: '/',
      status: 0,
      durationMs: 0,
      bytesIn: 0,
      bytesOut: 0,
      remoteAddress: '192.0.2.1',
    }
    const rules = { maxBodyBytes: 10, maskJson: [] }
    const request = { serviceId: SERVICE, rules, scheme: 'http', method: 'GET', target: '/', rawFields: [] }
    const capture = inspector.begin({ ...request, line, replayOf: null })
    capture.responseHead({ status: 403, statusText: 'Wrong token=hunter2', fields: [] })
    capture.finish({ ...line, status: 403 }, [])
    const [kept] = await captured()
    expect(kept?.sent?.statusText).toMatch(/^Wrong token=\*\*\*[0-9a-f]{6}$/)
  })

  it('keeps the request as it was received and the response as it was sent', async () => {
    inspect()
    proxy.telephone.handler = call =>
      void call.ended.then(({ body }) => {
        const fields = [
          'Content-Type',
          'application/json',
          'Set-Cookie',
          'sid=hunter2; Path=/',
          'Connection',
          'close',
        ]
        call.respond(201, `{"ok":true,"token":"hunter2","length":${body.length}}`, fields)
      })
    const body = '{"user":"ada","password":"hunter2"}'
    const head = `POST /a?b=1&key=hunter2 HTTP/1.1\r\nHost: test\r\nX-A: b\r\nAuthorization: Bearer hunter2\r\n`
    const type = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
    const { status, body: received } = await exchange(head + type + body)
    expect([status, received.toString()]).toEqual([201, '{"ok":true,"token":"hunter2","length":35}'])
    const [kept] = await captured()
    expect(kept).toMatchObject({
      open: false,
      replayOf: null,
      scheme: 'http',
      request: {
        service: 'web',
        method: 'POST',
        path: '/a',
        status: 201,
        telephoneId: 'fake',
        replicaId: 'r1',
      },
      received: {
        method: 'POST',
        target: expect.stringMatching(/^\/a\?b=1&key=\*\*\*[0-9a-f]{6}$/),
        body: {
          bytes: 35,
          text: expect.stringMatching(/^\{"user":"ada","password":"\*\*\*[0-9a-f]{6}"\}$/),
          isCut: false,
        },
        trailers: null,
      },
      sent: { status: 201, isLocal: false, body: { bytes: 41, isCut: false } },
      interim: [],
      attempts: [],
    })
    expect(fieldOf(kept!.received.fields, 'X-A')).toBe('b')
    expect(fieldOf(kept!.received.fields, 'X-Forwarded-For')).toBeUndefined()
    expect(fieldOf(kept!.sent!.fields, 'X-Request-ID')).toBe(kept!.request.requestId)
    expect(fieldOf(kept!.sent!.fields, 'Connection')).toBeUndefined()
    expect(fieldOf(kept!.sent!.fields, 'Set-Cookie')).toMatch(/^sid=\*\*\*[0-9a-f]{6}; Path=\/$/)
    expect(JSON.stringify(kept)).not.toContain('hunter2')
  })

  it('keeps 1xx responses and the trailers of both directions', async () => {
    inspect()
    proxy.telephone.handler = call =>
      void call.ended.then(() => {
        call.stream.respond({ status: 103, statusText: '', fields: ['Link', '</a.css>; rel=preload'] })
        call.stream.respond({
          status: 200,
          statusText: 'OK',
          fields: ['Content-Type', 'text/plain', 'Trailer', 'X-T'],
        })
        call.stream.write(Buffer.from('part'))
        call.stream.end(['X-T', 'late', 'X-Token', 'hunter2'])
      })
    const connection = await proxy.send(
      'POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n',
    )
    await connection.readUntil('X-Token')
    const [kept] = await captured()
    expect(kept).toMatchObject({
      received: { body: { bytes: 3, text: 'abc' }, trailers: [['X-Sum', '9']] },
      interim: [{ status: 103, fields: [['Link', '</a.css>; rel=preload']] }],
      sent: {
        body: { text: 'part' },
        trailers: [
          ['X-T', 'late'],
          ['X-Token', expect.stringMatching(/^\*\*\*/)],
        ],
      },
    })
  })

  it('cuts bodies at maxBodyBytes, and keeps their length', async () => {
    inspect({ maxBodyBytes: 10 })
    proxy.telephone.handler = call =>
      void call.ended.then(() => call.respond(200, 'r'.repeat(50_000), ['Content-Type', 'text/plain']))
    await exchange(`POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 30000\r\n\r\n${'q'.repeat(30_000)}`)
    const [kept] = await captured()
    expect(kept?.received.body).toEqual({ bytes: 30_000, text: 'q'.repeat(10), isCut: true, omitted: null })
    expect(kept?.sent?.body).toEqual({ bytes: 50_000, text: 'r'.repeat(10), isCut: true, omitted: null })
    expect(kept?.request.bytesOut).toBe(50_000)
  })

  it('keeps a response of Plugboard itself, and the failed attempts', async () => {
    inspect({}, { retries: 0 })
    proxy.telephone.handler = call => call.stream.reset('backend_unreachable')
    expect((await get()).status).toBe(502)
    proxy.harness.changeLines('instance-1', { health: 'down' })
    expect((await get()).status).toBe(503)
    const [failed, refused] = await captured(2)
    expect(failed).toMatchObject({
      sent: { status: 502, isLocal: true, body: { text: expect.stringContaining('backend_unreachable') } },
      attempts: [{ telephone: 'fake', code: 'backend_unreachable' }],
      request: { code: 'backend_unreachable' },
    })
    expect(refused?.sent).toMatchObject({ status: 503, isLocal: true })
  })

  it('keeps a request that the rules of the route refuse', async () => {
    inspect()
    const [route] = proxy.harness.routes
    proxy.harness.routes = [
      { ...route!, options: { ...route!.options, rules: { access: { deny: ['127.0.0.0/8'] } } } },
    ]
    expect((await get()).status).toBe(403)
    expect((await captured())[0]).toMatchObject({
      sent: { status: 403, isLocal: true },
      request: { code: 'address_denied' },
    })
  })

  it('shows an event stream at its head, and its end later, without its body', async () => {
    inspect()
    const connection = await proxy.send('GET /events HTTP/1.1\r\nHost: test\r\n\r\n')
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 200, statusText: '', fields: ['Content-Type', 'text/event-stream'] })
    call.stream.write(Buffer.from('data: hunter2\n\n'))
    await connection.readUntil('hunter2')
    const [open] = inspector.ring.ofService(SERVICE)
    expect(open).toMatchObject({ open: true, request: { status: 200, path: '/events' } })
    call.stream.end()
    const [kept] = await captured()
    expect(kept).toMatchObject({ id: open?.id, sent: { body: { bytes: 15, text: null, omitted: 'stream' } } })
    expect(inspector.ring.size).toBe(1)
  })

  it('keeps the heads of a WebSocket', async () => {
    inspect()
    const connection = await proxy.send(
      'GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    )
    const call = await proxy.telephone.nextCall()
    call.stream.respond({
      status: 101,
      statusText: '',
      fields: ['Connection', 'Upgrade', 'Upgrade', 'websocket'],
    })
    await connection.readUntil('\r\n\r\n')
    expect(inspector.ring.ofService(SERVICE)).toMatchObject([{ open: true, request: { status: 101 } }])
    connection.destroy()
    call.stream.end()
    const [kept] = await captured()
    expect(kept?.sent).toMatchObject({ status: 101, body: null })
    expect(fieldOf(kept!.received.fields, 'Sec-WebSocket-Key')).toMatch(/^\*\*\*/)
  })

  it('keeps requests over HTTP/2', async () => {
    inspect()
    proxy.telephone.handler = call =>
      void call.ended.then(() => call.respond(200, 'x', ['Content-Type', 'text/plain']))
    const response = await proxy.http2().ask({ ':path': '/h2', ':authority': 'test', cookie: 'a=hunter2' })
    expect(response.status).toBe(200)
    const [kept] = await captured()
    expect(kept).toMatchObject({
      request: { protocol: 'h2', path: '/h2' },
      received: { target: '/h2' },
      sent: { body: { text: 'x' } },
    })
    expect(JSON.stringify(kept)).not.toContain('hunter2')
  })
})

describe('the end of an inspector', () => {
  it('keeps no exchange without rules, after their end, and with an end that is too far away', async () => {
    proxy.telephone.handler = call => call.respond(200)
    await get()
    inspect()
    clock.advance(HOUR)
    await get()
    inspect({ until: new Date(clock.wallTime() + 25 * HOUR).toISOString() })
    await get()
    inspect()
    await get('/last')
    expect((await captured()).map(({ request }) => request.path)).toEqual(['/last'])
  })

  it('removes exchanges after 24 h', async () => {
    inspect()
    proxy.telephone.handler = call => call.respond(200)
    await get()
    await captured()
    clock.advance(24 * HOUR + 600_000)
    expect(inspector.ring.size).toBe(0)
  })

  it('captures the part of the requests that the sample states', async () => {
    inspect({ sample: 0.3 })
    proxy.telephone.handler = call => call.respond(200)
    for (let count = 0; count < 200; count += 1) await get()
    const { size } = inspector.ring
    expect(size).toBeGreaterThan(20)
    expect(size).toBeLessThan(120)
  })

  it('captures at most 200 requests in a second, and masks at most 2 MiB', async () => {
    inspect({ maxBodyBytes: 262_144 })
    const text = 'r'.repeat(300_000)
    proxy.telephone.handler = call =>
      call.respond(200, call.opening.target === '/large' ? text : '', ['Content-Type', 'text/plain'])
    for (let count = 0; count < 9; count += 1) await get('/large')
    const kept = (await captured(9)).map(({ sent }) => sent?.body?.omitted)
    expect(kept.filter(omitted => omitted === null)).toHaveLength(8)
    expect(kept.filter(omitted => omitted === 'rate')).toHaveLength(1)
    for (let count = 0; count < 250; count += 1) await get()
    inspector.ring.clear()
    await get('/late')
    expect(inspector.ring.size).toBe(0)
    clock.advance(1000)
    await get('/next')
    expect((await captured()).map(({ request }) => request.path)).toEqual(['/next'])
  })

  it('frees the memory of exchanges in flight', async () => {
    inspect()
    proxy.telephone.handler = call => void call.ended.then(() => call.respond(200, 'y'.repeat(5000)))
    await exchange(`POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 30000\r\n\r\n${'q'.repeat(30_000)}`)
    await captured()
    let begun = false
    proxy.telephone.handler = () => {
      begun = true
    }
    const aborted = await proxy.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 30000\r\n\r\nabc')
    await eventually('the request has begun', () => (begun ? true : undefined))
    aborted.destroy()
    await captured(2)
    inspector.ring.clear()
    expect(inspector.ring.bytes).toBe(0)
  })
})
