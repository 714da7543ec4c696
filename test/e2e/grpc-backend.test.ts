// A gRPC server behind a Telephone, through the whole stack. These clients use HTTP/1.1: a call is a chunked request with
// five bytes before each message, and its status is in the trailers of a chunked response.

import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ECHO, GrpcBackend } from '../support/backend/grpc-backend.ts'
import { HOST, useStack } from '../support/programs/stack.ts'

const stack = useStack({ withoutTelephone: true })
const backend = new GrpcBackend()

beforeAll(async () => {
  const port = await backend.start()
  const args = ['--health-check', 'grpc']
  stack.telephone = await stack.startTelephone({ target: `h2c://localhost:${port}`, args })
})
afterAll(() => backend.stop())

/** Returns a message with its length prefix, not compressed. */
function framed(message: string): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(Buffer.byteLength(message), 1)
  return Buffer.concat([head, Buffer.from(message)])
}

class Call {
  readonly request: ClientRequest
  readonly response: Promise<IncomingMessage>
  messages: string[] = []

  constructor(path: string, headers: Record<string, string> = {}) {
    this.request = request({
      host: '127.0.0.1',
      port: stack.port,
      path,
      method: 'POST',
      agent: false,
      headers: { host: HOST, te: 'trailers', 'content-type': 'application/grpc', ...headers },
    })
    this.response = once(this.request, 'response').then(([response]) => response as IncomingMessage)
    // A test that waits for the response gets the error. A test that only cancels the call does not wait.
    this.response.catch(() => undefined)
  }

  send(message: string): this {
    this.request.write(framed(message))
    return this
  }

  /** Resolves with all messages and the status of the call. */
  async result(): Promise<{
    status: number | undefined
    messages: string[]
    grpcStatus: string | undefined
  }> {
    const response = await this.response
    let bytes = Buffer.alloc(0)
    for await (const chunk of response) bytes = Buffer.concat([bytes, chunk as Buffer])
    while (bytes.length >= 5) {
      const length = bytes.readUInt32BE(1)
      this.messages.push(bytes.toString('utf8', 5, 5 + length))
      bytes = bytes.subarray(5 + length)
    }
    const grpcStatus =
      response.trailers['grpc-status'] ?? (response.headers['grpc-status'] as string | undefined)
    return { status: response.statusCode, messages: this.messages, grpcStatus }
  }
}

describe('a gRPC server, over HTTP/1.1', () => {
  it('unary: one message in each direction, and the status in trailers', async () => {
    const call = new Call(ECHO.unary, { 'grpc-timeout': '30S' })
    call.send('hello').request.end()
    expect(await call.result()).toEqual({ status: 200, messages: ['hello'], grpcStatus: '0' })
    const response = await call.response
    expect(response.headers['content-type']).toMatch(/^application\/grpc/)
    expect(response.trailers).toMatchObject({ 'x-echo': 'done', 'x-echo-bin': 'AAH+/w==' })
    expect(backend.calls.at(-1)?.deadline).toBeLessThan(Date.now() + 31_000)
  })

  it('server and client streaming', async () => {
    const many = new Call(ECHO.serverStreaming)
    many.send('count 20').request.end()
    expect(await many.result()).toMatchObject({ messages: { length: 20 }, grpcStatus: '0' })
    const upload = new Call(ECHO.clientStreaming)
    upload.send('a').send('b').send('c').request.end()
    expect(await upload.result()).toMatchObject({ messages: ['a,b,c'], grpcStatus: '0' })
  })

  it('bidirectional: responses arrive while the request continues', async () => {
    const call = new Call(ECHO.bidirectional)
    call.send('first')
    const response = await call.response
    const [first] = (await once(response, 'data')) as [Buffer]
    expect(first.toString('utf8', 5)).toBe('first')
    call.send('second').request.end()
    expect(await call.result()).toMatchObject({ messages: ['second'], grpcStatus: '0' })
  })

  it('an error, with and without messages before it', async () => {
    const late = new Call(ECHO.serverStreaming)
    late.send('fail 9 not now').request.end()
    expect(await late.result()).toMatchObject({ status: 200, messages: { length: 1 }, grpcStatus: '9' })
    const missing = new Call('/echo.Echo/Nobody')
    missing.send('hello').request.end()
    expect(await missing.result()).toMatchObject({ status: 200, messages: [], grpcStatus: '12' })
  })

  it('a client that closes its connection cancels its call', async () => {
    const call = new Call(ECHO.bidirectional)
    call.send('open')
    const response = await call.response
    response.on('error', () => undefined)
    call.request.on('error', () => undefined)
    const seen = backend.calls.at(-1)
    call.request.destroy()
    await backend.until(() => seen?.cancelled === true)
  })
})
