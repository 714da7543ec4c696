import { silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it } from 'vitest'
import { eventually } from '../../test/support/deadline.ts'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { linkedPair, PeerNode } from '../../test/support/peer-node.ts'
import { Relay } from '../../test/support/relay.ts'
import { LINES_FEATURE } from './peer.ts'
import { MAX_QUERY_BYTES, MAX_RESPONSE_BYTES, QUERY_TIMEOUT_MS, sendQuery } from './peer-queries.ts'

it('asks every other replica, and returns what each responds', async () => {
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
  // The other way round the question has no such name.
  expect(await b.network.query('telephones', {})).toEqual({
    responses: [],
    missing: [{ id: 'a', reason: 'its version does not know this question' }],
  })
})

it('names a replica of an older version, which has no such stream', async () => {
  const { a } = await linkedPair({}, { features: [LINES_FEATURE] })
  expect((await a.network.query('telephones', {})).missing).toEqual([
    { id: 'b', reason: 'its version does not respond to questions of other replicas' },
  ])
})

it('names a replica that fails to respond, and goes on with the link', async () => {
  const errors: unknown[] = []
  const log = { ...silentLogger, child: () => log, error: (...fields: unknown[]) => void errors.push(fields) }
  let bytes = 0
  const respondToQuery = (name: string) => {
    if (name === 'broken') throw new Error('no such table')
    return { text: 'x'.repeat(bytes) }
  }
  const { a } = await linkedPair({}, { respondToQuery, log })
  const failed = (await a.network.query('broken', {})).missing
  expect(failed).toEqual([{ id: 'b', reason: 'the question was not served: internal_error' }])
  expect(errors).toMatchObject([['a query of another replica failed', { detail: 'broken' }]])
  bytes = MAX_RESPONSE_BYTES
  const large = (await a.network.query('large', {})).missing
  expect(large).toEqual([{ id: 'b', reason: 'the question was not served: payload_too_large' }])
  const long = (await a.network.query('long', { text: 'x'.repeat(MAX_QUERY_BYTES) })).missing
  expect(long).toEqual([{ id: 'b', reason: 'the question was not served: payload_too_large' }])
  bytes = 1
  expect((await a.network.query('small', {})).responses).toHaveLength(1)
})

it('names a replica that cannot be reached', async () => {
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

it('waits for a response no longer than its time limit', async () => {
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
