// The state of this replica for the status of the cluster: its phase, its process, its links, and the values that all replicas must
// have in common.

import type { ProcessLoad } from '@vera-stack/shared/metrics/process-metrics.ts'
import { processMemoryBytes } from '@vera-stack/shared/process/process-memory.ts'
import type { ReplicaDirectory } from '../../admin/admin-env.ts'
import { MAX_CERTIFICATES, type RemoteState, shownNames } from '../../admin/bodies/cluster-status.ts'
import { VERSION } from '../../version.ts'
import type { ReplicaDatabase } from '../database/replica-database.ts'
import type { PublicPorts } from '../ports/public-ports.ts'
import type { ReplicaContext } from '../replica-context.ts'
import { settingDigests } from './compared-settings.ts'

export interface ReplicaStateParts {
  readonly replica: ReplicaContext
  readonly database: Pick<ReplicaDatabase, 'directory' | 'keeper'>
  readonly replicas: ReplicaDirectory
  /** Returns the public ports, or undefined while they are not open. */
  readonly ports: () => PublicPorts | undefined
  readonly load: () => ProcessLoad
}

/** Returns a function that reads the state. */
export function replicaStateReader(parts: ReplicaStateParts): () => RemoteState {
  const { replica, database, replicas, ports, load } = parts
  const { config, id, startedAt, lifecycle, clock } = replica
  const settings = settingDigests(config)
  const memoryLimitBytes = processMemoryBytes(config.maxMemoryPercent)
  return () => {
    const { directory, keeper } = database
    const [own, ...others] = replicas.list()
    return {
      id,
      version: VERSION,
      startedAt: startedAt.toISOString(),
      phase: lifecycle.phase,
      appliedSequence: directory.appliedSequence,
      isDatabaseReachable: directory.databaseReachable,
      isMemoryShort: ports()?.memoryShort ?? false,
      tunnels: own?.tunnels ?? 0,
      streams: own?.streams ?? 0,
      newerMigrations: [...keeper.newerMigrations],
      process: { memoryBytes: process.memoryUsage.rss(), memoryLimitBytes, ...load() },
      links: others.map(({ id: replicaId, link, rttMs, leaseMs, appliedSequence }) => ({
        replicaId,
        link: link ?? 'none',
        rttMs,
        leaseMs: leaseMs ?? 0,
        appliedSequence,
      })),
      wallTime: clock.wallTime(),
      settings,
      certificates: certificates(ports()?.https),
    }
  }
}

function certificates(https: PublicPorts['https']): RemoteState['certificates'] {
  const list: RemoteState['certificates'] = []
  for (const [{ names, issuer, notAfter }, origin] of https?.origins() ?? []) {
    if (list.length === MAX_CERTIFICATES) break
    list.push({ names: shownNames(names), issuer, origin, notAfter: notAfter.toISOString() })
  }
  return list
}
