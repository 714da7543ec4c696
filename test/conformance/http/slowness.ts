// Rows S1-S5: who is slow, and who must not suffer from it.

import { expect, it } from 'vitest'
import { eventually } from '../../support/deadline.ts'
import { field, RawConnection } from '../../support/http/raw-connection.ts'
import { ask, barrier, edge, get, HOST } from './edge.ts'

/** Sends a byte of `text` whenever the far end has had time to say something, until it ends the connection. */
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

it('S1 a head that comes byte by byte is cut with 408', async () => {
  const connection = await RawConnection.open(edge.tight!.port)
  const text = await trickle(connection, get(`/${'a'.repeat(1000)}`))
  expect(text).toMatch(/^HTTP\/1\.1 408 /)
  expect(text).toMatch(/\r\nPlugboard-Error: request_timeout\r\n(?:.*\r\n)*Connection: close\r\n/)
  connection.destroy()
  await barrier(edge.tight!.port)
  expect(edge.backend.requests).toHaveLength(1)
})

it('S1 so is a connection that says nothing at all', async () => {
  const connection = await RawConnection.open(edge.tight!.port)
  expect((await connection.readToEnd()).toString()).toMatch(/^(HTTP\/1\.1 408 |$)/)
  connection.destroy()
})

it('S1 an idle connection is closed without a word after the keep-alive timeout', async () => {
  const connection = await RawConnection.open(edge.tight!.port)
  await connection.send(get())
  expect((await connection.readResponse()).status).toBe(200)
  expect((await connection.readToEnd()).toString()).toBe('')
  connection.destroy()
})

it('S2 a body that stands still is cut with 408, and the backend sees an abort', async () => {
  const connection = await RawConnection.open(edge.tight!.port)
  await connection.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nabc`)
  const response = await connection.readResponse()
  expect([response.status, field(response.headers, 'connection')]).toEqual([408, 'close'])
  expect(await edge.backend.requests[0]!.ended).toBe('aborted')
  connection.destroy()
})

it('S2 a slow body that moves is never cut', async () => {
  const { port } = edge.tight!
  const slow = await RawConnection.open(port)
  await slow.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 100\r\n\r\n`)
  const still = await RawConnection.open(port)
  await still.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 100\r\n\r\n`)
  // It moves for as long as another body, which does not, takes to be cut twice over.
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

it('S3 no answer head in time is a 504', async () => {
  edge.backend.handler = () => undefined
  const response = await ask(get('/', '', 'hurried.test'))
  expect([response.status, field(response.headers, 'plugboard-error')]).toEqual([504, 'backend_timeout'])
  const { connection } = edge.backend.requests[0]!
  await connection.until('the abort', () => connection.ended || connection.closed)
})

it('S3 an answer that stops in the middle is broken off', async () => {
  edge.backend.handler = request => request.say('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
  const response = await ask(get('/', '', 'hurried.test'))
  expect([response.status, response.body.toString(), response.complete]).toEqual([200, 'abc', false])
})

it('S4 a reader that stands still holds up its own answer alone', async () => {
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
  // And it goes on where it was.
  stalled.socket.resume()
  let received = 0
  stalled.socket.on('data', (chunk: Buffer) => {
    received += chunk.length
  })
  await eventually('the rest arrives', () => (received > 2 * 1024 * 1024 ? true : undefined))
  stalled.destroy()
})

// Another loopback address than that of the trusted proxy: only Linux has them all.
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
  // Neither others nor those that are open suffer, and who leaves makes room.
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

it('S5 a connection past the limit is refused at accept, and the others go on', async () => {
  const { port } = edge.tight!
  const open: RawConnection[] = []
  // A tunnel is none of them.
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
