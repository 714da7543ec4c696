// Rows S2 and S6: the limits of one client, so that other clients are served.

import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/deadline.ts'
import { Http2Client, readHttp2Response } from '../../support/http/http2-client.ts'
import { field, RawConnection } from '../../support/http/raw-connection.ts'
import { barrier, edge, get } from './edge.ts'
import type { BackendRequest } from './recording-backend.ts'

const ONE = '127.0.0.2'
const OTHER = '127.0.0.3'
const UPLOAD = 'POST /upload HTTP/1.1\r\nHost: scarce.test\r\nContent-Length: 100000\r\n\r\n'

const open: { destroy(): void }[] = []
afterEach(async () => {
  for (const connection of open.splice(0)) connection.destroy()
  await barrier()
})

async function send(bytes: string, from: string): Promise<RawConnection> {
  const connection = await RawConnection.open(edge.port, '127.0.0.1', from)
  open.push(connection)
  await connection.send(bytes)
  return connection
}

/** Resolves with the requests of this target when the backend has received this number of them. */
function seen(target: string, count: number): Promise<BackendRequest[]> {
  return eventually(`${count} requests of ${target}`, () => {
    const found = edge.backend.requests.filter(request => request.target === target)
    return found.length === count ? found : undefined
  })
}

/** Takes connections of the backend of `scarce`, which has eight of them. */
async function hold(count: number, from: string): Promise<RawConnection[]> {
  const usual = edge.backend.handler
  edge.backend.handler = request => {
    if (request.target !== '/held') usual(request)
  }
  const connections: RawConnection[] = []
  for (let number = 0; number < count; number += 1) {
    connections.push(await send(get('/held', '', 'scarce.test'), from))
  }
  return connections
}

// Other loopback addresses than 127.0.0.1: only Linux has them all.
describe.skipIf(process.platform !== 'linux')('clients', () => {
  it('S6 one client holds a share of the connections of a backend: only its own next request waits', async () => {
    const held = await hold(6, ONE)
    const requests = await seen('/held', 6)
    const waiting = await send(get('/waiting', '', 'scarce.test'), ONE)
    for (let number = 0; number < 4; number += 1) {
      const other = await send(get('/other', '', 'scarce.test'), OTHER)
      expect((await other.readResponse()).status).toBe(200)
    }
    await barrier()
    expect(edge.backend.requests.some(({ target }) => target === '/waiting')).toBe(false)
    requests[0]!.respond(200, 'x')
    expect((await waiting.readResponse()).status).toBe(200)
    expect(held).toHaveLength(6)
  })

  it('S6 one client holds a share of the streams of a service; the next one gets 429 concurrency_limited', async () => {
    edge.backend.handler = () => undefined
    for (let number = 0; number < 3; number += 1) await send(get('/held', '', 'limited.test'), ONE)
    await seen('/held', 3)
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
    for (const fields of ['', upgrade]) {
      const refused = await (await send(get('/more', fields, 'limited.test'), ONE)).readResponse()
      const code = field(refused.headers, 'plugboard-error')
      expect([refused.status, code, field(refused.headers, 'retry-after')]).toEqual([
        429,
        'concurrency_limited',
        '1',
      ])
    }
    await send(get('/other', '', 'limited.test'), OTHER)
    await seen('/other', 1)
  })

  it('S2 while half of the connections are in use, an upload takes one after 64 KiB of it have arrived', async () => {
    await hold(4, OTHER)
    await seen('/held', 4)
    const upload = await send(UPLOAD + 'x'.repeat(65_535), ONE)
    const whole = await send(
      'POST /whole HTTP/1.1\r\nHost: scarce.test\r\nContent-Length: 5\r\n\r\nhello',
      ONE,
    )
    expect((await whole.readResponse()).body.toString()).toBe('POST /whole hello')
    await barrier()
    expect(edge.backend.requests.some(({ target }) => target === '/upload')).toBe(false)
    await upload.send('x')
    await seen('/upload', 1)
    await upload.send('x'.repeat(100_000 - 65_536))
    expect((await upload.readResponse()).status).toBe(200)
  })

  it('S2 while fewer than half are in use, an upload takes one at once', async () => {
    await hold(3, OTHER)
    await seen('/held', 3)
    const upload = await send(`${UPLOAD}x`, ONE)
    await seen('/upload', 1)
    await upload.send('x'.repeat(99_999))
    expect((await upload.readResponse()).status).toBe(200)
  })
})

it('S6 streams of HTTP/2 count too, and behind a trusted proxy they count for the client that the proxy names', async () => {
  edge.backend.handler = () => undefined
  const { port } = edge.tight!
  const clients = [1, 2].map(() => new Http2Client(`http://127.0.0.1:${port}`))
  for (const client of clients) open.push({ destroy: () => client.close() })
  const ask = (path: string, address: string, number: 0 | 1) =>
    clients[number]!.open({ ':authority': 'limited.test', ':path': path, 'x-forwarded-for': address }, true)
  for (let number = 0; number < 3; number += 1) ask('/held', '2001:db8:0:7::1', 0)
  await seen('/held', 3)
  // Another address of the same network, on another connection.
  const refused = await readHttp2Response(ask('/more', '2001:db8:0:7::2', 1))
  expect([refused.status, refused.field('plugboard-error')]).toEqual([429, 'concurrency_limited'])
  ask('/other', '2001:db8:0:8::1', 0)
  await seen('/other', 1)
})
