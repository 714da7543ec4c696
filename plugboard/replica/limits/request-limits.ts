// The limits of requests on this replica: the table of keys and the limiter that decides with it, in a cluster the exchange with the
// other replicas, and the counts in the database.

import type { LimitsBody } from '../../admin/api-types.ts'
import { LimitTable } from '../../limits/limit-table.ts'
import { Limiter } from '../../limits/limiter.ts'
import { QuotaStore } from '../../limits/quota-store.ts'
import { RouteLimits } from '../../limits/route-limits.ts'
import { SharedBudgets } from '../../limits/sharing/shared-budgets.ts'
import type { ReplicaDatabase } from '../database/replica-database.ts'
import type { ReplicaContext } from '../replica-context.ts'

export interface RequestLimits {
  readonly limiter: Limiter
  readonly routeLimits: RouteLimits
  /** Undefined without other replicas. */
  readonly budgets: SharedBudgets | undefined
  readonly quotas: QuotaStore
  status(): LimitsBody
}

export function createRequestLimits(
  { config, id, clock, log }: ReplicaContext,
  { store: { limitUsage }, directory }: ReplicaDatabase,
): RequestLimits {
  const table = new LimitTable()
  const budgets = config.clusterSecret === undefined ? undefined : new SharedBudgets({ table, clock })
  const quotas = new QuotaStore({
    table,
    rows: {
      read: limit => limitUsage.read(id, limit),
      write: usages => limitUsage.write(id, usages),
      prune: () => limitUsage.prune(),
    },
    isReachable: () => directory.databaseReachable,
    clock,
    log,
  })
  const limiter = new Limiter({
    table,
    onAdmitted: (limit, slot, cost) => {
      budgets?.admitted(limit, slot, cost)
      quotas.admitted(limit, slot)
    },
  })
  const status = (): LimitsBody => ({
    keys: table.size,
    maxKeys: table.maxKeys,
    evictions: table.evictions,
    rejected: limiter.rejected,
    unwritten: quotas.unwritten,
  })
  const routeLimits = new RouteLimits()
  directory.subscribe(routeLimits)
  return { limiter, routeLimits, budgets, quotas, status }
}
