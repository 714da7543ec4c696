// Real databases for tests: `await createTestDatabase()` takes a database that an earlier test returned, or clones a migrated
// template. All tests of a run share one server (postgres-setup.ts). The vitest project must name this globalSetup.

import { randomUUID } from 'node:crypto'
import { access, readdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { inject } from 'vitest'
import { type Database, openDatabase } from '../../../plugboard/database/database.ts'
import { emptyDatabase } from './emptied-database.ts'
import { administer, databaseUrl, type TestServer, UNUSED } from './postgres-setup.ts'

export interface TestDatabase {
  /** The URL for `openDatabase`, `pg.Client` and `DATABASE_URL`. */
  readonly url: string
  /** Opens the database. `drop` closes it. */
  open(options?: { readonly statementTimeoutMs?: number; readonly maxConnections?: number }): Database
  /** Returns or drops the database. Call it at the end of the test. Open connections are closed. */
  drop(): Promise<void>
}

/** Resolves with a database for one test or one file. `empty`: without tables, for tests of the migrations. */
export async function createTestDatabase(options: { readonly empty?: boolean } = {}): Promise<TestDatabase> {
  const server = await testServer()
  const name = `${server.template.replace(/template$/, '')}${randomUUID().replaceAll('-', '')}`
  if (options.empty === true) await administer(server.url, `CREATE DATABASE ${name}`)
  else if (!(await reuseDatabase(server, name))) {
    await administer(server.url, `CREATE DATABASE ${name} TEMPLATE ${server.template}`)
  }
  const url = databaseUrl(server.url, name)
  const opened: Database[] = []
  return {
    url,
    open: settings => {
      const database = openDatabase({ url, ...settings })
      opened.push(database)
      return database
    },
    drop: async () => {
      await Promise.all(opened.map(database => database.close()))
      if (options.empty !== true && (await emptyDatabase(url, server.initial))) {
        await writeFile(join(unusedFolder(), name), '')
      } else await dropDatabase(server, name)
    },
  }
}

/**
 * Renames an emptied database, so that clients of the test before cannot reach it. Resolves with false without such a
 * database.
 */
async function reuseDatabase(server: TestServer, name: string): Promise<boolean> {
  for (const unused of await readdir(unusedFolder())) {
    if (!(await claim(join(unusedFolder(), unused)))) continue
    try {
      await administer(server.url, `ALTER DATABASE ${unused} RENAME TO ${name}`)
      return true
    } catch (error) {
      // Object in use: a client of the test before has connected again.
      if ((error as { code?: unknown }).code !== '55006') throw error
      await dropDatabase(server, unused)
    }
  }
  return false
}

/** True for the one worker that removes the file. */
async function claim(file: string): Promise<boolean> {
  try {
    await unlink(file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

async function dropDatabase(server: TestServer, name: string): Promise<void> {
  await administer(server.url, `DROP DATABASE ${name} WITH (FORCE)`)
}

function unusedFolder(): string {
  return join(postgresFolder(), UNUSED)
}

let starting: Promise<TestServer> | undefined

function testServer(): Promise<TestServer> {
  starting ??= awaitServer(postgresFolder())
  return starting
}

function postgresFolder(): string {
  // The type has no undefined, but a project without the globalSetup provides no value.
  const folder: string | undefined = inject('postgresFolder')
  if (folder !== undefined) return folder
  throw new Error('A unit test asked for a database. Rename its file to *.integration.test.ts.')
}

async function awaitServer(folder: string): Promise<TestServer> {
  await writeFile(join(folder, 'wanted'), '')
  for (;;) {
    if (await exists(join(folder, 'ready.json'))) {
      return JSON.parse(await readFile(join(folder, 'ready.json'), 'utf8')) as TestServer
    }
    if (await exists(join(folder, 'failed.txt'))) {
      throw new Error(`no Postgres for the tests: ${await readFile(join(folder, 'failed.txt'), 'utf8')}`)
    }
    await delay(10)
  }
}

async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  )
}
