// State that replicas share in the database: leases, and the use of limits.

/** Leases for work that only one replica does at a time, by the clock of the database. */
export interface LeaseStore {
  /** True when the owner has the lease for `leaseMs` from now. */
  take(name: string, owner: string, leaseMs: number): Promise<boolean>
  /** No effect when another owner has it. */
  release(name: string, owner: string): Promise<void>
}

/** The use of one key of a limit with a window of an hour or more. */
export interface LimitUsage {
  /** The keyed hash, an integer from 0 to 2^53 - 1. */
  readonly key: number
  /** True when the limit counts over all replicas. */
  readonly isShared: boolean
  /** Time until the whole burst is available, ms. */
  readonly aheadMs: number
}

/** Use of limits, by the clock of the database. Not a part of the change log. */
export interface LimitUsageStore {
  /** Of the stored and the written use of a key, the one that is restored later stays. So two replicas never count it twice. */
  write(replica: string, usages: readonly LimitUsage[]): Promise<void>
  /** Resolves with the use of shared limits, and of those of this replica: at most `limit` keys, the last to be restored first. */
  read(replica: string, limit: number): Promise<readonly LimitUsage[]>
  /** Deletes rows of keys whose whole burst is available, at most a few thousand. Resolves with their number. */
  prune(): Promise<number>
}
