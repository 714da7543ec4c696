// Rows R1-R12: the responses of a backend, its failures, and the response that the client gets.

import { describe, expect, it } from 'vitest'
import { eventually } from '../../support/deadline.ts'
import { field, RawConnection } from '../../support/http/raw-connection.ts'
import { ask, BARRIER, barrier, chunked, edge, get, HOST } from './edge.ts'

const says = (bytes: string, then?: 'end' | 'reset') => {
  edge.backend.handler = request => {
    request.say(bytes)
    if (then === 'end') request.connection.socket.end()
    // The written bytes must be sent before the reset, which discards unsent bytes.
    if (then === 'reset') setImmediate(() => request.connection.socket.resetAndDestroy())
  }
}
const OK = 'HTTP/1.1 200 OK\r\n'
const expectation = (value: string, version = '1.1') =>
  `POST / HTTP/${version}\r\n${HOST}Expect: ${value}\r\nContent-Length: 3\r\n\r\n`

describe('fields and framing', () => {
  it.each(['HEAD', '204', '205', '304'])('R6 %s has no body, also when the backend sends one', async what => {
    const status = what === 'HEAD' ? '200' : what
    says(`HTTP/1.1 ${status} Said\r\nContent-Length: 5\r\n\r\nextra`)
    const connection = await RawConnection.open(edge.port)
    const method = what === 'HEAD' ? 'HEAD' : 'GET'
    await connection.send(`${method} / HTTP/1.1\r\n${HOST}\r\n`)
    const response = await connection.readResponse(method)
    expect([response.status, response.body.length]).toEqual([Number(status), 0])
    const length = field(response.headers, 'content-length')
    expect(length).toBe({ HEAD: '5', 204: undefined, 205: '0', 304: '5' }[what])
    // The next response follows directly, without a byte of the other one.
    const used = edge.backend.requests[0]!.connection
    edge.backend.reset()
    await connection.send(get('/next'))
    expect((await connection.readResponse()).body.toString()).toBe('GET /next ')
    expect(edge.backend.requests[0]!.connection).not.toBe(used)
    await used.until('the end of the dirty connection', () => used.ended || used.closed)
    connection.destroy()
  })

  it.each(['Content-Length: 9', 'Transfer-Encoding: x'])(
    'R7 %s among the trailers of a request',
    async field => {
      const response = await ask(chunked(`2\r\nok\r\n0\r\n${field}\r\n\r\n`))
      await barrier()
      const [request] = edge.backend.requests
      if (response.status === 200) expect(request?.trailers).toEqual([])
      else
        expect([response.status, await request?.ended]).toEqual([
          400,
          request?.target === BARRIER ? 'complete' : 'aborted',
        ])
    },
  )

  it.each([
    [
      'length and chunked',
      `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    ],
    ['two lengths', `${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`],
    ['a list of lengths', `${OK}Content-Length: 2, 2\r\n\r\nok`],
    ['an invalid length', `${OK}Content-Length: +2\r\n\r\nok`],
    ['a coding that is unknown', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['two codings', `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a space before a colon', `${OK}X : y\r\n\r\n`],
    ['a folded field', `${OK}X: y\r\n z\r\n\r\n`],
    ['bare LFs', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
    ['NUL', `${OK}X: \0\r\n\r\n`],
    ['no HTTP', 'hello\r\n\r\n'],
    ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a 101 without an upgrade request', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n'],
    ['a head without end', `${OK}${'X: y\r\n'.repeat(20_000)}`],
  ])('R8 a response with %s is a 502', async (_fault, bytes) => {
    says(bytes)
    const response = await ask(get())
    expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([
      502,
      'backend_protocol_error',
    ])
    // It names the rule.
    expect(JSON.parse(response.body.toString()).detail).toMatch(
      /^The backend sent a response that is not valid HTTP: .+\.$/,
    )
    const { connection } = edge.backend.requests[0]!
    await connection.until('its end', () => connection.ended || connection.closed)
  })

  it.each([
    ['an invalid size', 'x\r\nok\r\n'],
    ['a chunk longer than its size', '2\r\nokay\r\n'],
    ['a bare LF', '2\nok\r\n'],
  ])('R8 a chunk with %s cuts the response', async (_fault, chunks) => {
    edge.backend.handler = request => request.say(`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n`)
    const connection = await RawConnection.open(edge.port)
    await connection.send(get())
    await connection.readUntil('2\r\nok\r\n')
    edge.backend.requests[0]!.say(chunks)
    expect((await connection.readToEnd()).toString()).not.toContain('0\r\n\r\n')
    connection.destroy()
  })

  it('R9 each piece of a response without a length is forwarded at once', async () => {
    const types = ['text/event-stream', 'application/x-ndjson', 'application/grpc-web+proto']
    for (const type of types) {
      edge.backend.reset()
      edge.backend.handler = request =>
        request.say(`${OK}Content-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`)
      const connection = await RawConnection.open(edge.port)
      await connection.send(get())
      // First the head, then piece by piece: the next piece is sent after the last one has arrived.
      expect(field((await connection.readHead()).headers, 'content-type')).toBe(type)
      for (const piece of ['one\n', 'two\n', 'three\n']) {
        edge.backend.requests[0]!.say(`${piece.length.toString(16)}\r\n${piece}\r\n`)
        await connection.readUntil(piece)
      }
      connection.destroy()
    }
  })

  it('R9 a body that ends with the connection', async () => {
    says(`${OK}\r\nuntil the end`, 'end')
    const response = await ask(get())
    expect([response.body.toString(), response.complete]).toEqual(['until the end', true])
  })
})

describe('responses that end too early', () => {
  it.each(['end', 'reset'] as const)('R2 a backend that dies in a body with a length (%s)', async how => {
    edge.backend.handler = request => request.say(`${OK}Content-Length: 100\r\n\r\npart`)
    const connection = await RawConnection.open(edge.port)
    await connection.send(get())
    await connection.readUntil('part')
    const { socket } = edge.backend.requests[0]!.connection
    if (how === 'end') socket.end()
    else socket.resetAndDestroy()
    expect((await connection.readToEnd()).length).toBe(0)
    connection.destroy()
  })

  it.each(['end', 'reset'] as const)('R2 a backend that dies in a chunked body (%s)', async how => {
    edge.backend.handler = request => request.say(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n`)
    const connection = await RawConnection.open(edge.port)
    await connection.send(get())
    await connection.readUntil('part\r\n')
    const { socket } = edge.backend.requests[0]!.connection
    if (how === 'end') socket.end()
    else socket.resetAndDestroy()
    expect((await connection.readToEnd()).toString()).toBe('')
    connection.destroy()
  })

  it('R2 with HTTP/1.0, where only the end of the connection ends a body, the connection is reset', async () => {
    edge.backend.handler = request => request.say(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n`)
    const connection = await RawConnection.open(edge.port)
    await connection.send(`GET / HTTP/1.0\r\n${HOST}\r\n`)
    await connection.readUntil('part')
    edge.backend.requests[0]!.connection.socket.resetAndDestroy()
    expect(await connection.closed).toBe('reset')
    connection.destroy()
  })

  it('R3 a response before the end of the upload is relayed at once', async () => {
    edge.backend.handler = request => request.respond(403, 'no', 'Connection: close\r\n')
    const connection = await RawConnection.open(edge.port)
    await connection.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 60000\r\n\r\nsome`)
    const response = await connection.readResponse()
    expect([response.status, response.body.toString()]).toEqual([403, 'no'])
    const first = edge.backend.requests[0]!
    expect(await first.ended).toBe('aborted')
    // The rest of the upload is discarded, and the bytes behind it are a separate request, on another backend connection.
    edge.backend.reset()
    await connection.send(`${'x'.repeat(60_000 - 4)}${get('/next')}`)
    expect((await connection.readResponse()).body.toString()).toBe('GET /next ')
    expect(edge.backend.requests[0]!.connection).not.toBe(first.connection)
    expect(edge.backend.faults).toEqual([])
    connection.destroy()
  })

  it.each([
    ['of the backend', 'edge.test', 403],
    ['to an unknown host', 'nowhere.test', 404],
    ['without a telephone', 'nobody.test', 503],
    ['over the limit', 'hurried.test', 413],
  ])(
    'R3 an early response %s reaches a client that reads it after an upload of 10 MB',
    async (_name, host, status) => {
      edge.backend.handler = request => request.respond(403, 'no')
      const upload = Buffer.alloc(10 * 1024 * 1024)
      const connection = await RawConnection.open(edge.port)
      connection.socket.pause()
      await connection.send(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${upload.length}\r\n\r\n`)
      await connection.send(upload)
      connection.socket.resume()
      const response = await connection.readResponse()
      expect([response.status, field(response.headers, 'connection'), response.complete]).toEqual([
        status,
        'close',
        true,
      ])
      expect(await connection.closed).toBe('fin')
      connection.destroy()
    },
  )

  it('R11 a client that closes its connection cancels its request at the backend', async () => {
    edge.backend.handler = () => undefined
    for (const bytes of [
      get('/a'),
      chunked('3\r\nabc\r\n'),
      `POST / HTTP/1.1\r\n${HOST}Content-Length: 9\r\n\r\nabc`,
    ]) {
      edge.backend.requests.length = 0
      const connection = await RawConnection.open(edge.port)
      await connection.send(bytes)
      const request = await edge.backend.request()
      connection.reset()
      await request.connection.until('the end', () => request.connection.ended || request.connection.closed)
    }
  })

  it('R12 memory does not grow with a body that the client does not read', async () => {
    const before = edge.peakMemoryBytes
    const total = 256 * 1024 * 1024
    let written = 0
    edge.backend.handler = request => {
      const { socket } = request.connection
      request.say(`${OK}Content-Length: ${total}\r\n\r\n`)
      const fill = () => {
        while (written < total) {
          written += 65_536
          if (!socket.write(Buffer.alloc(65_536))) return void socket.once('drain', fill)
        }
      }
      fill()
    }
    const connection = await RawConnection.open(edge.port)
    connection.socket.pause()
    await connection.send(get())
    await edge.backend.request()
    // The windows and the buffers of the system accept some bytes. Then the body stalls while other requests are served.
    let last = -1
    await eventually('the backend is held up', async () => {
      await barrier()
      const still = written === last
      last = written
      return still && written > 0 ? true : undefined
    }).catch(() => expect.fail(`the backend never stalled: ${written} bytes`))
    expect(written).toBeLessThan(128 * 1024 * 1024)
    if (before !== undefined) expect(edge.peakMemoryBytes! - before).toBeLessThan(128 * 1024 * 1024)
    connection.destroy()
  })
})

describe('interim responses', () => {
  it('R4 a 100 is sent when the backend accepts the body, not before', async () => {
    edge.backend.handler = () => undefined
    const connection = await RawConnection.open(edge.port)
    await connection.send(expectation('100-Continue'))
    const request = await edge.backend.request()
    expect(request.all('expect')).toEqual(['100-continue'])
    request.say('HTTP/1.1 100 Continue\r\n\r\n')
    expect((await connection.readHead()).status).toBe(100)
    await connection.send('abc')
    expect(await request.ended).toBe('complete')
    request.respond(200, request.body)
    expect((await connection.readResponse()).body.toString()).toBe('abc')
    connection.destroy()
  })

  it('R4 a final response instead of the 100 ends the connection, because the body may never arrive', async () => {
    edge.backend.handler = request => request.respond(417, 'no')
    const connection = await RawConnection.open(edge.port)
    await connection.send(expectation('100-continue'))
    const response = await connection.readResponse()
    expect([response.status, field(response.headers, 'connection')]).toEqual([417, 'close'])
    await connection.send(get('/hidden'))
    expect((await connection.readToEnd()).toString()).toBe('')
    connection.destroy()
    await barrier()
    expect(edge.backend.requests.map(({ target }) => target)).not.toContain('/hidden')
  })

  it('R5 a backend that closes after the 103 leads to a 502', async () => {
    says('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
    const connection = await RawConnection.open(edge.port)
    await connection.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`)
    expect((await connection.readHead()).status).toBe(103)
    edge.backend.requests[0]!.connection.socket.destroy()
    expect((await connection.readResponse()).status).toBe(502)
    connection.destroy()
  })
})
