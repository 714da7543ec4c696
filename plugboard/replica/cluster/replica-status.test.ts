import { expect, it } from 'vitest'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import type { KnownReplica } from '../../peers/known-replicas.ts'
import { replicaStatus } from './replica-status.ts'

const SOUND: KnownReplica = {
  id: asReplicaId('two'),
  incarnation: '2',
  address: 'http://two:4002',
  linked: true,
  dialed: true,
  rttMs: 1,
  streams: 1,
  leaseMs: 2500,
  lines: 3,
  inSync: true,
  faultyMessages: 0,
  shareState: 'open',
  shareAgeMs: 120,
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
    incarnation: '2',
    startedAt: new Date(1),
    address: 'http://two:4002',
    publicUrl: null,
    version: '1',
    state: 'ready',
    appliedSequence: 7,
    heartbeat: 'first',
    heartbeatAgeMs: 300,
  },
}
const said = (more: Partial<KnownReplica>, databaseReachable = true) =>
  replicaStatus({ ...SOUND, ...more }, 7, databaseReachable).disagreements

it('reports no disagreement for a healthy replica', () => {
  expect(said({})).toEqual([])
})

it('ignores the rows of a database that is unavailable, because they are out of date', () => {
  const unlinked = { linked: false, dialed: false, report: undefined, leaseMs: 0 }
  expect(said(unlinked)).toEqual(['The database has a fresh heartbeat of it, but there is no link to it.'])
  expect(said(unlinked, false)).toEqual([])
  expect(said({ incarnation: '3' })).toEqual(['The database and the link name different starts of it.'])
  expect(said({ incarnation: '3' }, false)).toEqual([])
})

it('reports that its list of lines arrived damaged', () => {
  expect(said({ faultyMessages: 1 })).toEqual([
    'Its list of lines arrived damaged once, and this replica requested it again.',
  ])
})

it('reports that limits are counted separately, and why', () => {
  expect(said({ shareState: 'closed', shareAgeMs: undefined })).toEqual([
    'It and this replica count rate limits separately at the moment.',
  ])
  expect(said({ shareState: 'unsupported', shareAgeMs: undefined })).toEqual([
    'It and this replica count rate limits separately, because its version does not share them. Update it.',
  ])
  expect(replicaStatus(SOUND, 7, true).shareAgeMs).toBe(120)
})
