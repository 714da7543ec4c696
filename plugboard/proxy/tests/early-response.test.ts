// Row R3: a response to a client that is still sending reaches the client, for every way to refuse a request. The client cannot
// hold the connection by sending more bytes.

import { beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../../test/support/harness/use-proxy.ts'
import { field, type RawConnection } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'

useLeakCheck()

let clock: ManualClock
const proxy = useProxy(() => {
  clock = new ManualClock()
  return { clock, http2Cleartext: true }
})

beforeEach(() => {
  proxy.telephone.handler = call => call.respond(403, 'no')
  proxy.harness.routes = [
    harnessRoute({ host: 'test' }),
    harnessRoute({ host: 'absent', service: 'absent' }),
    harnessRoute({ host: 'small', policy: { maxRequestBodyBytes: 1000 } }),
  ]
})

const UPLOAD = Buffer.alloc(10 * 1024 * 1024, 'x')
const UPLOAD_CHUNK = Buffer.concat([
  Buffer.from(`${UPLOAD.length.toString(16)}\r\n`),
  UPLOAD,
  Buffer.from('\r\n'),
])

const post = (host: string, more = `Content-Length: ${UPLOAD.length}\r\n`) =>
  `POST / HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`
const CHUNKED = 'Transfer-Encoding: chunked\r\n'

describe('to a client that reads only once all of its 10 MB are sent', () => {
  it.each([
    ['an unknown host', post('nowhere'), UPLOAD, 404],
    ['an unknown host, in chunks', post('nowhere', CHUNKED), UPLOAD_CHUNK, 404],
    ['a service without a telephone', post('absent'), UPLOAD, 503],
    ['a service without a telephone, in chunks', post('absent', CHUNKED), UPLOAD_CHUNK, 503],
    ['a length over the limit', post('small'), UPLOAD, 413],
    ['chunks over the limit', post('small', CHUNKED), UPLOAD_CHUNK, 413],
    ['a backend that responds early', post('test'), UPLOAD, 403],
    ['a backend that responds early, in chunks', post('test', CHUNKED), UPLOAD_CHUNK, 403],
    [
      'the last request of its connection',
      post('nowhere', `Connection: close\r\nContent-Length: ${UPLOAD.length}\r\n`),
      UPLOAD,
      404,
    ],
    ['two lengths', post('test', 'Content-Length: 1\r\nContent-Length: 2\r\n'), UPLOAD, 400],
    ['a length beside chunks', post('test', `Content-Length: 1\r\n${CHUNKED}`), UPLOAD, 400],
    ['a bare LF', 'POST / HTTP/1.1\nHost: test\n\n', UPLOAD, 400],
    ['a head without an end', 'POST / HTTP/1.1\r\nHost: test\r\nX: ', UPLOAD, 431],
    [
      'a target that is too long',
      `POST /${'a'.repeat(17_000)} HTTP/1.1\r\nHost: test\r\nContent-Length: 10000000\r\n\r\n`,
      UPLOAD,
      414,
    ],
    ['an expectation', post('test', `Expect: more\r\nContent-Length: ${UPLOAD.length}\r\n`), UPLOAD, 417],
    [
      'a 100 that does not come',
      post('nowhere', `Expect: 100-continue\r\nContent-Length: ${UPLOAD.length}\r\n`),
      UPLOAD,
      404,
    ],
    ['a broken chunk', post('nowhere', CHUNKED), Buffer.concat([Buffer.from('x\r\n'), UPLOAD]), 404],
    [
      'a broken chunk to a backend',
      post('test', CHUNKED),
      Buffer.concat([Buffer.from('x\r\n'), UPLOAD]),
      400,
    ],
    ['CONNECT', 'CONNECT test:1 HTTP/1.1\r\nHost: test\r\n\r\n', UPLOAD, 405],
    [
      'an upgrade to an unknown host',
      'GET / HTTP/1.1\r\nHost: nowhere\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
      UPLOAD,
      404,
    ],
    [
      'an upgrade that the backend declines',
      'GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
      UPLOAD,
      403,
    ],
    ['bytes behind a last request', 'GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n', UPLOAD, 403],
  ])('%s', async (_name, head, body, status) => {
    const connection = await proxy.connect()
    connection.socket.pause()
    await connection.send(head)
    await connection.send(body)
    connection.socket.resume()
    const response = await connection.readResponse()
    expect([response.status, field(response.headers, 'connection'), response.complete]).toEqual([
      status,
      'close',
      true,
    ])
    expect((await connection.readToEnd()).length).toBe(0)
    expect(await connection.closed).toBe('fin')
  })

  it.each([
    ['nowhere', 404],
    ['absent', 503],
    ['small', 413],
    ['test', 403],
  ])('over HTTP/2, to %s', async (authority, status) => {
    const client = proxy.http2()
    const head = { ':method': 'POST', ':path': '/', ':authority': authority }
    const responses = await Promise.all(
      Array.from({ length: 8 }, () => client.ask({ ...head, 'content-length': UPLOAD.length }, UPLOAD)),
    )
    expect(responses.map(({ status, code }) => [status, code])).toEqual(responses.map(() => [status, 0]))
    client.close()
  })
})

describe('keeps the connection open for the next request', () => {
  it.each(['nowhere', 'test'])('when little of the upload is left, to %s', async host => {
    const connection = await proxy.connect()
    await connection.send(`${post(host, 'Content-Length: 60000\r\n')}some`)
    const response = await connection.readResponse()
    expect(field(response.headers, 'connection')).toBe('keep-alive')
    proxy.telephone.handler = call => call.respond(200, 'next')
    await connection.send(`${'x'.repeat(60_000 - 4)}GET / HTTP/1.1\r\nHost: test\r\n\r\n`)
    expect((await connection.readResponse()).body.toString()).toBe('next')
  })
})

describe('ends the connection of a client that', () => {
  let neighbour: RawConnection

  beforeEach(async () => {
    neighbour = await proxy.connect()
  })

  /** Waits until the proxy has read all bytes of other connections. Returns the number of other open connections. */
  async function othersOpen(): Promise<number> {
    await neighbour.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
    await neighbour.readResponse()
    return proxy.harness.proxy.connectionCount - 1
  }

  const untilClosed = () =>
    eventually('the connection is closed', () =>
      proxy.harness.proxy.connectionCount === 1 ? true : undefined,
    )

  const UPGRADE = 'Connection: Upgrade\r\nUpgrade: x\r\n\r\n'
  const CASES = [
    ['404', post('nowhere')],
    ['404 in chunks', `${post('nowhere', CHUNKED)}ffffff\r\n`],
    ['404 with a short body', post('nowhere', 'Content-Length: 60000\r\n')],
    ['413', post('small')],
    ['403 of a backend', post('test')],
    ['400', 'POST / HTTP/1.1\nHost: test\n\n'],
    ['400 by two lengths', post('test', 'Content-Length: 1\r\nContent-Length: 2\r\n')],
    ['405 to CONNECT', 'CONNECT test:1 HTTP/1.1\r\nHost: test\r\n\r\n'],
    ['404 to an upgrade', `GET / HTTP/1.1\r\nHost: nowhere\r\n${UPGRADE}`],
    ['403 of a backend to an upgrade', `GET / HTTP/1.1\r\nHost: test\r\n${UPGRADE}`],
  ] as const

  it.each(CASES)('sends a byte now and then behind a %s, after 30 s', async (_name, head) => {
    const connection = await proxy.connect()
    await connection.send(head)
    await connection.readResponse()
    for (let passedMs = 0; passedMs < 27_000; passedMs += 4500) {
      await connection.send('x')
      expect(await othersOpen()).toBe(1)
      clock.advance(4500)
    }
    await connection.send('x')
    expect(await othersOpen()).toBe(1)
    clock.advance(4500)
    await untilClosed()
  })

  it.each(CASES)('sends no further byte behind a %s, after 5 s', async (_name, head) => {
    const connection = await proxy.connect()
    await connection.send(head)
    await connection.readResponse()
    expect(await othersOpen()).toBe(1)
    clock.advance(4000)
    expect(await othersOpen()).toBe(1)
    clock.advance(2000)
    await untilClosed()
  })
})
