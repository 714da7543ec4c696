import { expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { linkedPair } from '../../../test/support/harness/peer-node.ts'
import type { RecordedStream } from '../../../test/support/session/recorded-stream.ts'

const until = (what: string, condition: () => boolean) =>
  eventually(what, () => (condition() ? true : undefined))
const aborted = (stream: RecordedStream) => eventually('the stream aborts', () => stream.aborted)

it('carries a complete exchange over one hop: head, body, 1xx, response, trailers', async () => {
  const { a, b } = await linkedPair()
  a.serve('web')
  await b.knows('web', 1)
  const near = b.open('a', { fields: ['X-Case', 'KePt'], target: '/p?q', affinity: 'one' })
  near.stream.write(Buffer.from('question'))
  near.stream.end(['x-sum', '1'])
  const far = await a.arrived()
  await until('the request ends', () => far.ended)
  expect(far.opening).toMatchObject({
    hops: 1,
    service: 'web',
    target: '/p?q',
    fields: ['X-Case', 'KePt'],
    affinity: 'one',
  })
  expect([far.body.toString(), far.trailers]).toEqual(['question', ['x-sum', '1']])
  far.stream.respond({ status: 103, statusText: 'Early Hints', fields: ['link', '<a>'] })
  far.stream.respond({ status: 200, statusText: 'Fine', fields: ['x', 'y'], backendUs: 1500 })
  far.stream.write(Buffer.from('answer'))
  far.stream.end(['x-after', '2'])
  await until('the response ends', () => near.ended)
  expect(near.heads.map(({ status, statusText, backendUs }) => [status, statusText, backendUs])).toEqual([
    [103, 'Early Hints', undefined],
    [200, 'Fine', 1500],
  ])
  expect([near.body.toString(), near.trailers]).toEqual(['answer', ['x-after', '2']])
  expect([...near.violations, ...far.violations]).toEqual([])
  await until('only the exchange is left', () => b.network.replicas()[0]?.streams === 1)
})

it('sends the client to the telephone, and refuses a client that holds its share of the streams there', async () => {
  const { a, b } = await linkedPair({ maxStreams: 4 })
  a.serve('web')
  await b.knows('web', 1)
  const open = (client: string) => b.open('a', { client }, true)
  for (let number = 0; number < 3; number += 1) {
    open('192.0.2.7')
    expect((await a.arrived(number)).opening?.client).toBe('192.0.2.7')
  }
  expect(await aborted(open('192.0.2.7'))).toMatchObject({ reason: 'client_share', delivered: 'no' })
  open('192.0.2.8')
  expect((await a.arrived(3)).opening?.client).toBe('192.0.2.8')
})

it('stops a writer while its far end does not read, in both directions', async () => {
  const { a, b } = await linkedPair()
  a.serve('web')
  await b.knows('web', 1)
  const near = b.open('a')
  const far = await a.arrived()
  far.stream.respond({ status: 200, statusText: '', fields: [] })
  const chunk = Buffer.alloc(65_536, 7)
  for (const [writer, reader] of [
    [near, far],
    [far, near],
  ] as const) {
    let sentBytes = 0
    const turn = () => new Promise(resolve => setTimeout(resolve, 5))
    // Enough to fill both windows and the buffers between them, so that further writes are not accepted.
    for (let idle = 0; idle < 40; idle += 1) {
      while (sentBytes < 64 * 65_536 && writer.stream.write(chunk)) sentBytes += chunk.length
      await turn()
    }
    expect(sentBytes).toBeLessThan(3_000_000)
    expect(reader.receivedBytes).toBeLessThanOrEqual(262_144)
    const before = writer.writableCalls
    let consumed = 0
    await until('the writer has room', () => {
      reader.stream.consume(reader.receivedBytes - consumed)
      consumed = reader.receivedBytes
      return writer.writableCalls > before
    })
  }
  near.stream.reset('cancelled')
  expect((await aborted(far)).reason).toBe('cancelled')
})

it('passes resets on with their reason, and reports a lost tunnel as session_lost', async () => {
  const { a, b } = await linkedPair()
  a.serve('web')
  await b.knows('web', 1)
  const first = b.open('a')
  ;(await a.arrived(0)).stream.reset('backend_unreachable', 'nothing listens', 'connection_refused')
  expect(await aborted(first)).toMatchObject({
    reason: 'backend_unreachable',
    detail: 'nothing listens',
    causeCode: 'connection_refused',
  })
  const second = b.open('a')
  await a.arrived(1)
  second.stream.reset('idle_timeout')
  expect((await aborted(await a.arrived(1))).reason).toBe('idle_timeout')
  const third = b.open('a')
  await a.arrived(2)
  a.tunnel.link.cut()
  expect(await aborted(third)).toMatchObject({ reason: 'session_lost', remote: true })
})

it('refuses a second hop, and a service without a local line, before a byte is delivered', async () => {
  const { a, b } = await linkedPair()
  a.serve('web')
  await b.knows('web', 1)
  expect(await aborted(b.open('a', { hops: 1 }))).toMatchObject({ reason: 'refused', delivered: 'no' })
  expect(await aborted(b.open('a', { service: 'other' }))).toMatchObject({ reason: 'unknown_service' })
  // Replica b has a line of replica a, and must not forward a stream from a back to a.
  expect(await aborted(a.open('b'))).toMatchObject({ reason: 'unknown_service' })
  expect(a.tunnel.acceptor.accepted).toEqual([])
})

it('accepts only as much of a body as the origin has kept, until the telephone has accepted the stream', async () => {
  const { a, b } = await linkedPair()
  a.serve('web')
  await b.knows('web', 1)
  const chunk = Buffer.alloc(20_000, 1)
  const near = b.open('a')
  while (near.stream.write(chunk));
  const far = await a.arrived()
  await until('64 KiB are there', () => far.receivedBytes === 65_536)
  // Consumes all bytes except the last one. The bytes that the replica in between has accepted do not count.
  far.stream.consume(65_535)
  // All earlier messages of the replicas arrive before the response to this request.
  const after = b.open('a', {}, true)
  const responded = await a.arrived(1)
  responded.stream.respond({ status: 204, statusText: '', fields: [] })
  responded.stream.end()
  await until('the response has arrived', () => after.ended)
  expect([near.stream.accepted, near.writableCalls]).toEqual([false, 0])
  far.stream.consume(1)
  await until('it is taken', () => near.stream.accepted && near.writableCalls === 1)
  far.stream.reset('backend_closed')
  await aborted(near)
})

it('refuses an upload whose body the origin still holds when the tunnel starts to drain', async () => {
  const { a, b } = await linkedPair()
  a.serve('web')
  await b.knows('web', 1)
  void a.tunnel.acceptor.session.drain(10_000)
  await until('the replica has received the drain', () => !a.tunnel.dialer.session.canOpen)
  const near = b.open('a')
  for (let count = 0; count < 10; count += 1) near.stream.write(Buffer.alloc(65_536))
  expect(await aborted(near)).toMatchObject({ delivered: 'no' })
  expect(near.stream.accepted).toBe(false)
})

it('carries bytes of an upgraded stream both ways after the 101', async () => {
  const { a, b } = await linkedPair()
  a.serve('web')
  await b.knows('web', 1)
  const near = b.open('a', { kind: 'upgrade', method: 'GET' })
  const far = await a.arrived()
  far.stream.respond({ status: 101, statusText: '', fields: ['upgrade', 'x'] })
  far.stream.write(Buffer.from('hello'))
  near.stream.write(Buffer.from('good day'))
  await until('both ends have received the bytes', () => near.receivedBytes === 5 && far.receivedBytes === 8)
  near.stream.end()
  await until('the half is closed', () => far.ended)
  far.stream.end()
  await until('the other half is closed', () => near.ended)
  expect(near.violations).toEqual([])
})

it('names the picked line, so that a retry does not reach the line that has just failed', async () => {
  const { a, b } = await linkedPair()
  a.serve('web')
  await b.knows('web', 1)
  b.open('a', {}, true)
  expect((await a.arrived()).opening).toMatchObject({ hops: 1, service: 'web' })
  expect(a.picked).toEqual(['tunnel-a/web'])
})

it('does not name the line to a replica of an older version, which would read it as a service', async () => {
  const { a, b } = await linkedPair({ features: [] })
  a.serve('web')
  await b.knows('web', 1)
  b.open('a', {}, true)
  expect((await a.arrived()).opening).toMatchObject({ hops: 1, service: 'web' })
  expect(a.picked).toEqual([])
})

it('fails with payload_too_large for a head that is too large for the tunnel, so that it is not retried', async () => {
  const { a, b } = await linkedPair({ maxFrameBytes: 16_384 })
  a.serve('web')
  await b.knows('web', 1)
  const near = b.open('a', { fields: ['x-long', 'x'.repeat(20_000)] }, true)
  expect(await aborted(near)).toMatchObject({ reason: 'payload_too_large', remote: true })
})
