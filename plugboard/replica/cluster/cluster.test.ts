import { silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it, onTestFinished } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import type { ReplicaRecord } from '../../common/replica-record.ts'
import { loadPlugboardConfig } from '../../config.ts'
import { newIncarnation } from '../../registry/incarnation.ts'
import { Registry } from '../../registry/registry.ts'
import { TunnelCounts } from '../../registry/tunnel-counts.ts'
import type { ReplicaAddress } from '../../telephones/tunnels/tunnel-mover.ts'
import { Cluster } from './cluster.ts'

const SECRET = 'the secret of the tests'
const { values: CONFIG } = loadPlugboardConfig({
  flags: { peerListen: '127.0.0.1:0', publicUrl: 'http://one.test', clusterSecret: SECRET, rebalance: false },
  env: {},
})

const OTHER: ReplicaRecord = {
  id: asReplicaId('two'),
  incarnation: newIncarnation(1000, () => 0),
  startedAt: new Date(0),
  address: 'http://127.0.0.1:1',
  publicUrl: 'http://two.test',
  version: '1',
  state: 'ready',
  appliedSequence: 1,
  heartbeat: 'first',
  heartbeatAgeMs: 0,
}

async function setUp() {
  const clock = new ManualClock()
  const sent: (readonly ReplicaAddress[])[] = []
  const rows: (string | null)[] = []
  const database = { away: false, others: [] as ReplicaRecord[] }
  const cluster = new Cluster(
    {
      config: CONFIG,
      self: { id: asReplicaId('one'), incarnation: newIncarnation(1000, () => 0) },
      startedAt: new Date(1000),
      registry: new Registry(),
      tunnelCounts: new TunnelCounts(),
      appliedSequence: () => 1,
      clock,
      log: silentLogger,
      rows: {
        beat: row => {
          if (database.away) return Promise.reject(new Error('away'))
          rows.push(row.publicUrl)
          const heartbeat = String(rows.length)
          return Promise.resolve({
            current: true,
            rows: database.others.map(other => ({ ...other, heartbeat })),
          })
        },
        remove: () => Promise.resolve(),
      },
      tunnels: { tunnelCount: 0, streamCount: 0, probe: () => undefined, confirmedAlive: true },
      mover: {
        move: () => 0,
        leave: () => Promise.resolve(),
        setReplicas: replicas => void sent.push(replicas),
      },
      openLocal: () => expect.fail('this replica receives no forwarded request'),
      heldOf: undefined,
      respondToQuery: undefined,
    },
    [SECRET],
  )
  await cluster.listen()
  onTestFinished(() => cluster.stop(0))
  const start = async (): Promise<void> => {
    const started = cluster.start()
    await eventually('the first heartbeat', () => (rows.length > 0 ? true : undefined))
    clock.advance(3000)
    await started
  }
  return { clock, sent, rows, database, cluster, start }
}

it('sends no telephone here before the public port listens', async () => {
  const { clock, sent, rows, cluster, start } = await setUp()
  await start()
  expect([rows[0], sent.flat()]).toEqual([null, []])
  cluster.open()
  expect(sent.at(-1)).toEqual([{ id: 'one', url: 'http://one.test' }])
  const before = rows.length
  clock.advance(1000)
  expect(rows.slice(before)).toEqual(['http://one.test'])
})

it('sends telephones the list without a replica that died during an outage of the database', async () => {
  const { clock, sent, database, cluster, start } = await setUp()
  database.others = [OTHER]
  await start()
  cluster.open()
  await eventually('telephones get the address of the other replica', () => {
    clock.advance(1000)
    return sent.at(-1)?.some(({ id }) => id === 'two') || undefined
  })
  database.away = true
  await eventually('telephones get a list without the other replica', () => {
    clock.advance(500)
    return sent.at(-1)?.every(({ id }) => id === 'one') || undefined
  })
})
