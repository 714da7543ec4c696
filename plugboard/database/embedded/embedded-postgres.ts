// The default database of one machine: a Postgres server in a data folder, on a unix socket, without a port. This file starts
// it, restarts it when it ends, and stops it with Plugboard. Production sets DATABASE_URL instead.
//
// An advisory lock decides which process owns the folder. One connection holds the lock while Plugboard runs:
//
//   start ──▶ connect ──▶ lock ──▶ own ──▶ (connection lost) ──▶ connect …
//               │ nobody there       │ held by another
//               ▼                    ▼
//             spawn, retry         refuse: StartupError
//
// So a Plugboard takes over a Postgres whose parent was killed with -9, and refuses to start beside another Plugboard. A lock
// file could become stale, but the connection of a dead owner closes by itself.

import { type ChildProcess, spawn } from 'node:child_process'
import { open, rename, stat, truncate } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Backoff } from '@vera-stack/shared/backoff.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import pg from 'pg'
import { errorCodeOf, folderError, StartupError } from '../../common/startup-error.ts'
import { provideBinaries } from './binaries.ts'
import {
  askForPassword,
  asksForNoPassword,
  ensurePassword,
  passwordFileOf,
  readPassword,
  setPassword,
  setPasswordStatement,
} from './password.ts'
import {
  isStopping,
  livingPostmaster,
  type PostgresCluster,
  prepareCluster,
  prepareFolder,
  removeStaleLock,
} from './postgres-cluster.ts'
import { ownNameOf, SERVER_ENVIRONMENT } from './program.ts'
import { openSocketFolder, type SocketFolder } from './socket.ts'
import { chooseServerUser, isShared } from './user.ts'

export interface EmbeddedPostgresOptions {
  /** Contains `cluster/` and `postgres.log`; created when missing. Its parent should be private, because it contains secrets. */
  readonly folder: string
  readonly log: Logger
  /** Name of the database, created when missing. Default `plugboard`. */
  readonly database?: string | undefined
  /** False only for temporary databases of tests: they start faster and lose all data in a power failure. */
  readonly durable?: boolean | undefined
}

/** Server settings: small, quiet, no network. Durability is Postgres' default: an acknowledged commit is on disk. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_directories: '.',
  unix_socket_permissions: '0700',
  max_connections: '60',
  shared_buffers: '64MB',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  io_method: 'sync',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // The client of a failed statement gets its error. The log contains starts, stops and damage.
  log_min_messages: 'log',
  log_checkpoints: 'off',
  log_autovacuum_min_duration: '-1',
}
const WITHOUT_DURABILITY = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }

/** Two int4 of an advisory lock in the database `postgres`: "this folder is mine". */
const OWNER_LOCK = [0x706c7567, 1] as const

const MAX_REASON = 300
const START_DEADLINE_MS = 60_000
/** The time in which the kernel closes the sockets of a killed predecessor, which holds the lock until then, ms. */
const PREDECESSOR_GRACE_MS = 1_500
const FAST_STOP_DEADLINE_MS = 30_000
const RETRY_INTERVAL_MS = 25
const LOG_CHECK_INTERVAL_MS = 60_000
const STOP_CHECK_INTERVAL_MS = 1_000
const MAX_LOG_BYTES = 8 * 1024 * 1024

export class EmbeddedPostgres {
  readonly #cluster: PostgresCluster
  readonly #options: EmbeddedPostgresOptions
  readonly #socket: SocketFolder
  readonly #logTimer: NodeJS.Timeout
  readonly #stopTimer: NodeJS.Timeout
  #child: ChildProcess | undefined
  #logOffset = 0
  #owner: pg.Client | undefined
  #relaunching: Promise<void> | undefined
  /** True when the server that this process started has rejected the password of the file. */
  #passwordRefused = false
  readonly #stopping = new AbortController()

  private constructor(cluster: PostgresCluster, options: EmbeddedPostgresOptions, socket: SocketFolder) {
    this.#cluster = cluster
    this.#options = options
    this.#socket = socket
    this.#logTimer = setInterval(() => void this.#boundLog(), LOG_CHECK_INTERVAL_MS).unref()
    this.#stopTimer = setInterval(() => void this.#hastenStop(), STOP_CHECK_INTERVAL_MS).unref()
  }

  /**
   * Resolves when the database accepts connections. Rejects with a StartupError of one line when a person has to act: the
   * folder is in use, not writable, full, or was written by another major version.
   */
  static async start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
    const folder = resolve(options.folder)
    await prepareFolder(folder)
    const data = join(folder, 'cluster')
    const user = await chooseServerUser(folder, data)
    if (user !== undefined && (await isShared(user))) {
      const detail =
        'Other processes of the user nobody can reach its files. Make an account "plugboard" for it, or set DATABASE_URL.'
      options.log.info('the embedded database runs as the user nobody', { detail })
    }
    const binaries = await provideBinaries(user)
    const durable = options.durable !== false
    const password = await ensurePassword(folder)
    const cluster = { folder, data, log: join(folder, 'postgres.log'), user, binaries, password, durable }
    await prepareCluster(cluster)
    const postgres = new EmbeddedPostgres(cluster, options, await openSocketFolder(data))
    try {
      await postgres.#launch()
      await postgres.#createDatabase()
    } catch (error) {
      await postgres.stop()
      throw folderError(folder, error)
    }
    return postgres
  }

  /** Valid in this process only: when the path of the socket is too long, the URL uses a folder that this process holds open. */
  get url(): string {
    return urlOf(this.#socket, this.#cluster.password, this.#options.database)
  }

  /** Resolves with the address of a server that another process runs in this folder, or undefined without such a server. */
  static async running(
    folder: string,
  ): Promise<{ readonly url: string; close(): Promise<void> } | undefined> {
    const password = await readPassword(folder)
    const data = join(folder, 'cluster')
    if (password === undefined || (await livingPostmaster({ data })) === undefined) return undefined
    const socket = await openSocketFolder(data)
    return { url: urlOf(socket, password), close: () => socket.close() }
  }

  /** Stops the server: open transactions are aborted, committed ones are on disk. Resolves when the process has ended. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    this.#stopping.abort()
    clearInterval(this.#logTimer)
    clearInterval(this.#stopTimer)
    await this.#relaunching
    // Without the lock, another process owns the server, so this process must not stop it.
    if (this.#owner !== undefined) {
      await this.#shutDown()
      await this.#owner.end().catch((error: unknown) => this.#ignoreClosing(error))
    }
    await this.#socket.close()
  }

  async #shutDown(): Promise<void> {
    const pid = await livingPostmaster(this.#cluster)
    if (pid === undefined) return
    process.kill(pid, 'SIGINT')
    // The server has ended when its lock file is removed. The pid is no proof: the pid of an orphan exists until init reaps it.
    let waitedMs = 0
    while ((await livingPostmaster(this.#cluster)) === pid) {
      // SIGQUIT skips the last checkpoint. The write-ahead log contains all acknowledged commits.
      if (waitedMs === FAST_STOP_DEADLINE_MS) process.kill(pid, 'SIGQUIT')
      if (waitedMs === 2 * FAST_STOP_DEADLINE_MS) {
        this.#options.log.error('the embedded database did not stop; the next start takes it over', { pid })
        return
      }
      await delay(RETRY_INTERVAL_MS)
      waitedMs += RETRY_INTERVAL_MS
    }
  }

  /** Resolves when this process owns a server that responds. Starts the server when it does not run. */
  async #launch(): Promise<void> {
    const startedAt = performance.now()
    let heldSinceMs: number | undefined
    for (;;) {
      const elapsedMs = performance.now() - startedAt
      const attempt = await this.#tryToOwn()
      if (attempt.state === 'owned') return await this.#closeToOthers()
      if (attempt.state === 'refused') await this.#stopRefusing()
      if (attempt.state === 'held') {
        heldSinceMs ??= elapsedMs
        if (elapsedMs - heldSinceMs > PREDECESSOR_GRACE_MS) {
          throw new StartupError(
            `The data folder ${this.#cluster.folder} is in use by another plugboard (${attempt.holder}).`,
          )
        }
      } else {
        heldSinceMs = undefined
        if (attempt.state === 'absent') await this.#ensureChild()
      }
      if (elapsedMs > START_DEADLINE_MS) {
        throw new StartupError(`Postgres does not respond. Its log is ${this.#cluster.log}`)
      }
      await delay(RETRY_INTERVAL_MS, undefined, { signal: this.#stopping.signal })
    }
  }

  async #tryToOwn(): Promise<
    | { readonly state: 'owned' | 'absent' | 'busy' | 'refused' }
    | { readonly state: 'held'; readonly holder: string }
  > {
    const client = new pg.Client({
      host: this.#socket.path,
      user: 'plugboard',
      password: this.#cluster.password,
      database: 'postgres',
      application_name: `plugboard process ${process.pid}`,
      connectionTimeoutMillis: 5_000,
    })
    try {
      // An error event without a listener would end the process. connect() and query() report the error too.
      client.on('error', () => this.#ownerLost(client))
      await client.connect()
      const locked = await client.query<{ owned: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS owned', [
        ...OWNER_LOCK,
      ])
      if (locked.rows[0]?.owned === true) {
        this.#owner = client
        client.on('end', () => this.#ownerLost(client))
        return { state: 'owned' }
      }
      const holder = await client.query<{ name: string }>(
        `SELECT application_name AS name FROM pg_stat_activity JOIN pg_locks USING (pid)
         WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND granted`,
        [...OWNER_LOCK],
      )
      await client.end()
      return { state: 'held', holder: holder.rows[0]?.name ?? 'which is just starting or stopping' }
    } catch (error) {
      await client.end().catch((closing: unknown) => this.#ignoreClosing(closing))
      const code = errorCodeOf(error)
      if (code === 'ENOENT' || code === 'ECONNREFUSED') return { state: 'absent' }
      if (code === '28P01') return { state: 'refused' }
      if (code === 'EACCES') {
        throw new StartupError(`The data folder ${this.#cluster.folder} belongs to another user.`, error)
      }
      // The server starts, recovers, shuts down, or has just ended: try again.
      return { state: 'busy' }
    }
  }

  /** Makes a running server of an older version require a password. */
  async #closeToOthers(): Promise<void> {
    if (this.#child !== undefined) return
    if (await asksForNoPassword(this.#cluster)) {
      await this.#owner?.query(setPasswordStatement(this.#cluster.password))
      await askForPassword(this.#cluster)
    }
    await this.#owner?.query('SELECT pg_reload_conf()')
  }

  /** Stops our server when the cluster has another password than the file, because one of them comes from a backup. */
  async #stopRefusing(): Promise<void> {
    const pid = await livingPostmaster(this.#cluster)
    // Without a connection, the owner of the server is unknown. So only a server that this process started is stopped.
    if (this.#passwordRefused || pid === undefined || pid !== this.#child?.pid) {
      const file = passwordFileOf(this.#cluster.folder)
      throw new StartupError(
        `The embedded Postgres (process ${pid ?? 'unknown'}) does not accept the password in ${file}: stop that process.`,
      )
    }
    this.#passwordRefused = true
    await this.#shutDown()
  }

  /** Runs before the server starts. Returns false while another process works on the cluster. */
  async #storePassword(): Promise<boolean> {
    const open = await asksForNoPassword(this.#cluster)
    if (!open && !this.#passwordRefused) return true
    if ((await setPassword(this.#cluster)) === 'busy') return false
    if (!open) return true
    await askForPassword(this.#cluster)
    this.#options.log.info('the embedded database now requires a password', {
      file: passwordFileOf(this.#cluster.folder),
    })
    return true
  }

  /** Logs an error of a connection that is being closed. The error has no effect. */
  #ignoreClosing(error: unknown): void {
    this.#options.log.info('closing a connection to the embedded database failed', { err: error })
  }

  async #ensureChild(): Promise<void> {
    const child = this.#child
    if (child !== undefined && child.exitCode === null && child.signalCode === null) return
    this.#child = undefined
    if (child !== undefined) await this.#evaluateExit(child)
    const cluster = this.#cluster
    if (!(await this.#storePassword())) return
    const size = await sizeOf(cluster.log)
    if (size > MAX_LOG_BYTES / 8) await rename(cluster.log, `${cluster.log}.1`)
    const log = await open(cluster.log, 'a', 0o600)
    try {
      this.#logOffset = (await log.stat()).size
      const settings = { ...SETTINGS, ...(cluster.durable ? {} : WITHOUT_DURABILITY) }
      const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
      // A separate session, so that Ctrl-C in the terminal reaches only Plugboard, which stops Postgres last.
      const spawned = spawn(
        cluster.binaries.postgres,
        ['-D', ownNameOf(cluster.data, cluster.user), ...flags],
        {
          ...cluster.user,
          cwd: cluster.data,
          env: SERVER_ENVIRONMENT,
          detached: true,
          stdio: ['ignore', log.fd, log.fd],
        },
      )
      this.#child = spawned
      await new Promise<void>((started, failed) => {
        spawned.once('spawn', started)
        spawned.once('error', failed)
      })
      spawned.unref()
    } finally {
      await log.close()
    }
  }

  /** Resolves when a new attempt can succeed. Rejects with StartupError otherwise. */
  async #evaluateExit(child: ChildProcess): Promise<void> {
    const output = await this.#lastOutput()
    // Another start was first, or processes of a dead server still run. Both states end by themselves.
    if (output.includes('lock file ') && output.includes(' already exists'))
      return await removeStaleLock(this.#cluster)
    if (/pre-existing shared memory block/.test(output)) return
    if (child.exitCode === 0 || child.signalCode !== null) return
    if (/No space left on device|Disk quota exceeded/.test(output)) {
      throw new StartupError(`The disk that holds ${this.#cluster.folder} is full.`)
    }
    const fatal = output.split('\n').findLast(line => /FATAL|PANIC/.test(line))
    const reason = cutText(
      fatal?.replace(/^.*?(FATAL|PANIC):\s*/, '') ?? output.trim().replace(/\s+/g, ' '),
      MAX_REASON,
    )
    throw new StartupError(`Postgres did not start: ${reason} (${this.#cluster.log})`)
  }

  async #lastOutput(): Promise<string> {
    const log = await open(this.#cluster.log, 'r')
    try {
      const { buffer, bytesRead } = await log.read(Buffer.alloc(16_384), 0, 16_384, this.#logOffset)
      return buffer.toString('utf8', 0, bytesRead)
    } finally {
      await log.close()
    }
  }

  #ownerLost(client: pg.Client): void {
    if (client !== this.#owner || this.#stopping.signal.aborted) return
    this.#owner = undefined
    this.#options.log.warn('the embedded database ended; restarting it')
    this.#relaunching = this.#relaunch()
  }

  /**
   * Stops a server that has received SIGTERM. Such a server rejects new clients and waits for its present clients to
   * disconnect. Plugboard never disconnects, so the server would wait for ever. It is stopped at once and started again.
   */
  async #hastenStop(): Promise<void> {
    try {
      if (this.#owner === undefined || !(await isStopping(this.#cluster))) return
      const pid = await livingPostmaster(this.#cluster)
      if (pid !== undefined && !this.#stopping.signal.aborted) process.kill(pid, 'SIGINT')
    } catch (error) {
      this.#options.log.warn('the reason why the embedded database ended is unknown', { err: error })
    }
  }

  async #relaunch(): Promise<void> {
    const backoff = new Backoff({ baseMs: 100, capMs: 5_000 })
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#launch()
        return this.#options.log.info('the embedded database was restarted')
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        this.#options.log.error('the embedded database could not be restarted', { err: error })
        // stop() aborts this wait, and the condition of the loop ends the loop.
        await delay(backoff.next(100), undefined, { signal: this.#stopping.signal }).catch(() => undefined)
      }
    }
  }

  async #createDatabase(): Promise<void> {
    const name = this.#options.database ?? 'plugboard'
    const found = await this.#owner?.query('SELECT 1 FROM pg_database WHERE datname = $1', [name])
    if (found?.rowCount === 0) await this.#owner?.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`)
  }

  /** Truncates a long log to length 0. Postgres appends, so it continues at the start of the file. */
  async #boundLog(): Promise<void> {
    try {
      if ((await sizeOf(this.#cluster.log)) > MAX_LOG_BYTES) await truncate(this.#cluster.log, 0)
    } catch (error) {
      this.#options.log.warn('the log of the embedded database could not be truncated', { err: error })
    }
  }
}

function urlOf(socket: SocketFolder, password: string, database = 'plugboard'): string {
  return `postgres://plugboard:${password}@/${database}?host=${encodeURIComponent(socket.path)}`
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return 0
    throw error
  }
}
