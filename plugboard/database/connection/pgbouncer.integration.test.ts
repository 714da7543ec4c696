// Tests the database behind Debian's PgBouncer. Skipped when it is not installed; .ci/run installs it.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { silentLogger } from '@vera-stack/shared/log.ts'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { canConnect } from '../../../test/support/http/raw-connection.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import { findProgram } from '../../../test/support/process/find-program.ts'
import { removeFolder, temporaryFolder } from '../../../test/support/process/folder.ts'
import { freePort } from '../../../test/support/process/free-port.ts'
import { createDirectory } from '../../routes/directory.ts'
import { type Database, openDatabase } from '../database.ts'
import { migrateDatabase, migrationStatus } from '../migration/migrate.ts'

const program = findProgram('pgbouncer')

/** Starts PgBouncer before the server of the run, for all of its databases. */
class PgBouncer {
  readonly port: number
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #relay: Server

  private constructor(port: number, child: ChildProcess, folder: string, relay: Server) {
    this.port = port
    this.#child = child
    this.#folder = folder
    this.#relay = relay
  }

  static async start(mode: string, server: TestDatabase): Promise<PgBouncer> {
    const folder = await temporaryFolder()
    const url = new URL(server.url.replace('@/', '@socket/'))
    const host = url.searchParams.get('host') ?? url.hostname
    const port = await freePort()
    const password = decodeURIComponent(url.password)
    const file = join(folder, 'pgbouncer.ini')
    // PgBouncer does not run as root, and another user cannot reach the socket of the server. So a relay connects them.
    const relay = createServer(near => {
      const far = host.startsWith('/')
        ? connect(join(host, `.s.PGSQL.${url.port || 5432}`))
        : connect(Number(url.port || 5432), host)
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        one.on('error', () => other.destroy()).pipe(other)
      }
    }).listen(0, '127.0.0.1')
    await once(relay, 'listening')
    const relayPort = (relay.address() as AddressInfo).port
    const target = `host=127.0.0.1 port=${relayPort} user=${url.username} password='${password}'`
    const settings = `listen_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =\nauth_type = any\npool_mode = ${mode}\n`
    await writeFile(file, `[databases]\n* = ${target}\n[pgbouncer]\n${settings}`)
    await chmod(folder, 0o755)
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
    await chmod(file, 0o644)
    const child = spawn(program as string, ['-q', ...user, file], { stdio: 'ignore' })
    await eventually('pgbouncer listens', async () => ((await canConnect(port)) ? true : undefined))
    return new PgBouncer(port, child, folder, relay)
  }

  /** Returns the URL of the same database through PgBouncer. */
  urlOf({ url }: TestDatabase): string {
    return `postgres://any@127.0.0.1:${this.port}/${new URL(url.replace('@/', '@socket/')).pathname.slice(1)}`
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
    this.#relay.close()
    await removeFolder(this.#folder)
  }
}

describe.skipIf(program === undefined).each(['session', 'transaction'] as const)('pool_mode = %s', mode => {
  let direct: TestDatabase
  let database: Database
  let pgBouncer: PgBouncer

  beforeAll(async () => {
    direct = await createTestDatabase()
    pgBouncer = await PgBouncer.start(mode, direct)
    database = openDatabase({ url: pgBouncer.urlOf(direct) })
  })
  afterAll(async () => {
    await database?.close()
    await pgBouncer?.stop()
    await direct?.drop()
  })

  test('serves, and reports whether notifications arrive', async () => {
    const warnings: string[] = []
    const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
    const directory = createDirectory({ database, log, pollIntervalMs: 100 })
    await directory.start()
    for (let index = 0; index < 5; index += 1) {
      const service = await database.store.services.create({ name: `shop-${index}` }, { actor: 'test' })
      await eventually('the change is in the table', () => directory.serviceByName(service.name))
    }
    if (mode === 'session') expect([directory.notificationsArrive, warnings]).toEqual([true, []])
    else {
      await expect.poll(() => directory.notificationsArrive).toBe(false)
      expect(warnings).toContain('database notifications do not arrive; changes are read by polling')
    }
    await directory.stop()
  })

  test('migrates, several processes at the same time too, and leaves no lock', async () => {
    const empty = await createTestDatabase({ empty: true })
    try {
      const url = pgBouncer.urlOf(empty)
      const { pending } = await migrationStatus({ url })
      const statuses = await Promise.all([0, 1, 2].map(() => migrateDatabase({ url })))
      expect(statuses).toEqual(statuses.map(() => ({ applied: pending, pending: 0, newer: [] })))
      expect(await migrateDatabase({ url: empty.url })).toEqual({ applied: pending, pending: 0, newer: [] })
      const client = new pg.Client({ connectionString: empty.url })
      await client.connect()
      const { rows } = await client.query(
        "SELECT * FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
      )
      await client.end()
      expect(rows).toEqual([])
    } finally {
      await empty.drop()
    }
  })
})

test.skipIf(program === undefined)('pool_mode = statement is rejected with the reason', async () => {
  const empty = await createTestDatabase({ empty: true })
  const pgBouncer = await PgBouncer.start('statement', empty)
  try {
    const url = pgBouncer.urlOf(empty)
    const refused = {
      code: 'database_unavailable',
      message: expect.stringMatching(
        /refused a message: transaction blocks not allowed .* PgBouncer needs pool_mode = session or transaction\.$/,
      ),
    }
    await expect(migrateDatabase({ url })).rejects.toMatchObject(refused)
    const database = openDatabase({ url })
    await expect(database.store.services.create({ name: 'shop' }, { actor: 'test' })).rejects.toMatchObject(
      refused,
    )
    await database.close()
  } finally {
    await pgBouncer.stop()
    await empty.drop()
  }
})
