// The list of replicas in the view of this replica, for the admin API.

import type { ReplicaDirectory } from '../../admin/admin-env.ts'
import type { Switchboard } from '../../telephones/switchboard.ts'
import type { ReplicaDatabase } from '../database/replica-database.ts'
import type { ReplicaContext } from '../replica-context.ts'
import type { Cluster } from './cluster.ts'
import { ownStatus, replicaStatus, serviceLines, withoutLines } from './replica-status.ts'

/** `cluster`: undefined without a cluster secret. */
export function replicaDirectory(
  replica: ReplicaContext,
  directory: ReplicaDatabase['directory'],
  { switchboard, cluster }: { readonly switchboard: Switchboard; readonly cluster: Cluster | undefined },
): ReplicaDirectory {
  const { config, id, startedAt, registry, lifecycle } = replica
  return {
    list: () => {
      const { appliedSequence, databaseReachable } = directory
      const self = ownStatus({
        id,
        address: cluster?.address ?? '',
        publicUrl: config.telephoneUrl ?? config.publicUrl,
        leaving: lifecycle.phase === 'draining',
        startedAt,
        appliedSequence,
        tunnels: switchboard.tunnels,
        registry,
      })
      const others = cluster?.network.replicas() ?? []
      return [self, ...others.map(known => replicaStatus(known, appliedSequence, databaseReachable))]
    },
    lines: () => serviceLines(registry, announced => directory.serviceByName(announced)?.name ?? announced),
    withoutLines: () => withoutLines(cluster?.network.replicas() ?? []),
    rebalance: () => ({
      enabled: cluster !== undefined && config.rebalance,
      asked: cluster?.moved ?? 0,
    }),
  }
}
