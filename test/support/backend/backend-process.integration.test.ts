import { once } from 'node:events'
import { beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { field, RawConnection, rawExchange } from '../http/raw-connection.ts'
import { isPattern, patternBytes, patternHash } from '../pattern.ts'
import { useProcesses } from '../process/use-processes.ts'
import { Backend } from './backend-process.ts'

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

describe('the misbehaving backend', () => {
  const processes = useProcesses()
  let backend: Backend

  beforeEach(async () => {
    backend = await Backend.start(processes)
  })

  it('reports exactly the bytes that it received', async () => {
    const bytes = 'POST /hash?x=%2F HTTP/1.1\r\nhOST: a\r\nContent-Length: 3\r\n\r\nabc'
    const response = await rawExchange(backend.port, bytes)
    expect(JSON.parse(response.body.toString())).toMatchObject({ bytes: 3 })
    const request = await backend.next('request')
    expect(request).toMatchObject({ method: 'POST', url: '/hash?x=%2F' })
    expect(request.rawHeaders).toEqual(['hOST', 'a', 'Content-Length', '3'])
    expect(await backend.next('body')).toMatchObject({ bytes: 3, complete: true })
    expect(backend.received(request.connection)).toBe(bytes)
  })

  it('reports an upload that was aborted', async () => {
    const client = await RawConnection.open(backend.port)
    await client.send('POST /hash HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc')
    await backend.next('request')
    client.destroy()
    expect(await backend.next('body')).toMatchObject({ bytes: 3, complete: false })
  })

  it('closes the connection in the middle of a body, with a FIN and with a reset', async () => {
    for (const how of ['fin', 'reset']) {
      const response = await rawExchange(backend.port, get(`/die?how=${how}&length=1000&bytes=100`))
      expect([response.complete, response.body.length]).toEqual([false, 100])
    }
    const chunked = await rawExchange(backend.port, get('/die?length=0'))
    expect(chunked.complete).toBe(false)
  })

  it('sends trailers, early hints and raw bytes', async () => {
    expect((await rawExchange(backend.port, get('/trailers'))).trailers).toEqual([
      ['x-checksum', 'abc'],
      ['x-more', 'def'],
    ])
    const hinted = await RawConnection.open(backend.port)
    await hinted.send(get('/early-hints'))
    expect((await hinted.readHead()).status).toBe(103)
    expect((await hinted.readResponse()).body.toString()).toBe('hinted\n')
    hinted.destroy()
    const bytes = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc')
    const raw = await RawConnection.open(backend.port)
    await raw.send(get(`/raw?then=close&bytes=${bytes.toString('base64url')}`))
    expect(await raw.readToEnd()).toEqual(bytes)
    raw.destroy()
  })

  it('downloads a pattern that can be checked', async () => {
    const response = await rawExchange(backend.port, get('/download?bytes=300000'))
    expect(field(response.headers, 'content-length')).toBe('300000')
    expect(isPattern(response.body, 0)).toBe(true)
    expect(isPattern(response.body.subarray(1), 0)).toBe(false)
  })

  it('echoes WebSocket messages, and raw bytes after any other upgrade', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${backend.port}/ws`)
    await once(socket, 'open')
    socket.send('hello')
    const [message] = await once(socket, 'message')
    expect(String(message)).toBe('hello')
    socket.close()
    await once(socket, 'close')
    const raw = await RawConnection.open(backend.port)
    await raw.send('GET /x HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\nearly')
    expect((await raw.readHead()).status).toBe(101)
    expect((await raw.readBytes(5)).toString()).toBe('early')
    raw.destroy()
  })
})

it("computes the hash of the pattern's bytes", async () => {
  const { createHash } = await import('node:crypto')
  const bytes = patternBytes(0, 200_000)
  expect(patternHash(200_000)).toBe(createHash('sha256').update(bytes).digest('hex'))
})
