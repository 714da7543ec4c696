// The entry point of this folder: a `Store` (store.ts) on a pool of connections to Postgres, and the feed of changes
// (changes/change-feed.ts). Only this folder uses SQL, drizzle and pg.

import { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { type ChangeFeed, openChangeFeed } from './changes/change-feed.ts'
import { checkDatabaseUrl } from './connection/database-url.ts'
import { readServerFacts, type ServerFacts } from './connection/server-facts.ts'
import { createSqlRunner, translated } from './sql-runner.ts'
import { createStore } from './store/postgres-store.ts'
import type { Store } from './store/store.ts'

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/name?sslmode=…`, or for a socket: `postgres://user@/name?host=/folder`. */
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
  /** Opens a separate connection that follows the change log. Makes one attempt; rejects with `database_unavailable`. */
  openChangeFeed(): Promise<ChangeFeed>
  /** Reads facts about the server. Rejects with `database_unavailable`. `wallTime`: the clock of this machine. */
  serverFacts(wallTime: () => number): Promise<ServerFacts>
  /** Waits for running statements, but not for a server that no longer responds. */
  close(): Promise<void>
}

const CLOSE_DEADLINE_MS = 2_000
const DEFAULT_STATEMENT_TIMEOUT_MS = 10_000

/**
 * Returns the database without a connection: the first query connects, and reports a database that is down. Throws StartupError
 * when the URL cannot be used.
 */
export function openDatabase(options: DatabaseOptions): Database {
  checkDatabaseUrl(options.url)
  const sockets = new Set<Socket>()
  const config = clientConfig(options, sockets)
  const pool = new pg.Pool({
    ...config,
    max: options.maxConnections ?? 10,
    idleTimeoutMillis: 30_000,
    // The pool waits for this promise before it provides the connection.
    onConnect: client => client.query(sessionSettings(options)) as unknown as undefined,
  })
  // No caller waits on an idle connection that breaks. The pool removes it, and the next query opens another one.
  pool.on('error', () => undefined)
  // When a connection breaks in a transaction, the next statement fails with the reason. Without this listener, the error event
  // would end the process.
  pool.on('connect', client => void client.on('error', () => undefined))
  const runner = createSqlRunner(pool)
  return {
    store: createStore(runner),
    serverFacts: wallTime => readServerFacts(runner, wallTime),
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

/**
 * Returns the statement with the settings of a session. Connection poolers reject them as parameters of the startup message.
 * `random_page_cost`: the tables fit into memory, so an index of a few hundred rows costs less than a scan of a table.
 */
function sessionSettings({ statementTimeoutMs = DEFAULT_STATEMENT_TIMEOUT_MS }: DatabaseOptions): string {
  const ms = Math.round(statementTimeoutMs)
  const timeouts = `SET statement_timeout = ${ms}; SET idle_in_transaction_session_timeout = ${ms * 2}`
  return `${timeouts}; SET random_page_cost = 1.1`
}

function clientConfig(options: DatabaseOptions, sockets: Set<Socket>): pg.ClientConfig {
  const statementTimeoutMs = options.statementTimeoutMs ?? DEFAULT_STATEMENT_TIMEOUT_MS
  return {
    connectionString: options.url,
    application_name: options.applicationName ?? 'plugboard',
    connectionTimeoutMillis: options.connectTimeoutMs ?? 3_000,
    // The timeout of the server does not help when the server itself no longer responds.
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
