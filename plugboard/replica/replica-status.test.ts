import { expect, it } from 'vitest'
import { asReplicaId } from '../common/replica-id.ts'
import type { KnownReplica } from '../peers/known-replicas.ts'
import { replicaStatus } from './replica-status.ts'

const SOUND: KnownReplica = {
  id: asReplicaId('two'),
  boot: '2',
  address: 'http://two:4002',
  linked: true,
  dialed: true,
  rttMs: 1,
  streams: 1,
  leaseMs: 2500,
  lines: 3,
  inSync: true,
  faultyMessages: 0,
  problem: '',
  report: {
    type: 'replica',
    state: 'ready',
    address: 'http://two:4002',
    version: '1',
    startedAt: 1,
    appliedSequence: 7,
    tunnels: 1,
    streams: 0,
  },
  record: {
    id: asReplicaId('two'),
    boot: '2',
    startedAt: new Date(1),
    address: 'http://two:4002',
    publicUrl: null,
    version: '1',
    state: 'ready',
    appliedSequence: 7,
    heartbeatAgeMs: 300,
  },
}
const said = (more: Partial<KnownReplica>, databaseReachable = true) =>
  replicaStatus({ ...SOUND, ...more }, 7, databaseReachable).disagreements

it('has nothing to say of a sound replica', () => {
  expect(said({})).toEqual([])
})

it('says nothing by rows of a database that is away: they are as old as its last answer', () => {
  const gone = { linked: false, dialed: false, report: undefined, leaseMs: 0 }
  expect(said(gone)).toEqual(['The database has its heartbeat, but there is no link to it.'])
  expect(said(gone, false)).toEqual([])
  expect(said({ boot: '3' })).toEqual(['The database and the link name different starts of it.'])
  expect(said({ boot: '3' }, false)).toEqual([])
})

it('shows that its lines came damaged', () => {
  expect(said({ faultyMessages: 1 })).toEqual([
    'What it says of its lines was not sound once; they were asked for again.',
  ])
})
