// The traffic of applications through real processes: uploads, event streams, WebSockets, and clients and backends that
// disappear.

import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { eventually } from '../support/deadline.ts'
import { openRequest, send } from '../support/http/http-client.ts'
import { RawConnection, rawExchange } from '../support/http/raw-connection.ts'
import { isPattern, patternBytes, patternHash } from '../support/pattern.ts'
import { HOST, useStack } from '../support/programs/stack.ts'

const TEN_MEGABYTES = 10_000_000
const SIXTEEN_MEBIBYTES = 16 * 1_048_576

const stack = useStack()
const to = (path: string) => ({ port: stack.port, host: HOST, path })
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`

describe('bodies', () => {
  it('carries concurrent 10 MB uploads without changes, with a length and in chunks', async () => {
    const body = patternBytes(0, TEN_MEGABYTES)
    const expected = { bytes: TEN_MEGABYTES, sha256: patternHash(TEN_MEGABYTES) }
    const uploads = [{}, { 'transfer-encoding': 'chunked' }, {}, { 'transfer-encoding': 'chunked' }]
    const responses = await Promise.all(
      uploads.map(headers => send({ ...to('/hash'), method: 'POST', headers, body })),
    )
    for (const response of responses) {
      expect(response.status).toBe(200)
      expect(JSON.parse(response.text)).toMatchObject(expected)
    }
  })

  it('carries a download without changes, with a length and in chunks', async () => {
    for (const suffix of ['', '&chunked=1']) {
      const { body, status } = await send(to(`/download?bytes=${TEN_MEGABYTES}${suffix}`))
      expect([status, body.length, isPattern(body, 0)]).toEqual([200, TEN_MEGABYTES, true])
    }
  })

  it('echoes while the upload continues', async () => {
    const connection = await RawConnection.open(stack.port)
    await connection.send(`POST /echo HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n`)
    await connection.send('5\r\nfirst\r\n')
    expect((await connection.readHead()).status).toBe(200)
    expect(await connection.readUntil('first\r\n')).toBe('5\r\nfirst\r\n')
    await connection.send('6\r\nsecond\r\n0\r\n\r\n')
    expect(await connection.readUntil('0\r\n\r\n')).toBe('6\r\nsecond\r\n0\r\n\r\n')
    connection.destroy()
  })

  it('relays trailers and early hints', async () => {
    const connection = await RawConnection.open(stack.port)
    await connection.send(`GET /trailers HTTP/1.1\r\nHost: ${HOST}\r\nTE: trailers\r\n\r\n`)
    const response = await connection.readResponse()
    expect(response.trailers).toEqual([
      ['x-checksum', 'abc'],
      ['x-more', 'def'],
    ])
    await connection.send(get('/early-hints'))
    expect((await connection.readHead()).status).toBe(103)
    expect((await connection.readResponse()).body.toString()).toBe('hinted\n')
    connection.destroy()
  })
})

it('delivers each event of 100 parallel streams before the next one is sent', async () => {
  const streams = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const connection = await RawConnection.open(stack.port)
      await connection.send(get('/stepped'))
      expect((await connection.readHead()).status).toBe(200)
      return connection
    }),
  )
  // The backend sends event n + 1 only after every client has received event n, so the test fails when a stream holds an
  // event back.
  for (const text of ['one', 'two', 'three', 'four', 'five']) {
    stack.backend.step(text)
    await Promise.all(streams.map(stream => stream.readUntil(`data: ${text}\n\n`)))
  }
  stack.backend.step()
  await Promise.all(streams.map(stream => stream.readUntil('0\r\n\r\n')))
  for (const stream of streams) stream.destroy()
})

describe('WebSocket', () => {
  it('echoes messages of 16 MiB, complete and in order', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${stack.port}/ws`, {
      headers: { host: HOST },
      maxPayload: 2 * SIXTEEN_MEBIBYTES,
    })
    await once(socket, 'open')
    for (const offset of [0, 1000, 2000]) socket.send(patternBytes(offset, SIXTEEN_MEBIBYTES))
    const echoed: Buffer[] = []
    socket.on('message', message => echoed.push(message as Buffer))
    await eventually('three messages come back', () => (echoed.length === 3 ? true : undefined), 50_000)
    for (const [index, message] of echoed.entries()) {
      expect([message.length, isPattern(message, index * 1000)]).toEqual([SIXTEEN_MEBIBYTES, true])
    }
    socket.close(4321, 'enough')
    const [code] = await once(socket, 'close')
    expect(code).toBe(4321)
  })

  it('relays any other upgrade as bytes, also bytes before the 101', async () => {
    const connection = await RawConnection.open(stack.port)
    await connection.send(
      `GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\nearly`,
    )
    expect((await connection.readHead()).status).toBe(101)
    expect((await connection.readBytes(5)).toString()).toBe('early')
    await connection.send('\x00\xff')
    expect(await connection.readBytes(2)).toEqual(Buffer.from([0, 255]))
    connection.end()
    expect(await connection.closed).toBe('fin')
    connection.destroy()
  })

  it('relays the response to a rejected upgrade as a plain response', async () => {
    const response = await rawExchange(
      stack.port,
      `GET /ws?refuse=1 HTTP/1.1\r\nHost: ${HOST}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    expect([response.status, response.body.toString()]).toEqual([403, 'no\n'])
  })
})

describe('a client or a backend that disappears', () => {
  it('aborts the request at the backend when the client closes its connection', async () => {
    for (const path of [
      '/silent?client=gone',
      '/download?bytes=100000000&client=gone',
      '/never-read?client=gone',
    ]) {
      stack.backend.clear()
      const { request } = openRequest({ ...to(path), method: 'POST', body: 'x' })
      const { id } = await stack.backend.next('request', report => report.url === path)
      request.destroy()
      await stack.backend.next('answer', report => report.id === id && !report.sent)
    }
  })

  it('ends an upgraded connection at the backend when the client closes it', async () => {
    stack.backend.clear()
    const connection = await RawConnection.open(stack.port)
    await connection.send(
      `GET /gone HTTP/1.1\r\nHost: ${HOST}\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n`,
    )
    const { id } = await stack.backend.next('request', report => report.url === '/gone')
    await connection.readHead()
    connection.reset()
    await stack.backend.next('upgrade-end', report => report.id === id)
  })

  it('never makes a body look complete when the backend closes in the middle of it', async () => {
    for (const how of ['fin', 'reset']) {
      for (const length of [1000, 0]) {
        const path = `/die?how=${how}&length=${length}&bytes=100`
        const client = await RawConnection.open(stack.port)
        await client.send(get(`${path}&when=told`))
        expect((await client.readHead()).status).toBe(200)
        await client.readUntil(patternBytes(0, 100).toString('latin1'))
        stack.backend.step()
        // No further byte, so no last chunk that would make the body look complete.
        expect((await client.readToEnd()).toString('latin1')).toMatch(/^(\r\n)?$/)
        client.destroy()
        // When the backend closed before its head was relayed, a response of Plugboard itself is correct too.
        const atOnce = await rawExchange(stack.port, get(path))
        expect(atOnce.status === 502 || !atOnce.complete, path).toBe(true)
      }
    }
  })

  it('responds with 502 when the backend closes before its response, and serves further requests', async () => {
    for (const how of ['fin', 'reset']) {
      const response = await send({ ...to(`/hang-up?how=${how}`), method: 'POST' })
      expect(response.status).toBe(502)
      expect(response.headers['plugboard-error']).toBe('backend_closed')
    }
    expect((await send(to('/hello'))).text).toBe('hello\n')
  })
})
