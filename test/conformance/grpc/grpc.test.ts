// gRPC from a real client to a real server, through the public port, a tunnel in memory and the forwarder of a Telephone. The
// tests check the rules of the protocol for each hop (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

import { Metadata, status } from '@grpc/grpc-js'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import { Session } from '@vera-stack/shared/protocol/session.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Forwarder } from '../../../telephone/backend/forward/forward.ts'
import { HttpBackend } from '../../../telephone/backend/forward/http-backend.ts'
import { ECHO, ECHO_TRAILERS, GrpcBackend } from '../../support/backend/grpc-backend.ts'
import { harnessRoute, ProxyHarness } from '../../support/harness/proxy-harness.ts'
import { GrpcClient, type GrpcResult, resultOfStream } from '../../support/http/grpc-client.ts'
import { useLeakCheck } from '../../support/leak-check.ts'
import { memoryTransportPair } from '../../support/session/memory-transport.ts'

useLeakCheck()

const HOST = 'grpc.test'
const INSTANCE = 'telephone-1'

let backend: GrpcBackend
let forwarder: Forwarder
let harness: ProxyHarness
let cutTunnel: () => void
let client: GrpcClient

beforeEach(async () => {
  backend = new GrpcBackend()
  const target = parseTarget(`h2c://127.0.0.1:${await backend.start()}`)
  const backends = new Map([['grpc', new HttpBackend(target, systemClock)]])
  forwarder = new Forwarder({ backends, now: systemClock.now })
  harness = await ProxyHarness.start({ http2Cleartext: true })
  harness.routes = [harnessRoute({ host: HOST, service: 'grpc' })]
  const pair = memoryTransportPair()
  cutTunnel = () => pair.cut()
  new Session({
    transport: pair.b,
    role: 'dialer',
    identity: { agent: 'telephone/test', name: 'telephone', instance: INSTANCE, startedAt: 1 },
    events: {
      onReady: () => undefined,
      onStream: (stream, opening) => forwarder.onStream(stream, opening),
      onControl: () => undefined,
      onPeerDrain: () => undefined,
      onClose: () => undefined,
    },
  })
  await harness.tunnel(pair.a, ['grpc'], INSTANCE)
  client = new GrpcClient(harness.port, HOST)
})
afterEach(async () => {
  client.close()
  await harness.close()
  forwarder.close()
  backend.stop()
})

function expectTrailers({ trailers }: GrpcResult): void {
  for (const [name, value] of Object.entries(ECHO_TRAILERS)) expect(trailers.get(name)).toEqual([value])
}

describe('calls', () => {
  it('unary: a message and metadata in both directions, and the status in trailers', async () => {
    const metadata = new Metadata()
    metadata.add('x-ask', 'one')
    metadata.add('x-ask', 'two')
    metadata.add('x-ask-bin', Buffer.from([0, 255]))
    const result = await client.unary('hello', {}, metadata)
    expect(result).toMatchObject({ code: status.OK, messages: ['hello'] })
    expectTrailers(result)
    expect(backend.calls[0]?.metadata.get('x-ask')).toEqual(['one, two'])
    expect(backend.calls[0]?.metadata.get('x-ask-bin')).toEqual([Buffer.from([0, 255])])
  })

  it('server streaming', async () => {
    const result = await resultOfStream(client.serverStreaming('count 50'))
    expect(result).toMatchObject({
      code: status.OK,
      messages: Array.from({ length: 50 }, (_, n) => String(n)),
    })
    expectTrailers(result)
  })

  it('client streaming', async () => {
    const result = await client.clientStreaming(['a', 'b', 'c'])
    expect(result).toMatchObject({ code: status.OK, messages: ['a,b,c'] })
    expectTrailers(result)
  })

  it('bidirectional: each message gets a response while the call continues', async () => {
    const call = client.bidirectional()
    const result = resultOfStream(call)
    for (let index = 0; index < 5; index += 1) {
      const responded = new Promise(resolve => call.once('data', resolve))
      call.write(Buffer.from(`message ${index}`))
      expect(String(await responded)).toBe(`message ${index}`)
    }
    call.end()
    expect(await result).toMatchObject({ code: status.OK, messages: { length: 5 } })
  })

  it('large messages in both directions, many at once', async () => {
    const large = Buffer.alloc(3_000_000, 'x')
    const calls = Array.from({ length: 5 }, () => client.unary(large))
    for (const result of await Promise.all(calls)) expect(result.messages).toEqual(['3000000 bytes'])
  })
})

describe('ends', () => {
  it('an error has its status, text and trailers', async () => {
    const result = await client.unary('fail 5 no such thing: é, %')
    expect(result).toMatchObject({ code: status.NOT_FOUND, details: 'no such thing: é, %', messages: [] })
    expectTrailers(result)
  })

  it('an error after messages has its status, text and trailers', async () => {
    const result = await resultOfStream(client.serverStreaming('fail 9 not now'))
    expect(result).toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: 'not now',
      messages: { length: 1 },
    })
    expectTrailers(result)
  })

  it('an error of an unknown method consists of a head only', async () => {
    const result = await client.unary('hello', {}, new Metadata(), '/echo.Echo/Nobody')
    expect(result).toMatchObject({ code: status.UNIMPLEMENTED, messages: [] })
  })

  it('a cancelled call is cancelled at the server', async () => {
    const streaming = client.serverStreaming('hang')
    const bidirectional = client.bidirectional()
    const results = [resultOfStream(streaming), resultOfStream(bidirectional)]
    bidirectional.write(Buffer.from('open'))
    await backend.until(({ calls }) => calls.length === 2 && calls.every(call => call.received.length > 0))
    streaming.cancel()
    bidirectional.cancel()
    for (const result of results) expect((await result).code).toBe(status.CANCELLED)
    await backend.until(({ calls }) => calls.every(call => call.cancelled))
  })

  it('a deadline is sent to the server, and ends the call at the client', async () => {
    const deadline = Date.now() + 150
    const result = await client.unary('hang', { deadline })
    expect(result.code).toBe(status.DEADLINE_EXCEEDED)
    await backend.until(({ calls }) => calls[0]?.cancelled === true)
    const [call] = backend.calls
    expect(call?.path).toBe(ECHO.unary)
    expect(Number(call?.deadline)).toBeLessThan(deadline + 1000)
  })

  it('a call whose server closes the connection is never a complete response', async () => {
    const call = client.bidirectional()
    const result = resultOfStream(call)
    call.write(Buffer.from('open'))
    await backend.until(({ calls }) => calls[0]?.received.length === 1)
    backend.stop()
    expect((await result).code).not.toBe(status.OK)
  })

  it('a lost tunnel cancels the calls at the server', async () => {
    const result = client.unary('hang')
    await backend.until(({ calls }) => calls.length === 1)
    cutTunnel()
    expect((await result).code).not.toBe(status.OK)
    await backend.until(({ calls }) => calls[0]?.cancelled === true)
  })
})
