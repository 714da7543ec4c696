import { type Logger, silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import type { ReplicaRecord, ReplicaRecords } from '../../common/replica-record.ts'
import { PostgresDiscovery } from './postgres-discovery.ts'

function record(id: string): ReplicaRecord {
  return {
    id: asReplicaId(id),
    incarnation: '000000001-a',
    startedAt: new Date(0),
    address: `http://${id}:4002`,
    publicUrl: null,
    version: '1',
    state: 'ready',
    appliedSequence: 1,
    heartbeat: 'first',
    heartbeatAgeMs: 5,
  }
}

function discoveryOf(
  rows: ReplicaRecords,
  clock: ManualClock,
  log: Logger = silentLogger,
): PostgresDiscovery {
  return new PostgresDiscovery({
    rows,
    clock,
    log,
    self: { id: asReplicaId('one'), incarnation: '000000001-a' },
    describe: () => record('one'),
  })
}

it('writes its row every second, keeps the last result while the database fails, and deletes its row at the stop', async () => {
  const clock = new ManualClock()
  let away = false
  let beats = 0
  let responses = 0
  const removed: string[] = []
  const rows: ReplicaRecords = {
    beat: () => {
      beats += 1
      if (away) return Promise.reject(new Error('away'))
      return Promise.resolve({ current: true, rows: [record('one'), record('two')] })
    },
    remove: id => {
      removed.push(id)
      return Promise.resolve()
    },
  }
  const discovery = discoveryOf(rows, clock)
  const beaten = (count: number) =>
    eventually('the beat is over', () => (beats === count && clock.pendingTimers === 1 ? true : undefined))
  discovery.start(() => {
    responses += 1
  })
  await beaten(1)
  // Without this replica itself.
  expect(discovery.found().map(({ address }) => address)).toEqual(['http://two:4002'])
  away = true
  clock.advance(1000)
  await beaten(2)
  expect([discovery.found().length, responses]).toEqual([1, 1])
  away = false
  clock.advance(1000)
  await beaten(3)
  expect(responses).toBe(2)
  await discovery.stop()
  expect([removed, clock.pendingTimers]).toEqual([['one'], 0])
})

it('adds the time of a slow response to the ages of the rows', async () => {
  const clock = new ManualClock()
  const response = Promise.withResolvers<{ current: boolean; rows: ReplicaRecord[] }>()
  const rows: ReplicaRecords = { beat: () => response.promise, remove: () => Promise.resolve() }
  const discovery = discoveryOf(rows, clock)
  const responded = new Promise<void>(resolve => discovery.start(resolve))
  clock.advance(2000)
  response.resolve({ current: true, rows: [record('two')] })
  await responded
  expect(discovery.found().map(each => each.record?.heartbeatAgeMs)).toEqual([2005])
  await discovery.stop()
})

it('stops in time when the database does not respond', async () => {
  const clock = new ManualClock()
  const silence = new Promise<never>(() => undefined)
  const discovery = discoveryOf({ beat: () => silence, remove: () => silence }, clock)
  discovery.start(() => undefined)
  const stopped = discovery.stop()
  clock.advance(2000)
  await stopped
  expect(clock.pendingTimers).toBe(0)
})

it('keeps writing heartbeats, and logs no error of the database, when a listener fails', async () => {
  const clock = new ManualClock()
  const logged: string[] = []
  const log = {
    ...silentLogger,
    warn: (message: string) => void logged.push(`warn ${message}`),
    error: (message: string) => void logged.push(`error ${message}`),
  }
  let beats = 0
  const rows: ReplicaRecords = {
    beat: () => {
      beats += 1
      return Promise.resolve({ current: true, rows: [record('two')] })
    },
    remove: () => Promise.resolve(),
  }
  const discovery = discoveryOf(rows, clock, log)
  discovery.start(() => {
    throw new Error('a bug')
  })
  await eventually('the next beat is due', () => clock.pendingTimers === 1 || undefined)
  expect(logged).toEqual(['error the replicas from the database could not be applied'])
  clock.advance(1000)
  expect(beats).toBe(2)
  await discovery.stop()
})

it('lets a heartbeat grow older when the clock of the database is set back', async () => {
  const clock = new ManualClock()
  let row: ReplicaRecord = { ...record('two'), heartbeat: 'first', heartbeatAgeMs: 900 }
  let responses = 0
  const rows: ReplicaRecords = {
    beat: () => Promise.resolve({ current: true, rows: [row] }),
    remove: () => Promise.resolve(),
  }
  const discovery = discoveryOf(rows, clock)
  discovery.start(() => {
    responses += 1
  })
  const afterBeat = async (count: number): Promise<number | undefined> => {
    await eventually('the beat is over', () =>
      responses === count && clock.pendingTimers === 1 ? true : undefined,
    )
    return discovery.found()[0]?.record?.heartbeatAgeMs
  }
  expect(await afterBeat(1)).toBe(900)
  // The replica is dead, and an hour is taken from the database's clock.
  row = { ...row, heartbeatAgeMs: 0 }
  clock.advance(1000)
  expect(await afterBeat(2)).toBe(1000)
  clock.advance(1000)
  expect(await afterBeat(3)).toBe(2000)
  row = { ...row, heartbeat: 'second', heartbeatAgeMs: 40 }
  clock.advance(1000)
  expect(await afterBeat(4)).toBe(40)
  await discovery.stop()
})
