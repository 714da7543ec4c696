import { silentLogger } from '@vera-stack/shared/log.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { linkedPair, PeerNode } from '../../../test/support/harness/peer-node.ts'
import { Relay } from '../../../test/support/http/relay.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { LINES_FEATURE } from '../peer.ts'
import {
  MAX_OPEN_QUERIES,
  MAX_QUERY_BYTES,
  MAX_RESPONSE_BYTES,
  QUERY_TIMEOUT_MS,
  QueryResponder,
  sendQuery,
} from './peer-queries.ts'

it('sends a query to every other replica, and returns the responses', async () => {
  const respondToQuery = (name: string, params: unknown) => ({
    name,
    params,
    text: 'ü',
    long: 'x'.repeat(300_000),
  })
  const { a, b } = await linkedPair({}, { respondToQuery })
  const { responses, missing } = await a.network.query('telephones', { limit: 3 })
  expect(missing).toEqual([])
  expect(responses).toEqual([
    {
      replicaId: 'b',
      value: { name: 'telephones', params: { limit: 3 }, text: 'ü', long: 'x'.repeat(300_000) },
    },
  ])
  // In the other direction, replica a does not support this query.
  expect(await b.network.query('telephones', {})).toEqual({
    responses: [],
    missing: [{ id: 'a', reason: 'its version does not support this query' }],
  })
})

it('lists a replica of an older version, which does not support queries, as missing', async () => {
  const { a } = await linkedPair({}, { features: [LINES_FEATURE] })
  expect((await a.network.query('telephones', {})).missing).toEqual([
    { id: 'b', reason: 'its version does not support queries of other replicas' },
  ])
})

it('lists a replica that fails to respond as missing, and keeps the link', async () => {
  const errors: unknown[] = []
  const log = { ...silentLogger, child: () => log, error: (...fields: unknown[]) => void errors.push(fields) }
  let bytes = 0
  const respondToQuery = (name: string) => {
    if (name === 'broken') throw new Error('no such table')
    return { text: 'x'.repeat(bytes) }
  }
  const { a } = await linkedPair({}, { respondToQuery, log })
  const failed = (await a.network.query('broken', {})).missing
  expect(failed).toEqual([{ id: 'b', reason: 'the query failed: internal_error' }])
  expect(errors).toMatchObject([['a query of another replica failed', { detail: 'broken' }]])
  bytes = MAX_RESPONSE_BYTES
  const large = (await a.network.query('large', {})).missing
  expect(large).toEqual([{ id: 'b', reason: 'the query failed: payload_too_large' }])
  const long = (await a.network.query('long', { text: 'x'.repeat(MAX_QUERY_BYTES) })).missing
  expect(long).toEqual([{ id: 'b', reason: 'the query failed: payload_too_large' }])
  bytes = 1
  expect((await a.network.query('small', {})).responses).toHaveLength(1)
})

it('lists a replica that cannot be reached as missing', async () => {
  const [a, b] = [await PeerNode.listen('a'), await PeerNode.listen('b')]
  const relay = await Relay.listen({ targetPort: a.port })
  try {
    a.dial()
    b.dial(`127.0.0.1:${relay.port}`)
    a.serve('web')
    await b.knows('web', 1)
    relay.refuse(true)
    relay.cut()
    await eventually('the link is closed', () => (b.wayTo('a').canOpen ? undefined : true))
    const { responses, missing } = await b.network.query('telephones', {})
    expect(responses).toEqual([])
    expect(missing).toMatchObject([{ id: 'a', reason: expect.stringContaining('there is no link to it') }])
  } finally {
    await relay.close()
  }
})

it('fails a query without a response after its time limit', async () => {
  const clock = new ManualClock()
  const resets: string[] = []
  const stream = {
    write: () => true,
    end: () => undefined,
    consume: () => undefined,
    reset: (reason: string) => void resets.push(reason),
  }
  const link = { peer: { features: ['queries'] }, open: () => stream }
  const asked = sendQuery(link as unknown as Parameters<typeof sendQuery>[0], 'telephones', {}, clock)
  clock.advance(QUERY_TIMEOUT_MS)
  await expect(asked).rejects.toThrow('it did not respond within 2 s')
  expect(resets).toEqual(['cancelled'])
})

/** A stream that records how it was reset. */
function recordedStream() {
  const resets: string[] = []
  const stream = {
    ...{ write: () => true, end: () => undefined, consume: () => undefined, respond: () => undefined },
    reset: (reason: string) => void resets.push(reason),
  }
  return { resets, stream: stream as unknown as Stream }
}

it.each([
  ['larger than 4194304 bytes', 200, Buffer.alloc(MAX_RESPONSE_BYTES + 1)],
  ['not JSON', 200, Buffer.from('{')],
  ['does not support this query', 404, Buffer.alloc(0)],
])('refuses a response: %s', async (reason, status, body) => {
  const clock = new ManualClock()
  const { stream, resets } = recordedStream()
  let events: StreamEvents | undefined
  const open = (_opening: Opening, given: StreamEvents): Stream => {
    events = given
    return stream
  }
  const link = { peer: { features: ['queries'] }, open } as unknown as Parameters<typeof sendQuery>[0]
  const asked = sendQuery(link, 'telephones', {}, clock)
  events?.onHead({ status, statusText: '', fields: [] })
  events?.onData(body)
  events?.onEnd(undefined)
  await expect(asked).rejects.toThrow(reason)
  expect(resets[0]).toBe('cancelled')
  expect(clock.pendingTimers).toBe(0)
})

it('serves a bounded number of queries of one replica at once', () => {
  const responder = new QueryResponder(
    () => ({}),
    () => undefined,
  )
  const opening: Opening = {
    ...{ kind: 'query', hops: 0, service: '', method: '', target: 'telephones', fields: [] },
  }
  const accept = () => {
    const { stream, resets } = recordedStream()
    return { events: responder.accept(stream, opening), resets }
  }
  const open = Array.from({ length: MAX_OPEN_QUERIES }, accept)
  expect(open.flatMap(({ resets }) => resets)).toEqual([])
  expect(accept().resets).toEqual(['overloaded'])
  open[0]?.events.onData(Buffer.from('{}'))
  open[0]?.events.onEnd(undefined)
  expect(accept().resets).toEqual([])
  expect(accept().resets).toEqual(['overloaded'])
})

it('responds later when the response is a promise, and reports its rejection', async () => {
  const failures: unknown[] = []
  const responses: PromiseWithResolvers<object>[] = []
  const responder = new QueryResponder(
    () => {
      const response = Promise.withResolvers<object>()
      responses.push(response)
      return response.promise
    },
    (_name, error) => void failures.push(error),
  )
  const opening: Opening = { kind: 'query', hops: 0, service: '', method: '', target: 'probe', fields: [] }
  const ask = () => {
    const written: string[] = []
    const recorded = recordedStream()
    const stream = { ...recorded.stream, write: (chunk: Buffer) => written.push(chunk.toString()) > 0 }
    const events = responder.accept(stream as unknown as Stream, opening)
    events.onData(Buffer.from('{}'))
    events.onEnd(undefined)
    return { events, written, resets: recorded.resets }
  }
  const [first, second, third] = [ask(), ask(), ask()]
  expect(first.written).toEqual([])
  third.events.onAbort(new TunnelError('cancelled'))
  for (const { resolve } of [responses[0]!, responses[2]!]) resolve({ health: 'up' })
  responses[1]!.reject(new Error('no'))
  await new Promise(setImmediate)
  expect([first.written, second.resets, third.written]).toEqual([['{"health":"up"}'], ['internal_error'], []])
  expect(failures).toEqual([new Error('no')])
})
