// Real databases for tests: `await createTestDatabase()` clones a migrated template in some 20 ms. The server
// behind it is that of the whole run (postgres-setup.ts), whose globalSetup the vitest project must name.

import { randomUUID } from 'node:crypto'
import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { inject } from 'vitest'
import { type Database, openDatabase } from '../../plugboard/database/database.ts'
import { administer, databaseUrl, type TestServer } from './postgres-setup.ts'

export interface TestDatabase {
  /** Good for `openDatabase`, `pg.Client` and `DATABASE_URL`. */
  readonly url: string
  /** Opens it; closed by `drop`. */
  open(options?: { readonly statementTimeoutMs?: number; readonly maxConnections?: number }): Database
  /** Call it when the test is done. Connections that are still open are cut. */
  drop(): Promise<void>
}

/** A database of its own for one test or one file. `empty`: without tables, for tests of the migrations. */
export async function createTestDatabase(options: { readonly empty?: boolean } = {}): Promise<TestDatabase> {
  const server = await testServer()
  const name = `${server.template.replace(/template$/, '')}${randomUUID().replaceAll('-', '')}`
  const template = options.empty === true ? '' : `TEMPLATE ${server.template}`
  await administer(server.url, `CREATE DATABASE ${name} ${template}`)
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
      await administer(server.url, `DROP DATABASE ${name} WITH (FORCE)`)
    },
  }
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
