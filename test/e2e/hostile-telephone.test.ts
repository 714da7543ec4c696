// An authenticated Telephone that sends garbage loses its tunnel. Other Telephones and their clients are not affected.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { frame, framesOf, RawTelephone } from '../support/harness/raw-telephone.ts'
import { send } from '../support/http/http-client.ts'
import { RawConnection } from '../support/http/raw-connection.ts'
import { RequestLoop } from '../support/http/request-loop.ts'
import { HOST, useStack } from '../support/programs/stack.ts'
import { runSeed, seededRandom } from '../support/seeded-random.ts'

const stack = useStack()
const seed = runSeed()
const random = seededRandom(seed)
const randomBytes = (length: number) => Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)))

let loop: RequestLoop
let hostile: RawTelephone

beforeEach(async () => {
  loop = new RequestLoop({ port: stack.port, host: HOST })
  await loop.successes(20)
  hostile = await RawTelephone.dial(stack.port, stack.token)
})

afterEach(async () => {
  hostile.socket.terminate()
  await loop.successes(50)
  expect(await loop.stop(), `SEED=${seed}`).toEqual([])
  const output = stack.plugboard.child.output
  expect(output).not.toMatch(/uncaught|unhandled/i)
})

describe('before its hello', () => {
  const CASES: [what: string, message: () => Buffer | string][] = [
    ['a text message', () => 'hello'],
    ['an empty message', () => Buffer.alloc(0)],
    ['half a frame', () => frame(0x06, 0, Buffer.alloc(8)).subarray(0, 12)],
    ['a frame other than hello', () => frame(0x06, 0, Buffer.alloc(8))],
    ['a hello that is no JSON', () => frame(0x08, 0, '{')],
    ['a hello without its fields', () => frame(0x08, 0, '{"type":"hello"}')],
    ['random bytes', () => randomBytes(2000)],
    ['a message over the limit', () => Buffer.alloc(2_000_000)],
  ]
  it.each(CASES)('%s ends its tunnel alone', async (_, message) => {
    hostile.send(message())
    await hostile.ended()
  })
})

describe('after its hello', () => {
  const text = (length: number) => Buffer.alloc(length, 'x')
  const CASES: [what: string, messages: () => (Buffer | string)[]][] = [
    ['random bytes', () => [randomBytes(5000)]],
    ['an unknown critical frame type', () => [frame(0x7f, 0, 'x')]],
    ['data for a stream that was never opened', () => [frame(0x00, 2, 'x')]],
    ['a response for a stream that was never opened', () => [frame(0x02, 2, Buffer.from([0, 200, 0, 0, 0]))]],
    ['a stream id of the other side', () => [frame(0x01, 2, Buffer.from([1, 0, 0, 0, 0]))]],
    ['a second hello', () => [frame(0x08, 0, '{"type":"hello"}')]],
    ['a frame over the size that was agreed', () => [frame(0x00, 1, text(300_000))]],
    ['a window of 0', () => [frame(0x05, 2, Buffer.alloc(4))]],
    ['a ping of the wrong size', () => [frame(0x06, 0, 'x')]],
    ['a control frame on a stream', () => [frame(0x08, 3, '{}')]],
    ['a drained without a drain', () => [frame(0x08, 0, '{"type":"drained"}')]],
    [
      'CR and LF in a head block',
      () => [frame(0x01, 1, Buffer.from('\x01\x00\x00\x00\x0aapp\0GET\0/\r\n', 'latin1'))],
    ],
  ]
  it.each(CASES)('%s ends its tunnel alone', async (_, messages) => {
    hostile.hello()
    await hostile.receive('"hello"')
    for (const message of messages()) hostile.send(message)
    await hostile.ended()
  })

  it('a malformed announcement of 180 kB costs one short log line', async () => {
    hostile.hello()
    await hostile.receive('"hello"')
    const before = stack.plugboard.child.output.length
    const labels = { ['eyJ'.repeat(60_000)]: 'x' }
    hostile.send(
      frame(0x08, 0, JSON.stringify({ type: 'announce', id: 1, services: [{ service: 'a', labels }] })),
    )
    await hostile.ended()
    await loop.successes(20)
    const logged = stack.plugboard.child.output.slice(before)
    expect(logged).toContain('control message announce: services.0.labels.eyJ')
    expect(Math.max(...logged.split('\n').map(line => line.length))).toBeLessThan(2_000)
  })

  it('survives 50 tunnels of random frames', async () => {
    for (let round = 0; round < 50; round += 1) {
      const telephone = await RawTelephone.dial(stack.port, stack.token)
      if (round % 2 === 0) telephone.hello()
      for (let count = 0; count < 20; count += 1) {
        const type = Math.floor(random() * 12)
        telephone.send(
          frame(type, Math.floor(random() * 4), randomBytes(Math.floor(random() * 64)), round & 1),
        )
      }
      await telephone.ended()
    }
  })
})

describe('that makes Plugboard hold bytes', () => {
  const RESET = 0x04
  const open = (stream: number) =>
    frame(
      0x01,
      stream,
      Buffer.concat([Buffer.from('05000000', 'hex'), Buffer.from([2, 0, 0]), Buffer.alloc(20_000)]),
    )

  it('gets two of the 4,096 echo streams that it opens, and no more memory than they may hold', async () => {
    // It gives no credit, so that no byte of the echo can be sent.
    hostile.hello({ initialWindowBytes: 1024 })
    const hello = await hostile.receive('"hello"')
    expect(hello.toString('latin1')).toContain('"maxStreams":2,')
    for (let stream = 1; stream < 8192; stream += 2) hostile.send(open(stream))
    const refusals = () =>
      framesOf(hostile.messages).filter(each => each.type === RESET && each.payload.readUInt16BE(0) === 4)
        .length
    await eventually('the others are refused with overloaded', () => refusals() === 4094 || undefined)
    hostile.send(frame(0x06, 0, '12345678'))
    await hostile.receive('12345678')
    expect(hostile.socket.readyState).toBe(hostile.socket.OPEN)
  })
})

describe('with its own service', () => {
  const HOSTILE = 'hostile.localhost'

  async function serve(): Promise<void> {
    const known = await stack.plugboard.api('GET', '/v1/services/hostile')
    if (known.status === 404) {
      await stack.plugboard.addService('hostile')
      await stack.plugboard.addRoute(HOSTILE, 'hostile')
    }
    hostile.hello()
    await hostile.receive('"hello"')
    hostile.announce('hostile')
    await hostile.receive('"announced"')
  }

  /** Resolves with the id of the stream that a request opens. */
  async function streamOf(request: () => void): Promise<number> {
    const opened = hostile.receive('/wanted')
    request()
    return (await opened).readUInt32BE(5)
  }

  const head = (status: number) => Buffer.from([status >> 8, status & 255, 0, 0, 0])

  it('cannot send more than its window', async () => {
    await serve()
    const client = await RawConnection.open(stack.port)
    const id = await streamOf(() => void client.send(`GET /wanted HTTP/1.1\r\nHost: ${HOSTILE}\r\n\r\n`))
    client.socket.pause()
    hostile.send(frame(0x02, id, head(200)))
    for (let sent = 0; sent < 64; sent += 1) hostile.send(frame(0x00, id, Buffer.alloc(200_000)))
    await hostile.ended()
    client.destroy()
  })

  it('cannot make an incomplete response look complete', async () => {
    await serve()
    const client = await RawConnection.open(stack.port)
    const id = await streamOf(() => void client.send(`GET /wanted HTTP/1.1\r\nHost: ${HOSTILE}\r\n\r\n`))
    hostile.send(frame(0x02, id, Buffer.concat([head(200), Buffer.from('half')])))
    await client.readUntil('half')
    hostile.send(frame(0x00, 99_998, 'never opened'))
    await hostile.ended()
    expect((await client.readToEnd()).toString()).not.toContain('0\r\n\r\n')
    client.destroy()
  })

  it('causes a 502 for its clients when it sends an invalid response', async () => {
    await serve()
    const response = send({ port: stack.port, host: HOSTILE, path: '/wanted' })
    const opened = await hostile.receive('/wanted')
    hostile.send(frame(0x02, opened.readUInt32BE(5), head(7)))
    expect((await response).status).toBe(502)
    await hostile.ended()
  })

  it('cannot announce a service outside of its scope', async () => {
    const { token } = await stack.plugboard.issueToken({ services: ['only-this'] })
    const telephone = await RawTelephone.dial(stack.port, token)
    telephone.hello()
    await telephone.receive('"hello"')
    telephone.announce('app')
    const announced = await telephone.receive('"announced"')
    expect(announced.toString('latin1')).toContain('"accepted":false')
    telephone.socket.terminate()
    await telephone.ended()
  })
})
