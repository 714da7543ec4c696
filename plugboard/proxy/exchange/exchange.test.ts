// Rows R1-R12, S1-S5 and the proxy's own responses: one exchange from the client's socket to the telephone's stream, step by step.
// ../edge-rows.test.ts has the rows without steps.

import { once } from 'node:events'
import { ERRORS } from '@vera-stack/shared/errors.ts'
import { describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { harnessRoute, ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../../test/support/harness/use-proxy.ts'
import { field, RawConnection, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'

useLeakCheck()

const proxy = useProxy()

const H = 'Host: test\r\n'

const get = (more = ''): Promise<RawConnection> => proxy.send(`GET / HTTP/1.1\r\n${H}${more}\r\n`)

function withPolicy(policy: Parameters<typeof harnessRoute>[0]['policy']): void {
  proxy.harness.routes = [harnessRoute({ host: 'test', policy: policy ?? {} })]
}

describe('responses', () => {
  it('R1 a Transfer-Encoding that a Telephone sends is removed', async () => {
    proxy.telephone.handler = call => call.respond(200, 'x', ['Transfer-Encoding', 'gzip'])
    const response = await (await get()).readResponse()
    expect(field(response.headers, 'transfer-encoding')).toBeUndefined()
    expect(response.body.toString()).toBe('x')
  })

  it('requests that were pipelined before a drain all get their responses, and the last one closes the connection', async () => {
    const connection = await proxy.send(`GET /1 HTTP/1.1\r\n${H}\r\nGET /2 HTTP/1.1\r\n${H}\r\n`)
    const calls = [await proxy.telephone.nextCall(), await proxy.telephone.nextCall()]
    proxy.harness.proxy.leave()
    for (const call of calls) call.respond(200, 'done')
    const responses = [await connection.readResponse(), await connection.readResponse()]
    expect(responses.map(({ headers, body }) => [body.toString(), field(headers, 'connection')])).toEqual([
      ['done', 'keep-alive'],
      ['done', 'close'],
    ])
    expect((await connection.readToEnd()).length).toBe(0)
  })

  it('keeps the reason phrase', async () => {
    proxy.telephone.handler = call => call.respond(299, '', [], 'Rather Fine')
    expect((await (await get()).readResponse()).statusText).toBe('Rather Fine')
  })

  it('R2 a stream that is lost within a chunked body leaves the body unterminated', async () => {
    const connection = await get()
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 200, statusText: '', fields: [] })
    call.stream.write(Buffer.from('part'))
    await connection.readUntil('part\r\n')
    proxy.telephone.cut()
    expect((await connection.readToEnd()).toString()).toBe('')
    await eventually('it is logged', () =>
      proxy.harness.accessLog.find(line => line.code === 'telephone_lost'),
    )
    expect(proxy.harness.proxy.counters.truncated).toBe(1)
  })

  it('R2 a reset in a body with a length', async () => {
    const connection = await get()
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 200, statusText: '', fields: ['Content-Length', '10'] })
    call.stream.write(Buffer.from('part'))
    await connection.readUntil('part')
    call.stream.reset('backend_closed')
    expect((await connection.readToEnd()).length).toBe(0)
  })

  it('R2 for HTTP/1.0 the connection is reset, not closed', async () => {
    const connection = await proxy.send(`GET / HTTP/1.0\r\n${H}\r\n`)
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 200, statusText: '', fields: [] })
    call.stream.write(Buffer.from('part'))
    await connection.readUntil('part')
    call.stream.reset('backend_closed')
    expect(await connection.closed).toBe('reset')
  })

  it.each([
    ['too short', '10', 'part', 502],
    ['too long', '2', 'part', 502],
    ['no number', 'x', 'part', 502],
  ])('R2, R8 a length that is %s', async (_what, length, body, status) => {
    proxy.telephone.handler = call => call.respond(200, body, ['Content-Length', length])
    const response = await (await get()).readResponse()
    expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([
      status,
      'backend_protocol_error',
    ])
  })

  it('R8 two lengths', async () => {
    proxy.telephone.handler = call => call.respond(200, 'x', ['Content-Length', '1', 'Content-Length', '1'])
    expect((await (await get()).readResponse()).status).toBe(502)
  })

  it('R8 bytes past the length never reach the client', async () => {
    const connection = await get()
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 200, statusText: '', fields: ['Content-Length', '4'] })
    call.stream.write(Buffer.from('body'))
    expect((await connection.readResponse()).body.toString()).toBe('body')
    call.stream.write(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))
    expect((await connection.readToEnd()).toString()).toBe('')
  })

  it.each([
    ['a field value', ['X', 'a\x01b'], 200, ''],
    ['a field name', ['X Y', 'a'], 200, ''],
    ['a reason phrase', [], 200, 'a\x01b'],
  ])('R8 %s that is not HTTP', async (_what, fields, status, statusText) => {
    proxy.telephone.handler = call => call.respond(status, 'x', fields, statusText)
    expect((await (await get()).readResponse()).status).toBe(502)
    const streaming = await get()
    proxy.telephone.handler = call => call.stream.respond({ status, statusText, fields })
    expect((await streaming.readResponse()).status).toBe(502)
    expect((await (await get()).readResponse()).status).toBe(502)
  })

  it('a 101 to a request without Upgrade', async () => {
    proxy.telephone.handler = call => call.stream.respond({ status: 101, statusText: '', fields: [] })
    expect((await (await get()).readResponse()).status).toBe(502)
  })

  it('R5 103 is relayed, and a failure after it gets 502', async () => {
    withPolicy({ retries: 2 })
    const connection = await get()
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 103, statusText: '', fields: ['Link', '</a>', 'Connection', 'x'] })
    const hints = await connection.readHead()
    expect([hints.status, hints.headers]).toEqual([103, [['Link', '</a>']]])
    proxy.telephone.cut()
    expect((await connection.readResponse()).status).toBe(502)
  })

  it('R9 each chunk is sent at once', async () => {
    const connection = await get()
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 200, statusText: '', fields: ['Content-Type', 'text/event-stream'] })
    expect(field((await connection.readHead()).headers, 'transfer-encoding')).toBe('chunked')
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      call.stream.write(Buffer.from(event))
      await connection.readUntil(`${event}\r\n`)
    }
    call.stream.end()
    await connection.readUntil('0\r\n\r\n')
  })

  it('R11 a client that disconnects ends the stream', async () => {
    const connection = await get()
    const call = await proxy.telephone.nextCall()
    connection.reset()
    expect((await call.aborted).reason).toBe('cancelled')
    expect(proxy.harness.accessLog).toMatchObject([{ status: 499 }])
    expect(proxy.harness.proxy.counters.clientAborts).toBe(1)
  })
})

describe('uploads', () => {
  it('streams both ways at once', async () => {
    const connection = await proxy.send(`POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n`)
    const call = await proxy.telephone.nextCall()
    await call.untilReceived(1)
    call.stream.respond({ status: 200, statusText: '', fields: [] })
    call.stream.write(Buffer.from('A'))
    await connection.readUntil('1\r\nA\r\n')
    await connection.send('1\r\nb\r\n0\r\n\r\n')
    expect((await call.ended).body.toString()).toBe('ab')
    call.stream.end()
    await connection.readUntil('0\r\n\r\n')
  })

  it('R3 a response before the end of the upload is relayed, the upload is cancelled, and the connection stays usable', async () => {
    const connection = await proxy.send(`POST / HTTP/1.1\r\n${H}Content-Length: 10\r\n\r\nabc`)
    const call = await proxy.telephone.nextCall()
    await call.untilReceived(3)
    call.respond(403, 'no')
    expect((await connection.readResponse()).status).toBe(403)
    expect((await call.aborted).reason).toBe('cancelled')
    proxy.telephone.handler = next => next.respond(200, 'next')
    await connection.send(`defghij${'GET / HTTP/1.1\r\n'}${H}\r\n`)
    expect((await connection.readResponse()).body.toString()).toBe('next')
  })

  it('R3 a refused upload gets its response, and the next request gets another one', async () => {
    for (let count = 0; count < 20; count += 1) {
      const connection = await proxy.connect()
      const body = 'x'.repeat(60_000)
      void connection.send(
        `POST / HTTP/1.1\r\nHost: nowhere\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      const refused = await connection.readResponse()
      expect([refused.status, field(refused.headers, 'connection')]).toEqual([404, 'keep-alive'])
      proxy.telephone.handler = next => next.respond(200, 'next')
      await connection.send(`GET / HTTP/1.1\r\n${H}\r\n`)
      expect((await connection.readResponse()).body.toString()).toBe('next')
      connection.destroy()
    }
  })

  it('R3 an upload whose early response closes the connection is read to its end, not reset', async () => {
    proxy.telephone.handler = call => call.respond(403, 'no')
    for (const [host, status] of [
      ['test', 403],
      ['nowhere', 404],
    ] as const) {
      const connection = await proxy.send(
        `POST / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Length: 500000\r\n\r\n`,
      )
      const errors: Error[] = []
      connection.socket.on('error', error => errors.push(error))
      const closed = once(connection.socket, 'close')
      expect((await connection.readResponse()).status).toBe(status)
      expect(await connection.closed).toBe('fin')
      for (let count = 0; count < 5; count += 1) {
        await connection.send('x'.repeat(100_000))
        // A reset would follow the chunk before.
        await eventually('it is read', () => (connection.socket.writableLength === 0 ? true : undefined))
      }
      connection.end()
      await closed
      expect(errors).toEqual([])
    }
  })

  it.each(['test', 'nowhere'])(
    'R3 one whose rest breaks its framing, to %s: one response, then the end',
    async host => {
      proxy.telephone.handler = call => call.respond(403, 'no')
      const connection = await proxy.send(
        `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n`,
      )
      const response = await connection.readResponse()
      expect([response.status, field(response.headers, 'connection')]).toEqual([
        host === 'test' ? 403 : 404,
        'close',
      ])
      await connection.send('0\r\nTransfer-Encoding: chunked\r\n\r\n')
      expect((await connection.readToEnd()).length).toBe(0)
    },
  )

  it('R3 an upload whose framing breaks after the response was sent gets 400, then the connection closes', async () => {
    const connection = await proxy.send(`POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n`)
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 200, statusText: '', fields: ['Content-Length', '2'] })
    await connection.readUntil('\r\n\r\n')
    call.stream.write(Buffer.from('ok'))
    call.stream.end()
    expect((await connection.readBytes(2)).toString()).toBe('ok')
    await connection.send('0\r\nTransfer-Encoding: chunked\r\n\r\n')
    expect((await connection.readResponse()).status).toBe(400)
    await connection.closed
  })

  it.each([
    ['unrouted', 'nowhere', 404],
    ['over its rate', 'test', 429],
  ])('R4 no bytes are parsed behind a final response to an expectation: %s', async (_name, host, status) => {
    withPolicy({ maxRequestsPerSecond: 1 })
    proxy.telephone.handler = call => call.respond(200)
    expect((await (await get()).readResponse()).status).toBe(200)
    const expecting = `POST / HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc`
    const connection = await proxy.send(`${expecting}GET /hidden HTTP/1.1\r\n${H}\r\n`)
    const response = await connection.readResponse()
    expect([response.status, field(response.headers, 'connection')]).toEqual([status, 'close'])
    await connection.closed
    expect(proxy.telephone.calls.length).toBe(1)
  })

  it('R4 100 is sent only when the backend accepts the body', async () => {
    const connection = await proxy.send(
      `POST / HTTP/1.1\r\n${H}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`,
    )
    const call = await proxy.telephone.nextCall()
    expect(call.field('expect')).toBe('100-continue')
    call.stream.respond({ status: 100, statusText: '', fields: [] })
    expect((await connection.readHead()).status).toBe(100)
    await connection.send('abc')
    expect((await call.ended).body.toString()).toBe('abc')
    call.respond(200, 'x')
    expect((await connection.readResponse()).status).toBe(200)
  })

  it('R7 trailers that are too large for the far end are refused, and affect no other request', async () => {
    proxy.telephone.cut()
    const small = await proxy.harness.telephone(['web'], { maxFrameBytes: 16_384 })
    small.handler = call => call.ended.then(() => call.respond(200, 'x')).catch(() => undefined)
    const head = `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n`
    const connection = await proxy.send(`${head}X-A: ${'y'.repeat(20_000)}\r\n\r\n`)
    expect((await connection.readResponse()).status).toBe(431)
    expect(proxy.harness.proxy.inFlightCount).toBe(0)
    await connection.send(`${head}X-A: y\r\n\r\n`)
    expect((await connection.readResponse()).status).toBe(200)
  })

  it('R4 only the first of repeated 100 responses is relayed', async () => {
    const connection = await proxy.send(
      `POST / HTTP/1.1\r\n${H}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`,
    )
    const call = await proxy.telephone.nextCall()
    for (let said = 0; said < 3; said += 1) call.stream.respond({ status: 100, statusText: '', fields: [] })
    call.respond(200, 'x')
    expect([(await connection.readHead()).status, (await connection.readHead()).status]).toEqual([100, 200])
  })

  it('R4 a final response instead of 100 is relayed, and the connection closes', async () => {
    const connection = await proxy.send(
      `POST / HTTP/1.1\r\n${H}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`,
    )
    ;(await proxy.telephone.nextCall()).respond(401, 'no')
    const head = await connection.readHead()
    expect([head.status, field(head.headers, 'connection')]).toEqual([401, 'close'])
    await connection.readToEnd()
  })

  it('R4 a 100 that the client did not ask for is not relayed', async () => {
    proxy.telephone.handler = call => {
      call.stream.respond({ status: 100, statusText: '', fields: [] })
      call.respond(200, 'x')
    }
    expect((await (await get()).readHead()).status).toBe(200)
  })

  it('R12 a stalled reader of the upload stops the client from sending', async () => {
    const connection = await proxy.send(`POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n`)
    const call = await proxy.telephone.nextCall()
    call.autoConsume = false
    // The stream is accepted, so a whole window is in transit from here on.
    call.stream.respond({ status: 103, statusText: 'Early Hints', fields: [] })
    const chunk = Buffer.from(`100000\r\n${'x'.repeat(0x100000)}\r\n`)
    for (let sent = 0; sent < 32; sent += 1) void connection.send(chunk)
    await call.untilReceived(262_144)
    await eventually('the client waits', () => (connection.socket.writableLength > 0 ? true : undefined))
    expect(call.receivedBytes).toBeLessThanOrEqual(262_144)
    call.autoConsume = true
    call.stream.consume(call.receivedBytes)
    await call.untilReceived(32 * 0x100000)
    await connection.send('0\r\n\r\n')
    await call.ended
    call.respond(200)
    await connection.readResponse()
  })

  it.each([
    ['by its length', 'Content-Length: 11\r\n\r\n'],
    ['while it arrives', 'Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\nabcde\r\n'],
  ])('a body over the limit of its service, %s', async (_how, bytes) => {
    withPolicy({ maxRequestBodyBytes: 10 })
    const connection = await proxy.send(`POST / HTTP/1.1\r\n${H}${bytes}`)
    expect((await connection.readResponse()).status).toBe(413)
    for (const call of proxy.telephone.calls) expect((await call.aborted).reason).toBe('payload_too_large')
  })
})

describe('slowness', () => {
  it('S1 headers that do not arrive', async () => {
    await proxy.restart({ limits: { headTimeoutMs: 40 } })
    const connection = await proxy.send('GET / HTTP/1.1\r\nHost')
    expect((await connection.readResponse()).status).toBe(408)
    await connection.readToEnd()
  })

  it('S2 a body that does not arrive', async () => {
    await proxy.restart({ limits: { bodyIdleTimeoutMs: 30 } })
    const connection = await proxy.send(`POST / HTTP/1.1\r\n${H}Content-Length: 10\r\n\r\nabc`)
    const response = await connection.readResponse()
    expect([response.status, field(response.headers, 'connection')]).toEqual([408, 'close'])
    expect((await (await proxy.telephone.nextCall()).aborted).reason).toBe('cancelled')
    await connection.readToEnd()
  })

  it('S3 a response head that does not arrive in time', async () => {
    withPolicy({ responseHeadTimeoutMs: 30 })
    const response = await (await get()).readResponse()
    expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([504, 'backend_timeout'])
    // The Telephone logs the time limit as the cause.
    const detail = 'The backend sent no response head within 0.03 s (responseHeadTimeoutMs of the service).'
    expect(await (await proxy.telephone.nextCall()).aborted).toMatchObject({
      reason: 'backend_timeout',
      detail,
    })
    expect(proxy.harness.accessLog).toMatchObject([
      { code: 'backend_timeout', cause: 'response_timeout', detail },
    ])
  })

  it('a response that stalls is aborted', async () => {
    withPolicy({ idleTimeoutMs: 30 })
    proxy.telephone.handler = call => call.stream.respond({ status: 200, statusText: '', fields: [] })
    const connection = await get()
    expect((await connection.readHead()).status).toBe(200)
    expect((await connection.readToEnd()).toString()).toBe('')
    expect(await proxy.telephone.calls[0]?.aborted).toMatchObject({
      reason: 'backend_timeout',
      detail:
        'The backend sent no further byte of its response within 0.03 s (idleTimeoutMs of the service).',
    })
    expect(proxy.harness.accessLog).toMatchObject([
      { status: 200, code: 'backend_timeout', cause: 'response_timeout' },
    ])
  })

  it('S4 a stalled reader stops only its own stream', async () => {
    const stalled = await get()
    stalled.socket.pause()
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 200, statusText: '', fields: [] })
    const chunk = Buffer.alloc(1 << 20)
    let sent = 0
    while (sent < 64 && call.stream.write(chunk)) sent += 1
    proxy.telephone.handler = next => next.respond(200, 'swift')
    expect((await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\n${H}\r\n`)).body.toString()).toBe(
      'swift',
    )
    expect(sent).toBeLessThan(64)
    stalled.socket.resume()
    await call.untilWritable()
  })

  it('a client that reads no byte is disconnected at the idle timeout', async () => {
    withPolicy({ idleTimeoutMs: 50 })
    const stalled = await get()
    stalled.socket.pause()
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 200, statusText: '', fields: [] })
    for (let sent = 0; sent < 16; sent += 1) call.stream.write(Buffer.alloc(1 << 20))
    // `backend_timeout` occurs when the machine was busy for 50 ms before the first byte reached the client.
    expect((await call.aborted).reason).toMatch(/^(cancelled|backend_timeout)$/)
    await eventually('no request is in flight', () =>
      proxy.harness.proxy.inFlightCount === 0 ? true : undefined,
    )
  })

  it('S5 connections over the limit are refused when they are accepted', async () => {
    await proxy.restart({ limits: { maxConnections: 1 } })
    const first = await proxy.connect()
    const second = await proxy.connect()
    await second.closed
    expect(proxy.harness.proxy.counters.connectionsRefused).toBe(1)
    first.destroy()
    second.destroy()
  })
})

describe('responses of the proxy itself', () => {
  it.each([
    ['route_not_found', 404, 'Host: elsewhere\r\n'],
    ['no_telephone', 503, 'Host: lonely\r\n'],
  ])('%s', async (code, status, host) => {
    proxy.harness.routes.push(harnessRoute({ host: 'lonely', service: 'lonely' }))
    const response = await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\n${host}\r\n`)
    expect(response.status).toBe(status)
    expect(field(response.headers, 'content-type')).toBe('application/problem+json')
    expect(field(response.headers, 'plugboard-error')).toBe(code)
    expect(field(response.headers, 'retry-after') !== undefined).toBe(code === 'no_telephone')
    const requestId = field(response.headers, 'x-request-id')
    expect(JSON.parse(response.body.toString())).toMatchObject({ status, code, requestId })
    expect(proxy.harness.accessLog).toMatchObject([{ status, code, requestId }])
  })

  it.each([
    ['a known cause', 'tls_self_signed', 'The certificate of the backend of this service is self-signed.'],
    ['a cause of a newer version', 'something_new', ERRORS.backend_unreachable.meaning],
    ['no cause', undefined, ERRORS.backend_unreachable.meaning],
  ])(
    'with %s: the access line has the words of the Telephone, the response has not',
    async (_, cause, meaning) => {
      const words = 'Backend https://10.0.0.7:3443 has a self-signed certificate.'
      proxy.telephone.handler = call => call.stream.reset('backend_unreachable', words, cause)
      const response = await (await get()).readResponse()
      expect(response.status).toBe(502)
      expect(JSON.parse(response.body.toString())).toMatchObject({
        code: 'backend_unreachable',
        detail: meaning,
      })
      expect(response.body.toString()).not.toContain('10.0.0.7')
      expect(proxy.harness.accessLog).toMatchObject([
        { status: 502, code: 'backend_unreachable', cause, detail: words, mount: 'test', service: 'web' },
      ])
    },
  )

  it('has a duration, the mount and the service of its route in its access line', async () => {
    const clock = new ManualClock()
    const slow = await ProxyHarness.start({
      // The check of the memory takes 25 ms.
      overloaded: () => {
        clock.advance(25)
        return true
      },
      clock,
    })
    slow.routes = [harnessRoute({ host: 'test', mountPath: '/api', service: 'shop' })]
    await rawExchange(slow.port, 'GET /api/x HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n')
    expect(slow.accessLog).toMatchObject([
      { status: 503, code: 'overloaded', durationMs: 25, mount: 'test/api', service: 'shop' },
    ])
    await slow.close()
  })

  it('a service whose health check fails is not reported as one without a Telephone', async () => {
    proxy.harness.routes.push(harnessRoute({ host: 'sick', service: 'sick' }))
    const detail = '/healthz returned 500'
    const outage = { sinceMs: Date.UTC(2026, 10, 30, 2, 41), cause: 'health_check_failed', detail }
    await proxy.harness.telephone(['sick'])
    for (const line of [...proxy.harness.registry.linesOf('sick')])
      proxy.harness.registry.replace(line.tunnelId, [{ ...line, health: 'down', outage }])
    const response = await rawExchange(proxy.harness.port, 'GET / HTTP/1.1\r\nHost: sick\r\n\r\n')
    const { service_unhealthy: row } = ERRORS
    expect([response.status, field(response.headers, 'retry-after')]).toEqual([503, '2'])
    expect(JSON.parse(response.body.toString())).toMatchObject({
      code: 'service_unhealthy',
      detail: row.meaning,
    })
    expect(proxy.harness.accessLog).toMatchObject([
      {
        cause: 'health_check_failed',
        detail: `health check has failed since 2026-11-30T02:41:00Z: ${detail}`,
      },
    ])
  })

  it('a page for clients that prefer HTML, without any text from the request', async () => {
    const response = await rawExchange(
      proxy.harness.port,
      'GET /<script> HTTP/1.1\r\nHost: x\r\nX-Request-ID: "><b>\r\nAccept: text/html,*/*;q=0.8\r\n\r\n',
    )
    expect(field(response.headers, 'content-type')).toBe('text/html; charset=utf-8')
    expect(response.body.toString()).not.toMatch(/script|<b>/)
  })

  it('HEAD gets only the head', async () => {
    const connection = await proxy.send(
      'HEAD / HTTP/1.1\r\nHost: elsewhere\r\n\r\nGET / HTTP/1.1\r\nHost: elsewhere\r\n\r\n',
    )
    expect((await connection.readResponse('HEAD')).status).toBe(404)
    expect((await connection.readResponse()).status).toBe(404)
  })

  it.each(['/_plugboard', '/_plugboard/', '/_plugboard/x', '/_plugboard/tunnel/x', '/x/../_plugboard/y'])(
    '%s is ours on every host',
    async path => {
      expect((await rawExchange(proxy.harness.port, `GET ${path} HTTP/1.1\r\n${H}\r\n`)).status).toBe(404)
      expect(proxy.telephone.calls).toHaveLength(0)
    },
  )

  it('/_plugboard/instance names this Plugboard on every host, for GET and HEAD', async () => {
    const path = '/_plugboard/instance'
    const { port } = proxy.harness
    const response = await rawExchange(port, `GET ${path} HTTP/1.1\r\nHost: elsewhere\r\n\r\n`)
    expect(response.status).toBe(200)
    expect(JSON.parse(response.body.toString())).toEqual({ instance: expect.any(String) })
    const post = `POST ${path} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n`
    expect((await rawExchange(port, post)).status).toBe(404)
    expect(proxy.telephone.calls).toHaveLength(0)
  })

  it('/_plugboardx is not reserved', async () => {
    proxy.telephone.handler = call => call.respond(200)
    expect((await rawExchange(proxy.harness.port, `GET /_plugboardx HTTP/1.1\r\n${H}\r\n`)).status).toBe(200)
  })

  it('the tunnel address accepts only WebSocket', async () => {
    const response = await rawExchange(
      proxy.harness.port,
      'GET /_plugboard/tunnel HTTP/1.1\r\nHost: x\r\n\r\n',
    )
    expect([response.status, field(response.headers, 'upgrade')]).toEqual([426, 'websocket'])
  })

  it('overloaded', async () => {
    await proxy.restart({ overloaded: () => true })
    const response = await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\n${H}\r\n`)
    expect([response.status, field(response.headers, 'retry-after')]).toEqual([503, '1'])
  })
})

describe('leaving', () => {
  it('keeps serving, even new connections, and closes each one after its response', async () => {
    proxy.telephone.handler = call => call.respond(200, 'x')
    const kept = await get()
    await kept.readResponse()
    proxy.harness.proxy.leave()
    await kept.send(`GET / HTTP/1.1\r\n${H}\r\n`)
    for (const connection of [kept, await get()]) {
      const { status, headers } = await connection.readResponse()
      expect([status, field(headers, 'connection')]).toEqual([200, 'close'])
      await connection.closed
    }
  })
})

describe('drain', () => {
  it('waits for responses, closes their connections and the idle ones', async () => {
    proxy.telephone.handler = call => call.respond(200, 'x')
    const idle = await get()
    await idle.readResponse()
    proxy.telephone.handler = undefined
    const busy = await get()
    const call = await proxy.telephone.nextCall()
    const drained = proxy.harness.proxy.drain(10_000)
    await idle.closed
    call.respond(200, 'late')
    const response = await busy.readResponse()
    expect([response.body.toString(), field(response.headers, 'connection')]).toEqual(['late', 'close'])
    await drained
    await expect(RawConnection.open(proxy.harness.port)).rejects.toThrow('ECONNREFUSED')
  })

  it('closes a connection whose response had started before', async () => {
    const busy = await get()
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 200, statusText: '', fields: [] })
    await busy.readHead()
    const drained = proxy.harness.proxy.drain(10_000)
    call.stream.end()
    await busy.readUntil('0\r\n\r\n')
    await drained
  })

  it('destroys the remaining connections after the grace period', async () => {
    const busy = await get()
    const call = await proxy.telephone.nextCall()
    await proxy.harness.proxy.drain(20)
    expect((await call.aborted).reason).toBe('cancelled')
    await busy.closed
  })
})
