// An unread body uses as much memory as it counts, even when it arrives in very small pieces, and it is delivered completely.

import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { FLAG, FRAME, fieldBlock, frame } from '../../../test/support/http/http2-frames.ts'
import { RawConnection } from '../../../test/support/http/raw-connection.ts'
import { RawHttp2 } from '../../../test/support/http/raw-http2.ts'
import { isPattern, patternBytes } from '../../../test/support/pattern.ts'
import { Http1Body } from '../http1/body.ts'
import { Http2Body } from '../http2/body.ts'
import type { BodySource } from './request-body.ts'

const cleanUp: (() => unknown)[] = []

afterEach(async () => {
  for (const close of cleanUp.splice(0).reverse()) await close()
})

/** Buffers that Node keeps for a stream. */
const bufferCount = (stream: object) =>
  (stream as { _readableState: { buffer: { length: number } } })._readableState.buffer.length

/** Records the bytes that are read, and the highest number of waiting bytes. */
function reader(source: BodySource) {
  const read = { chunks: [] as Buffer[], ended: false, waits: 0, peakWaiting: 0 }
  source.on('data', chunk => read.chunks.push(chunk))
  source.on('end', () => {
    read.ended = true
  })
  source.on('waiting', () => {
    read.waits += 1
    read.peakWaiting = Math.max(read.peakWaiting, source.waitingBytes)
  })
  return read
}

async function http1Request(): Promise<{ req: IncomingMessage; client: RawConnection }> {
  const sockets = new Set<Socket>()
  const arrived = Promise.withResolvers<IncomingMessage>()
  const server = createServer(req => arrived.resolve(req))
  server.on('connection', socket => sockets.add(socket))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  cleanUp.push(() => new Promise(resolve => server.close(resolve)))
  cleanUp.push(() => {
    for (const socket of sockets) socket.destroy()
  })
  const client = await RawConnection.open((server.address() as AddressInfo).port)
  cleanUp.push(() => client.destroy())
  await client.send('POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n')
  return { req: await arrived.promise, client }
}

const tinyChunks = (from: number, bytes: number) =>
  Buffer.concat(
    Array.from({ length: bytes }, (_, index) =>
      Buffer.concat([Buffer.from('1\r\n'), patternBytes(from + index, 1), Buffer.from('\r\n')]),
    ),
  )

it('over HTTP/1 in chunks of one byte waits in a few buffers, and Node stops reading', async () => {
  const { req, client } = await http1Request()
  const body = new Http1Body(req)
  const read = reader(body)
  body.pause()
  void client.send(tinyChunks(0, 200_000))
  await eventually('Node reads no more', () => body.waitingBytes >= 65_536 || undefined)
  expect(bufferCount(req)).toBeLessThan(10)
  body.resume()
  expect(body.waitingBytes).toBe(0)
  void client.send('0\r\n\r\n')
  await eventually('all is read', () => read.ended || undefined)
  const whole = Buffer.concat(read.chunks)
  expect([whole.length, isPattern(whole, 0)]).toEqual([200_000, true])
  // One read of the socket more than Node's own limit.
  expect(read.peakWaiting).toBeLessThan(140_000)
  expect(read.waits).toBeGreaterThan(0)
})

it('over HTTP/1 is delivered completely with pauses at any time', async () => {
  const { req, client } = await http1Request()
  const body = new Http1Body(req)
  const read = reader(body)
  let at = 0
  for (let turn = 0; turn < 60; turn += 1) {
    const bytes = [1, 500, 5000, 40_000][turn % 4] as number
    const chunk = Buffer.concat([
      Buffer.from(`${bytes.toString(16)}\r\n`),
      patternBytes(at, bytes),
      Buffer.from('\r\n'),
    ])
    at += bytes
    if (turn % 3 === 0) body.pause()
    void client.send(Buffer.concat([chunk, tinyChunks(at, 20)]))
    at += 20
    await new Promise(resolve => setImmediate(resolve))
    if (turn % 3 === 2) body.resume()
  }
  body.resume()
  const readBytes = () => read.chunks.reduce((sum, { length }) => sum + length, 0)
  await eventually('all but the end is read', () => readBytes() === at || undefined)
  body.pause()
  await client.send('0\r\n\r\n')
  await eventually('the end has come', () => req.complete || undefined)
  body.resume()
  await eventually('all is read', () => read.ended || undefined)
  const whole = Buffer.concat(read.chunks)
  expect([whole.length, isPattern(whole, 0)]).toEqual([at, true])
})

it('over HTTP/2 in frames of one byte waits in a few buffers', async () => {
  const arrived = Promise.withResolvers<ServerHttp2Stream>()
  const server: Http2Server = createHttp2Server({ settings: { initialWindowSize: 524_288 } })
  server.on('stream', stream => arrived.resolve(stream as ServerHttp2Stream))
  server.on('session', session => {
    session.setLocalWindowSize(4_194_304)
    cleanUp.push(() => session.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  cleanUp.unshift(() => new Promise(resolve => server.close(resolve)))
  const client = await (await RawHttp2.open((server.address() as AddressInfo).port)).greet()
  cleanUp.push(() => client.socket.destroy())
  const head = [':method', 'POST', ':scheme', 'http', ':path', '/', ':authority', 'test']
  client.send(frame(FRAME.headers, FLAG.endHeaders, 1, fieldBlock(head)))
  const stream = await arrived.promise
  const body = new Http2Body(stream)
  const read = reader(body)
  body.pause()
  const bytes = 200_000
  const frames = Array.from({ length: bytes }, (_, index) => frame(FRAME.data, 0, 1, patternBytes(index, 1)))
  client.send(Buffer.concat(frames))
  await eventually('all has come', () => body.waitingBytes === bytes || undefined)
  expect(bufferCount(stream)).toBeLessThan(20)
  client.send(frame(FRAME.data, FLAG.endStream, 1))
  body.resume()
  await eventually('all is read', () => read.ended || undefined)
  const whole = Buffer.concat(read.chunks)
  expect([whole.length, isPattern(whole, 0)]).toEqual([bytes, true])
})
