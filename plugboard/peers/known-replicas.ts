// Builds the list of replicas that this replica has found, from four sources: rows of the discovery, leases in the registry,
// links, and dialers with their last problem. The admin API and the queries to all replicas use the list.

import type { ReplicaReport } from '@vera-stack/shared/protocol/control/control.ts'
import type { ReplicaId } from '../common/ids/replica-id.ts'
import type { ReplicaRecord } from '../common/replica-record.ts'
import type { RegistryFollower } from '../registry/sync/registry-follower.ts'
import type { ShareState } from './channels/share-channel.ts'
import type { Discovery } from './discovery/discovery.ts'
import type { PeerDialer } from './link/peer-dialer.ts'
import type { Peer } from './peer.ts'

/** Another replica, from the view of this replica. */
export interface KnownReplica {
  readonly id: ReplicaId
  readonly incarnation: string | undefined
  readonly report: ReplicaReport | undefined
  /** Undefined: the discoveries have at most its address. */
  readonly record: ReplicaRecord | undefined
  readonly address: string | undefined
  readonly linked: boolean
  /** True when the link that this replica dialled is open. False: at most the link that the peer dialled. */
  readonly dialed: boolean
  readonly rttMs: number | undefined
  readonly streams: number
  /** The remaining time of its lease here, ms; 0: its lines do not count. */
  readonly leaseMs: number
  readonly lines: number
  readonly inSync: boolean
  /** Number of faulty messages of the registry exchange. Any number above 0 is a bug on one end. */
  readonly faultyMessages: number
  /** The state of the exchange of shared limits; undefined: this replica shares no limits, or there is no link. */
  readonly shareState: ShareState | undefined
  /** Time since the last message of that exchange, ms; undefined: there was none on the present stream. */
  readonly shareAgeMs: number | undefined
  /** The error of the last dial; empty when it succeeded. */
  readonly problem: string
}

export interface ReplicaSources {
  readonly discoveries: readonly Discovery[]
  readonly follower: Pick<RegistryFollower, 'replicas'>
  readonly peers: ReadonlyMap<ReplicaId, Peer>
  /** Dialers by address. */
  readonly dialers: ReadonlyMap<string, PeerDialer>
}

/** Returns all replicas that at least one source lists, sorted by id. */
export function knownReplicas({ discoveries, follower, peers, dialers }: ReplicaSources): KnownReplica[] {
  const records = replicaRecords(discoveries)
  const leases = new Map(follower.replicas().map(lease => [lease.replicaId, lease]))
  const dialerOf = new Map([...dialers.values()].map(dialer => [dialer.peer?.id, dialer]))
  const ids = new Set([...records.keys(), ...leases.keys(), ...peers.keys()])
  return [...ids].sort().map(id => {
    const peer = peers.get(id)
    const lease = leases.get(id)
    const record = records.get(id)
    const dialer = (record && dialers.get(record.address)) ?? dialerOf.get(id)
    return {
      id,
      record,
      incarnation: peer?.incarnation ?? record?.incarnation,
      report: peer?.report,
      address: peer?.report?.address ?? record?.address ?? dialer?.address,
      linked: peer?.linked ?? false,
      dialed: peer?.dialed ?? false,
      rttMs: peer?.rttMs,
      streams: peer?.streamCount ?? 0,
      leaseMs: lease?.shown ? lease.leaseMs : 0,
      lines: lease?.lineCount ?? 0,
      inSync: peer?.inSync ?? false,
      faultyMessages: peer?.faultyMessages ?? 0,
      shareState: peer?.linked === true ? peer.shareState : undefined,
      shareAgeMs: peer?.shareAgeMs,
      problem: dialer?.problem ?? '',
    }
  })
}

/** Returns the rows of all discoveries that have rows, by replica id. */
export function replicaRecords(discoveries: readonly Discovery[]): Map<ReplicaId, ReplicaRecord> {
  const records = new Map<ReplicaId, ReplicaRecord>()
  for (const discovery of discoveries) {
    for (const { record } of discovery.found()) if (record !== undefined) records.set(record.id, record)
  }
  return records
}

/** Returns the addresses at which no replica was found yet, with the error of the last dial. */
export function unreachedAddresses(
  dialers: Iterable<PeerDialer>,
): { readonly address: string; readonly problem: string }[] {
  return [...dialers]
    .filter(({ peer, problem }) => peer === undefined && problem !== '')
    .map(({ address, problem }) => ({ address, problem }))
}
