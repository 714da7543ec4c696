import type { TunnelCountReport } from '@vera-stack/shared/protocol/control/control.ts'
import { MAX_TUNNEL_COUNTS } from '@vera-stack/shared/protocol/control/control-schema.ts'
import { describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { linkedPair } from '../../../test/support/harness/peer-node.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { TunnelCounts } from '../../registry/tunnel-counts.ts'
import { TunnelCountSync } from './tunnel-count-sync.ts'

/** Returns a link that records the messages. */
function recordingLink() {
  const sent: TunnelCountReport[] = []
  const link = {
    state: 'open' as 'open' | 'closed',
    sendControl: (message: object) => sent.push(message as TunnelCountReport) > 0,
  }
  return { sent, link }
}

const report = (sequence: number, counts: [string, number][], reset = false): TunnelCountReport => ({
  type: 'tunnels',
  sequence,
  reset,
  counts,
})

describe('sent counts', () => {
  it('are complete at first, then only the changed ones, and empty without a change', () => {
    const counts = new TunnelCounts()
    const sync = new TunnelCountSync(counts, asReplicaId('peer'))
    const { sent, link } = recordingLink()
    for (const holder of ['a', 'a', 'b']) counts.add(holder)
    sync.flush(link)
    counts.remove('b')
    counts.add('a')
    sync.flush(link)
    sync.flush(link)
    expect(sent).toEqual([
      report(
        1,
        [
          ['a', 2],
          ['b', 1],
        ],
        true,
      ),
      report(2, [
        ['b', 0],
        ['a', 3],
      ]),
    ])
  })

  it('start over on another link, and use the first link while it is open', () => {
    const counts = new TunnelCounts()
    const sync = new TunnelCountSync(counts, asReplicaId('peer'))
    const [first, second] = [recordingLink(), recordingLink()]
    sync.flush(first.link)
    counts.add('a')
    sync.flush(second.link)
    expect([first.sent, second.sent]).toEqual([[report(1, [], true), report(2, [['a', 1]])], []])
    first.link.state = 'closed'
    counts.add('b')
    sync.flush(second.link)
    expect(second.sent).toEqual([
      report(
        3,
        [
          ['a', 1],
          ['b', 1],
        ],
        true,
      ),
    ])
  })

  it('are spread over several flushes when there are many', () => {
    const counts = new TunnelCounts()
    const sync = new TunnelCountSync(counts, asReplicaId('peer'))
    const { sent, link } = recordingLink()
    for (let index = 0; index < 3 * MAX_TUNNEL_COUNTS + 1; index += 1) counts.add(`holder-${index}`)
    sync.flush(link)
    expect(sent.map(each => [each.reset, each.counts.length])).toEqual([
      [true, MAX_TUNNEL_COUNTS],
      [false, MAX_TUNNEL_COUNTS],
      [false, MAX_TUNNEL_COUNTS],
    ])
    sync.flush(link)
    expect(sent.at(-1)?.counts).toEqual([[`holder-${3 * MAX_TUNNEL_COUNTS}`, 1]])
    for (const message of sent) expect(JSON.stringify(message).length).toBeLessThan(16_384)
  })
})

describe('received counts', () => {
  it('stay until a newer message replaces them, and late messages are ignored', () => {
    const counts = new TunnelCounts()
    const sync = new TunnelCountSync(counts, asReplicaId('peer'))
    sync.receive(report(4, [['a', 2]], true))
    sync.receive(report(5, [['b', 1]]))
    sync.receive(report(4, [['a', 9]]))
    expect([counts.total('a'), counts.total('b')]).toEqual([2, 1])
    sync.receive(report(7, [['b', 3]], true))
    expect([counts.total('a'), counts.total('b')]).toEqual([0, 3])
  })

  it('are dropped with the last link, and when the replica restarts', () => {
    const counts = new TunnelCounts()
    const sync = new TunnelCountSync(counts, asReplicaId('peer'))
    sync.receive(report(9, [['a', 2]], true))
    sync.forget()
    expect(counts.total('a')).toBe(0)
    sync.receive(report(1, [['a', 1]], true))
    expect(counts.total('a')).toBe(1)
    sync.close()
    expect(counts.total('a')).toBe(0)
  })
})

it('adds the counts of another replica while there is a link to it', async () => {
  const { a: one, b: two } = await linkedPair()
  one.tunnelCounts.add('a')
  two.tunnelCounts.add('a')
  const untilTotals = (expected: readonly number[]): Promise<true> =>
    eventually(`totals ${expected}`, () =>
      [one, two].every(({ tunnelCounts }, index) => tunnelCounts.total('a') === expected[index])
        ? true
        : undefined,
    )
  await untilTotals([2, 2])
  two.tunnelCounts.add('a')
  await untilTotals([3, 3])
  await two.network.stop(0)
  await untilTotals([1, 2])
})
