import { describe, expect, it } from 'vitest'
import { SAMPLE_STATE } from '../../../../test/support/admin-api/sample-state.ts'
import type { RemoteState, ReplicaLinkBody } from '../../bodies/cluster-status.ts'
import { disagreementsOf } from './disagreements.ts'

const link = (replicaId: string, kind: ReplicaLinkBody['link'] = 'open'): ReplicaLinkBody => ({
  ...{ replicaId, link: kind, rttMs: 1, leaseMs: 2900, appliedSequence: 7 },
})
const own: RemoteState = { ...SAMPLE_STATE, links: [link('r2')] }
const other: RemoteState = { ...SAMPLE_STATE, id: 'r2', links: [link('r1')], wallTime: 10_000 }
const found = (
  fields: Partial<RemoteState>,
  ownFields: Partial<RemoteState> = {},
  [askedMs, answeredMs] = [10_000, 10_000],
) =>
  disagreementsOf({ ...own, ...ownFields }, [
    { state: { ...other, ...fields }, askedMs, answeredMs },
  ] as const)

describe('the disagreements of replicas', () => {
  it('are empty for equal replicas, and for a single one', () => {
    expect(found({})).toEqual([])
    expect(disagreementsOf(SAMPLE_STATE, [])).toEqual([])
  })

  it('name versions and settings that differ, without the values of settings', () => {
    expect(found({ version: '0.1.0' })).toEqual([
      'Replicas run different versions: 0.2.0 (r1), 0.1.0 (r2). Update the older ones.',
    ])
    expect(found({ settings: { acmeHosts: 'aa', trustedProxies: 'cc' } })).toEqual([
      'The setting trustedProxies is not the same on r1 and r2. Give all replicas the same value.',
    ])
  })

  it('ignore a setting that an older version does not have', () => {
    expect(found({ settings: { acmeHosts: 'aa' } })).toEqual([])
  })

  it('name a clock that differs by more than the time of the request can explain', () => {
    expect(found({ wallTime: 8500 }, {}, [10_000, 12_000])).toEqual([
      'The clock of r2 is at least 1.5 s behind the clock of r1. Synchronise both by NTP.',
    ])
    expect(found({ wallTime: 14_000 }, {}, [10_000, 12_000])).toEqual([
      'The clock of r2 is at least 2.0 s ahead of the clock of r1. Synchronise both by NTP.',
    ])
    expect(found({ wallTime: 9100 }, {}, [10_000, 12_000])).toEqual([])
    expect(found({ wallTime: 12_900 }, {}, [10_000, 12_000])).toEqual([])
  })

  it('name a replica that is behind, but not one that got newer changes after the request', () => {
    expect(found({ appliedSequence: 5 })).toEqual([
      'r2 is 2 changes behind r1. Check its connection to the database.',
    ])
    expect(found({ appliedSequence: 9 })).toEqual([])
  })

  it('name migrations that a version lacks, and a database that only some replicas reach', () => {
    expect(found({ newerMigrations: ['0030_more'] })).toEqual([
      'The version of r2 lacks migrations of the database: 0030_more. Update r2.',
    ])
    expect(found({ isDatabaseReachable: false })).toEqual([
      'r2 cannot reach the database, and the other replicas can. Changes do not arrive there.',
    ])
    expect(found({ isDatabaseReachable: false }, { isDatabaseReachable: false })).toEqual([])
  })

  it('name a link that is missing, or that only one end can dial', () => {
    expect(found({ links: [] }, { links: [link('r2', 'none')] })).toEqual([
      'r1 and r2 have no link. Check the network between them, and peerUrl.',
    ])
    expect(found({}, { links: [link('r2', 'accepted')] })).toEqual([
      'r1 cannot dial r2. Check peerUrl of r2.',
    ])
    expect(found({ links: [link('r1', 'accepted')] })).toEqual(['r2 cannot dial r1. Check peerUrl of r1.'])
  })
})
