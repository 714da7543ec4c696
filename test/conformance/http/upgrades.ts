// Rows U1-U5: connections that start as HTTP and continue as plain bytes. rows/upgrades.ts has the upgrades that stay plain
// HTTP.

import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { eventually } from '../../support/deadline.ts'
import { field, RawConnection } from '../../support/http/raw-connection.ts'
import { patternBytes, patternHash } from '../../support/pattern.ts'
import { ask, BARRIER, barrier, edge, get, HOST } from './edge.ts'
import type { BackendRequest } from './recording-backend.ts'

const KEY = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const asks = (protocol = 'websocket', host = 'edge.test') =>
  get('/ws', `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n${KEY}`, host)
const switchTo = (protocol: string) =>
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, X-Secret\r\nUpgrade: ${protocol}\r\n`
const SWITCH = switchTo('websocket')

/** Accepts every upgrade and echoes further bytes. */
function takeAndEcho(request: BackendRequest): void {
  const { connection } = request
  connection.becomeRaw()
  request.say(`${SWITCH}\r\n`)
  connection.socket.on('data', chunk => connection.socket.write(chunk))
  connection.socket.on('end', () => connection.socket.end())
}

/** Resolves with an upgraded connection. `handler` controls its other end. */
async function open(handler = takeAndEcho, host = 'edge.test'): Promise<RawConnection> {
  edge.backend.handler = handler
  const connection = await RawConnection.open(edge.port)
  await connection.send(asks('websocket', host))
  expect((await connection.readHead()).status).toBe(101)
  return connection
}

describe('before the 101', () => {
  it.each(['websocket', 'WebSocket', 'WEBSOCKET', 'other/1'])(
    'U1 %s is forwarded, and no further byte before the 101',
    async protocol => {
      edge.backend.handler = () => undefined
      const connection = await RawConnection.open(edge.port)
      await connection.send(`${asks(protocol)}early`)
      const request = await edge.backend.request()
      expect([request.all('upgrade'), request.all('connection')]).toEqual([[protocol], ['Upgrade']])
      await barrier()
      expect(request.connection.received.endsWith('\r\n\r\n')).toBe(true)
      request.connection.becomeRaw()
      request.say(`${switchTo(protocol)}\r\n`)
      expect((await connection.readHead()).status).toBe(101)
      // U3: the held bytes are sent after it.
      await request.connection.until('the early bytes', () => request.connection.raw === 'early')
      connection.destroy()
    },
  )

  it('U1 an upgrade to h2c with a body in chunks is ignored, and the request is served', async () => {
    // The HTTP client of Java sends this by default for a body of unknown length.
    const fields =
      'Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\nUpgrade: h2c\r\n'
    const head = `POST /java HTTP/1.1\r\n${HOST}${fields}Transfer-Encoding: chunked\r\n\r\n`
    const connection = await RawConnection.open(edge.port)
    await connection.send(`${head}3\r\nabc\r\n`)
    const request = await edge.backend.request()
    await connection.send(`4\r\ndefg\r\n0\r\nX-Last: 1\r\n\r\n${get('/hidden')}`)
    const response = await connection.readResponse()
    expect([response.body.toString(), field(response.headers, 'connection')]).toEqual([
      'POST /java abcdefg',
      'close',
    ])
    expect(['upgrade', 'http2-settings', 'connection'].flatMap(name => request.all(name))).toEqual([])
    expect(request.trailers).toEqual([['X-Last', '1']])
    expect((await connection.readToEnd()).length).toBe(0)
    connection.destroy()
    await barrier()
    expect(edge.backend.requests.map(({ target }) => target)).toEqual(['/java', BARRIER])
  })

  it('U1 broken chunks behind an ignored upgrade never become a complete request', async () => {
    const fields = 'Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n'
    const connection = await RawConnection.open(edge.tight!.port)
    await connection.send(`POST / HTTP/1.1\r\n${HOST}${fields}\r\n3\nabc\r\n0\r\n\r\n${get('/hidden')}`)
    const response = await connection.readResponse()
    expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([408, 'request_timeout'])
    connection.destroy()
    for (const request of edge.backend.requests) expect(await request.ended).toBe('aborted')
    expect(edge.backend.requests.length).toBeLessThan(2)
  })

  it.each([
    ['websocket', 'other', 502],
    ['websocket', 'websocket, h2c', 502],
    ['websocket', '', 101],
    ['websocket', 'WebSocket', 101],
    ['one/1, two', 'two', 101],
    ['one/1, two', 'three', 502],
    ['one/1, two', '', 502],
  ])('U1 asked for %s, the backend switches to %j: %i', async (asked, switched, status) => {
    edge.backend.handler = request => {
      request.connection.becomeRaw()
      const upgrade = switched === '' ? '' : `Upgrade: ${switched}\r\n`
      request.say(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${upgrade}\r\nraw`)
    }
    const connection = await RawConnection.open(edge.port)
    await connection.send(asks(asked))
    const head = await connection.readHead()
    expect(head.status).toBe(status)
    if (status === 101) {
      expect(field(head.headers, 'upgrade')).toBe(switched === '' ? asked : switched)
      expect((await connection.readBytes(3)).toString()).toBe('raw')
    } else {
      expect(field(head.headers, 'plugboard-error')).toBe('backend_protocol_error')
      expect((await connection.readToEnd()).toString()).not.toContain('raw')
      const { connection: used } = edge.backend.requests[0]!
      await used.until('its end', () => used.closed)
    }
    connection.destroy()
  })

  it('U3 bytes before a rejection are dropped with the connection', async () => {
    edge.backend.handler = request => request.connection.socket.end()
    const response = await ask(`${asks()}early`)
    expect(response.status).toBe(502)
    await barrier()
    for (const request of edge.backend.requests) expect(request.connection.received).not.toContain('early')
  })
})

describe('after the 101', () => {
  it('R1 fields of the hop are removed from a 101 too', async () => {
    edge.backend.handler = request => {
      request.connection.becomeRaw()
      request.say(
        `${SWITCH}X-Secret: 1\r\nKeep-Alive: timeout=1\r\nPlugboard-Error: x\r\nSec-WebSocket-Accept: y\r\n\r\n`,
      )
    }
    const connection = await RawConnection.open(edge.port)
    await connection.send(asks())
    const names = (await connection.readHead()).headers.map(([name]) => name)
    expect(names).toEqual(['Connection', 'Upgrade', 'Sec-WebSocket-Accept', 'X-Request-ID', 'Via'])
    connection.destroy()
  })

  it('U4 bytes arrive unchanged in both directions, in any number of pieces', async () => {
    const connection = await open()
    // A masked ping, a fragmented text and a close with code 4000, split at critical positions.
    const frames = Buffer.from('89846162636420202020010161626364208001616263643088820102030d0f42', 'hex')
    for (const byte of frames) await connection.send(Buffer.from([byte]))
    expect(await connection.readBytes(frames.length)).toEqual(frames)
    connection.destroy()
  })

  it('U4 a message of 16 MiB', async () => {
    const size = 16 * 1_048_576
    const seen = createHash('sha256')
    const connection = await open(request => {
      request.connection.becomeRaw()
      request.say(`${SWITCH}\r\n`)
      let bytes = 0
      request.connection.socket.on('data', (chunk: Buffer) => {
        seen.update(chunk)
        bytes += chunk.length
        if (bytes === size) request.connection.socket.write(seen.digest('hex'))
      })
    })
    await connection.send(patternBytes(0, size))
    expect((await connection.readBytes(64)).toString()).toBe(patternHash(size))
    connection.destroy()
  })

  it('U4 the client ends its half, and the backend continues to send', async () => {
    const connection = await open(request => {
      request.connection.becomeRaw()
      request.say(`${SWITCH}\r\n`)
      request.connection.socket.on('end', () => request.connection.socket.end('after the end'))
    })
    connection.end()
    expect((await connection.readToEnd()).toString()).toBe('after the end')
    expect(await connection.closed).toBe('fin')
    connection.destroy()
  })

  it('U4 the backend ends its half, and the client continues to send', async () => {
    const connection = await open(request => {
      request.connection.becomeRaw()
      request.say(`${SWITCH}\r\nlast words`)
      request.connection.socket.end()
    })
    expect((await connection.readToEnd()).toString()).toBe('last words')
    await connection.send('still here')
    const { connection: far } = edge.backend.requests[0]!
    await far.until('the last bytes of the client', () => far.raw === 'still here')
    connection.end()
    await far.until('the end', () => far.ended)
    connection.destroy()
  })

  it('U4 a reset on one side becomes a reset on the other side', async () => {
    const connection = await open()
    edge.backend.requests[0]!.connection.socket.resetAndDestroy()
    await connection.closed
    connection.destroy()
    const other = await open()
    const { connection: far } = edge.backend.requests.at(-1)!
    other.reset()
    await far.until('the reset', () => far.closed)
    expect(far.failed).toBe(true)
  })

  it('U5 outlives the timeout of requests and every edit of other routes', async () => {
    const connection = await open(takeAndEcho, 'hurried.test')
    // A request on the same service gets no response. When it ends with 504, the timeout has passed here too.
    edge.backend.handler = () => undefined
    expect((await ask(get('/', '', 'hurried.test'))).status).toBe(504)
    const { id } = await edge.plugboard.addRoute('later.test', 'edge')
    edge.backend.reset()
    await eventually('the route is live', async () =>
      (await ask(get('/', '', 'later.test'))).status === 200 ? true : undefined,
    )
    await edge.plugboard.call('DELETE', `/v1/routes/${id}`)
    await eventually('the route is deleted', async () =>
      (await ask(get('/', '', 'later.test'))).status === 404 ? true : undefined,
    )
    await connection.send('alive')
    expect((await connection.readBytes(5)).toString()).toBe('alive')
    // Then its own idle timeout ends the connection.
    expect((await connection.readToEnd()).length).toBe(0)
    connection.destroy()
  })
})
