// The one connection to Postgres: pool, transactions, LISTEN. Everything else in Plugboard holds a `Store`.

import type { Store } from './store.ts'

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/name?sslmode=…`, or of a socket: `postgres://user@/name?host=/folder`. */
  readonly url: string
  readonly maxConnections?: number | undefined
  readonly connectTimeoutMs?: number | undefined
  readonly statementTimeoutMs?: number | undefined
  /** Shown by `pg_stat_activity`. */
  readonly applicationName?: string | undefined
}

export interface Database {
  readonly store: Store
  /** One round trip; rejects with `database_unavailable`. */
  ping(): Promise<void>
  close(): Promise<void>
}

/** Connects lazily: a database that is down is an error of the first query, not of this call. */
export declare function openDatabase(options: DatabaseOptions): Database
