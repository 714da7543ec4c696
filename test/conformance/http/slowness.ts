// Rows S1-S5, S7-S9: slow clients and backends, which must not affect other clients, and requests that wait.

import { expect, it } from 'vitest'
import type { StatusBody } from '../../../plugboard/admin/api-types.ts'
import { eventually } from '../../support/deadline.ts'
import { field, RawConnection } from '../../support/http/raw-connection.ts'
import { ask, barrier, edge, get, HOST } from './edge.ts'
import type { BackendRequest } from './recording-backend.ts'

/** Sends one byte of `text` at a time, with pauses for the server to respond, until the server ends the connection. */
async function trickle(connection: RawConnection, text: string): Promise<string> {
  let open = true
  const over = connection.readToEnd().then(rest => {
    open = false
    return rest.toString('latin1')
  })
  for (let index = 0; open && index < text.length; index += 1) {
    await connection.send(text[index]!)
    await Promise.race([over, new Promise(resolve => setTimeout(resolve, 50))])
  }
  return await over
}

it('S1 a head that arrives byte by byte gets 408 and the end of the connection', async () => {
  const connection = await RawConnection.open(edge.tight!.port)
  const text = await trickle(connection, get(`/${'a'.repeat(1000)}`))
  expect(text).toMatch(/^HTTP\/1\.1 408 /)
  expect(text).toMatch(/\r\nPlugboard-Error: request_timeout\r\n(?:.*\r\n)*Connection: close\r\n/)
  connection.destroy()
  await barrier(edge.tight!.port)
  expect(edge.backend.requests).toHaveLength(1)
})

it('S1 a connection without any byte is closed, with or without a 408', async () => {
  const connection = await RawConnection.open(edge.tight!.port)
  expect((await connection.readToEnd()).toString()).toMatch(/^(HTTP\/1\.1 408 |$)/)
  connection.destroy()
})

it('S1 an idle connection is closed without a response after the keep-alive timeout', async () => {
  const connection = await RawConnection.open(edge.tight!.port)
  await connection.send(get())
  expect((await connection.readResponse()).status).toBe(200)
  expect((await connection.readToEnd()).toString()).toBe('')
  connection.destroy()
})

it('S2 a body that stalls gets 408 and the end of the connection, and the backend sees an abort', async () => {
  const connection = await RawConnection.open(edge.tight!.port)
  await connection.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nabc`)
  const response = await connection.readResponse()
  expect([response.status, field(response.headers, 'connection')]).toEqual([408, 'close'])
  expect(await edge.backend.requests[0]!.ended).toBe('aborted')
  connection.destroy()
})

it('S2 a slow body that makes progress is never cut', async () => {
  const { port } = edge.tight!
  const slow = await RawConnection.open(port)
  await slow.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 100\r\n\r\n`)
  const still = await RawConnection.open(port)
  await still.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 100\r\n\r\n`)
  // It takes twice the time after which a stalled body is cut.
  let cut = 0
  const watch = async (connection: RawConnection) => {
    expect((await connection.readResponse()).status).toBe(408)
    cut += 1
    connection.destroy()
  }
  const first = watch(still).then(async () => {
    const next = await RawConnection.open(port)
    await next.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 100\r\n\r\n`)
    await watch(next)
  })
  let sent = 0
  for (; cut < 2; sent += 1) {
    if (sent < 99) await slow.send('x')
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  await first
  await slow.send('x'.repeat(100 - Math.min(sent, 99)))
  expect((await slow.readResponse()).body.toString()).toBe(`POST / ${'x'.repeat(100)}`)
  slow.destroy()
})

it('S3 a response head that is not in time leads to a 504', async () => {
  edge.backend.handler = () => undefined
  const response = await ask(get('/', '', 'hurried.test'))
  expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([504, 'backend_timeout'])
  const { connection } = edge.backend.requests[0]!
  await connection.until('the abort', () => connection.ended || connection.closed)
})

it('S3 a response that stalls in the middle is aborted', async () => {
  edge.backend.handler = request => request.say('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
  const response = await ask(get('/', '', 'hurried.test'))
  expect([response.status, response.body.toString(), response.complete]).toEqual([200, 'abc', false])
})

it.each(['queued', 'patient'])('S7 a request waits in the queue of service %s', async service => {
  const held: BackendRequest[] = []
  edge.backend.handler = request => void held.push(request)
  const from = async (path: string) => {
    const connection = await RawConnection.open(edge.port)
    await connection.send(get(path, '', `${service}.test`))
    return connection
  }
  const first = await from('/first')
  await eventually('the first request arrives', () => held[0])
  const second = await from('/second')
  if (service === 'queued') {
    const late = await second.readResponse()
    expect([late.status, field(late.headers, 'plugboard-error')]).toEqual([503, 'overloaded'])
  } else {
    await eventually('the second request waits', async () => {
      const { traffic } = await edge.plugboard.call<StatusBody>('GET', '/v1/status')
      return traffic?.waiting === 1 ? true : undefined
    })
    const full = await ask(get('/third', '', 'patient.test'))
    expect([full.status, field(full.headers, 'plugboard-error')]).toEqual([503, 'overloaded'])
    held[0]!.respond(200, 'first')
    await eventually('the second request arrives', () => held[1])
    held[1]!.respond(200, 'second')
    expect((await second.readResponse()).body.toString()).toBe('second')
  }
  first.destroy()
  second.destroy()
})

it('S8 a request waits for a telephone, and gets 503 after the time', async () => {
  const sentAtMs = performance.now()
  const response = await ask(get('/', '', 'held.test'))
  expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([503, 'no_telephone'])
  expect(performance.now() - sentAtMs).toBeGreaterThan(250)
})

it('S9 a breaker opens after failures: circuit_open with the time in Retry-After', async () => {
  edge.backend.handler = request => request.respond(500, 'broken')
  const [first, second] = [await ask(get('/1', '', 'tripped.test')), await ask(get('/2', '', 'tripped.test'))]
  expect([first.status, second.status]).toEqual([500, 500])
  const response = await ask(get('/3', '', 'tripped.test'))
  expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([503, 'circuit_open'])
  expect(Number(field(response.headers, 'retry-after'))).toBeGreaterThan(1)
  expect(edge.backend.requests.map(({ target }) => target)).toEqual(['/1', '/2'])
})

it('S4 a client that stops reading delays only its own response', async () => {
  const total = 64 * 1024 * 1024
  let written = 0
  edge.backend.handler = request => {
    if (request.target !== '/large') return void request.respond(200, 'small')
    const { socket } = request.connection
    request.say(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`)
    const fill = () => {
      while (written < total) {
        written += 65_536
        if (!socket.write(Buffer.alloc(65_536))) return void socket.once('drain', fill)
      }
    }
    fill()
  }
  const stalled = await RawConnection.open(edge.port)
  await stalled.send(get('/large'))
  await stalled.readHead()
  stalled.socket.pause()
  for (let index = 0; index < 200; index += 1) {
    expect((await ask(get('/small'))).body.toString()).toBe('small')
  }
  expect(written).toBeLessThan(total)
  // The response continues at the same byte.
  stalled.socket.resume()
  let received = 0
  stalled.socket.on('data', (chunk: Buffer) => {
    received += chunk.length
  })
  await eventually('the rest arrives', () => (received > 2 * 1024 * 1024 ? true : undefined))
  stalled.destroy()
})

// Uses another loopback address than that of the trusted proxy. Only Linux has all loopback addresses.
it.skipIf(process.platform !== 'linux')('S5 one address has a limit of its own', async () => {
  const { port } = edge.tight!
  const open: RawConnection[] = []
  const from = async (address: string) => {
    const connection = await RawConnection.open(port, '127.0.0.1', address)
    open.push(connection)
    return connection
  }
  const first = await from('127.0.0.2')
  await from('127.0.0.2')
  expect((await (await from('127.0.0.2')).readToEnd()).length).toBe(0)
  // Other clients and open connections are not affected, and a closed connection makes room.
  for (const connection of [first, await from('127.0.0.3')]) {
    await connection.send(get())
    expect((await connection.readResponse()).status).toBe(200)
  }
  first.destroy()
  await eventually('there is room again', async () => {
    const next = await from('127.0.0.2')
    await next.send(get())
    return next.readResponse().then(({ status }) => (status === 200 ? true : undefined))
  })
  for (const connection of open) connection.destroy()
})

it('S5 a connection above the limit is refused at accept, and the others continue', async () => {
  const { port } = edge.tight!
  const open: RawConnection[] = []
  // A tunnel does not count.
  for (let index = 0; index < 8; index += 1) open.push(await RawConnection.open(port))
  const refused = await RawConnection.open(port)
  expect((await refused.readToEnd()).length).toBe(0)
  refused.destroy()
  await open[0]!.send(get())
  expect((await open[0]!.readResponse()).status).toBe(200)
  for (const connection of open) connection.socket.end()
  await Promise.all(open.map(connection => connection.readToEnd()))
  await eventually('there is room again', () => barrier(port).then(() => true as const))
})
