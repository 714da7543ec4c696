// Unread bytes of streams over a link count for the telephone at the far end, on the replica of the client and on the replica of
// the tunnel. They never end the link.

import { HeldBytes } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import { expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { linkedPair } from '../../../test/support/harness/peer-node.ts'
import type { RecordedStream } from '../../../test/support/session/recorded-stream.ts'

const KIB = 1024
const OK = { status: 200, statusText: 'OK', fields: [] }

const until = (what: string, condition: () => boolean) => eventually(what, () => condition() || undefined)

/** Writes while there is room, and then ends the stream. */
function flood(recorded: RecordedStream, bytes: number): void {
  const { stream } = recorded
  let left = bytes
  const more = () => {
    while (left > 0 && stream.open) {
      left -= 64 * KIB
      if (!stream.write(Buffer.alloc(64 * KIB))) break
    }
    if (left === 0 && stream.open) {
      left = -1
      stream.end()
    }
  }
  recorded.onWritable = more
  stream.respond(OK)
  more()
}

/** Starts two telephones with two tokens on one replica, and another replica for their clients. */
async function clientsAway(budgetBytes: number) {
  const accounts = new Map<string, HeldBytes>()
  const process = new HeldBytes({ budgetBytes: 2 ** 30 })
  const { a, b } = await linkedPair(
    {},
    {
      heldOf: ({ tunnelId }) => {
        const known = accounts.get(tunnelId) ?? new HeldBytes({ budgetBytes, parent: process })
        accounts.set(tunnelId, known)
        return known
      },
    },
  )
  a.serve('web')
  await b.knows('web', 1)
  return { a, b, account: () => accounts.get('tunnel-a')! }
}

it('count for the telephone on the replica of a client that does not read, and end its streams but not the link', async () => {
  const { a, b, account } = await clientsAway(600 * KIB)
  const stalled = [b.open('a', {}, true), b.open('a', {}, true), b.open('a', {}, true)]
  await until('all have arrived', () => a.tunnel.acceptor.accepted.length === 3)
  for (const far of a.tunnel.acceptor.accepted) flood(far, 1024 * KIB)
  await until('one is reset', () => stalled.some(({ aborted }) => aborted !== undefined))
  expect(stalled.flatMap(({ aborted }) => aborted ?? [])).toMatchObject([{ reason: 'over_budget' }])
  await until('the telephone has received the reset', () =>
    a.tunnel.acceptor.accepted.some(({ aborted }) => aborted?.reason === 'over_budget'),
  )
  expect(account().heldBytes).toBeLessThanOrEqual(600 * KIB)
  const [link] = b.network.replicas()
  expect(link).toMatchObject({ linked: true, dialed: true })
  // A new stream over the same link works.
  const next = b.open('a', {}, true)
  await until('it arrives', () => a.tunnel.acceptor.accepted.length === 4)
  a.tunnel.acceptor.accepted[3]!.stream.respond(OK)
  a.tunnel.acceptor.accepted[3]!.stream.end()
  await until('it has a response', () => next.ended)
  for (const { stream } of stalled) stream.reset('cancelled')
  await until('no bytes are held', () => account().heldBytes === 0)
})

it('end all streams of the telephone above twice its budget, and not the link', async () => {
  const { a, b, account } = await clientsAway(100 * KIB)
  const stalled = [b.open('a', {}, true), b.open('a', {}, true)]
  await until('all have arrived', () => a.tunnel.acceptor.accepted.length === 2)
  for (const far of a.tunnel.acceptor.accepted) flood(far, 256 * KIB)
  await until('both are reset', () => stalled.every(({ aborted }) => aborted !== undefined))
  expect(account().heldBytes).toBe(0)
  expect(b.network.replicas()[0]).toMatchObject({ linked: true })
})

it('count for the tunnel on its replica while the link does not accept them, even after the telephone has ended', async () => {
  const { a, b } = await linkedPair({ tunnelBudgetBytes: 1000 * KIB })
  a.serve('web')
  await b.knows('web', 1)
  const stalled = Array.from({ length: 5 }, () => b.open('a', {}, true))
  await until('all have arrived', () => a.tunnel.acceptor.accepted.length === 5)
  const tunnel = a.tunnel.dialer.held
  // One window of each stream goes over the link to the client's replica, and as many bytes wait here.
  for (const far of a.tunnel.acceptor.accepted.slice(0, 3)) flood(far, 512 * KIB)
  await until('they wait', () => tunnel.heldBytes >= 3 * 200 * KIB)
  for (const far of a.tunnel.acceptor.accepted.slice(3)) flood(far, 512 * KIB)
  await until('one is reset', () => stalled.some(({ aborted }) => aborted !== undefined))
  expect(stalled.flatMap(({ aborted }) => aborted?.reason ?? [])).toContain('over_budget')
  expect(tunnel.heldBytes).toBeLessThanOrEqual(1000 * KIB)
  expect([a.tunnel.dialer.session.state, b.network.replicas()[0]?.linked]).toEqual(['open', true])
  // Bytes that clients have read are no longer held.
  for (const recorded of stalled) {
    const onData = recorded.onData.bind(recorded)
    recorded.stream.consume(recorded.receivedBytes)
    recorded.onData = chunk => {
      onData(chunk)
      recorded.stream.consume(chunk.length)
    }
  }
  await until('the ended ones are complete', () => stalled.filter(({ ended }) => ended).length >= 2)
  for (const { stream } of stalled) stream.reset('cancelled')
  await until('no bytes are held', () => tunnel.heldBytes === 0)
})

it('of heads do not end the link', async () => {
  const { a, b } = await linkedPair({ limits: { sendHardLimitBytes: 16 * 2 ** 20 } })
  a.serve('web')
  await b.knows('web', 1)
  const streams = Array.from({ length: 100 }, () => b.open('a', {}, true))
  await until('all have arrived', () => a.tunnel.acceptor.accepted.length === 100)
  // Opens streams with more bytes at once than the link may have unsent.
  const fields = ['x', 'y'.repeat(250_000)]
  for (const { stream } of a.tunnel.acceptor.accepted) {
    stream.respond({ status: 103, statusText: '', fields })
    stream.respond({ ...OK, fields })
    stream.end()
  }
  await until('all have responses', () => streams.every(({ ended }) => ended))
  expect(b.network.replicas()[0]).toMatchObject({ linked: true, dialed: true })
})
