// The way in to this folder: a pool of connections to Postgres behind a `Store` (store.ts), and the feed of
// changes (change-feed.ts). SQL, drizzle and pg stay in here.

import { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { type ChangeFeed, openChangeFeed } from './change-feed.ts'
import { checkDatabaseUrl } from './database-url.ts'
import { createSqlRunner, translated } from './sql-runner.ts'
import { createStore } from './store/postgres-store.ts'
import type { Store } from './store/store.ts'

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/name?sslmode=…`, or of a socket: `postgres://user@/name?host=/folder`. */
  readonly url: string
  /** Default 10. */
  readonly maxConnections?: number | undefined
  /** Default 3,000 ms. */
  readonly connectTimeoutMs?: number | undefined
  /** Default 10,000 ms. */
  readonly statementTimeoutMs?: number | undefined
  /** Shown by `pg_stat_activity`. Default `plugboard`. */
  readonly applicationName?: string | undefined
}

export interface Database {
  readonly store: Store
  /** A connection of its own that follows the log of changes; one attempt, `database_unavailable` on failure. */
  openChangeFeed(): Promise<ChangeFeed>
  /** Waits for running statements, but not for a server that went silent. */
  close(): Promise<void>
}

const CLOSE_DEADLINE_MS = 2_000
const DEFAULT_STATEMENT_TIMEOUT_MS = 10_000

/**
 * Connects lazily: a database that is down is an error of the first query, not of this call. Throws StartupError when the
 * URL cannot be used.
 */
export function openDatabase(options: DatabaseOptions): Database {
  checkDatabaseUrl(options.url)
  const sockets = new Set<Socket>()
  const config = clientConfig(options, sockets)
  const pool = new pg.Pool({
    ...config,
    max: options.maxConnections ?? 10,
    idleTimeoutMillis: 30_000,
    // The pool waits for it before it hands out the connection.
    onConnect: client => client.query(sessionSettings(options)) as unknown as undefined,
  })
  // An idle connection that breaks has nobody to tell: the pool drops it, and the next query opens another.
  pool.on('error', () => undefined)
  // Nor has one that breaks in a transaction: its next statement fails, and says why. Without a listener, pg would
  // end the process.
  pool.on('connect', client => void client.on('error', () => undefined))
  const runner = createSqlRunner(pool)
  return {
    store: createStore(runner),
    openChangeFeed: () =>
      translated(
        openChangeFeed(
          new pg.Client({ ...config, application_name: `${config.application_name} changes` }),
          sessionSettings(options),
        ),
      ),
    close: async () => {
      const overdue = new AbortController()
      const deadline = delay(CLOSE_DEADLINE_MS, undefined, { signal: overdue.signal }).then(
        () => sockets.forEach(socket => void socket.destroy()),
        () => undefined,
      )
      await Promise.race([pool.end(), deadline])
      overdue.abort()
    },
  }
}

/** Set by a statement: connection poolers refuse these as parameters of the startup message. */
function sessionSettings({ statementTimeoutMs = DEFAULT_STATEMENT_TIMEOUT_MS }: DatabaseOptions): string {
  const ms = Math.round(statementTimeoutMs)
  return `SET statement_timeout = ${ms}; SET idle_in_transaction_session_timeout = ${ms * 2}`
}

function clientConfig(options: DatabaseOptions, sockets: Set<Socket>): pg.ClientConfig {
  const statementTimeoutMs = options.statementTimeoutMs ?? DEFAULT_STATEMENT_TIMEOUT_MS
  return {
    connectionString: options.url,
    application_name: options.applicationName ?? 'plugboard',
    connectionTimeoutMillis: options.connectTimeoutMs ?? 3_000,
    // The server's timeout is of no use when the server is what went silent.
    query_timeout: statementTimeoutMs + 1_000,
    keepAlive: true,
    stream: () => {
      const socket = new Socket()
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      return socket
    },
  }
}
