// vitest globalSetup: one Postgres for all test files of a run, in a temporary folder, with a migrated template database that
// is cloned. It starts when the first test requests it (postgres.ts creates a file in the folder), so a run without a
// database starts no Postgres.
//
// TEST_DATABASE_URL=postgres://… uses an existing server of any version from 14 on, with a role that may create databases.

import { randomUUID } from 'node:crypto'
import { watch } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '@vera-stack/shared/log.ts'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { isAlive } from '../../../plugboard/database/connection/is-alive.ts'
import { EmbeddedPostgres } from '../../../plugboard/database/embedded/embedded-postgres.ts'
import { migrateDatabase } from '../../../plugboard/database/migration/migrate.ts'
import { type InitialContents, readInitialContents } from './emptied-database.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder for messages: tests create `wanted`, and the setup creates `ready.json` or `failed.txt`. */
    postgresFolder: string
  }
}

/** The content of `ready.json`. */
export interface TestServer {
  /** The URL of a database from which others can be created. */
  readonly url: string
  readonly template: string
  readonly initial: InitialContents
}

/** The folder that has one file for each emptied database, named after it. */
export const UNUSED = 'unused'

const PREFIX = 'plugboard-test-postgres-'

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`))
  project.provide('postgresFolder', folder)
  let stopping: Promise<() => Promise<void>> | undefined
  const watcher = watch(folder, { persistent: false }, (_event, name) => {
    if (name === 'wanted') stopping ??= startAndTell(folder)
  })
  return async () => {
    watcher.close()
    await (await stopping)?.()
    await rm(folder, { recursive: true, force: true })
  }
}

async function startAndTell(folder: string): Promise<() => Promise<void>> {
  let stop = async (): Promise<void> => undefined
  try {
    await removeLeftovers()
    const external = process.env.TEST_DATABASE_URL
    const embedded = external === undefined ? await startEmbedded(folder) : undefined
    stop = async () => await embedded?.stop()
    const url = external ?? embedded!.url
    const template = `plugboard_test_${process.pid}_template`
    await administer(url, `CREATE DATABASE ${template}`)
    stop = async () => {
      if (embedded === undefined) await dropAll(url, template)
      await embedded?.stop()
    }
    await migrateDatabase({ url: databaseUrl(url, template) })
    const initial = await readInitialContents(databaseUrl(url, template))
    await mkdir(join(folder, UNUSED))
    await tell(folder, 'ready.json', JSON.stringify({ url, template, initial } satisfies TestServer))
  } catch (error) {
    await tell(
      folder,
      'failed.txt',
      error instanceof Error ? `${error.stack}\n${error.cause ?? ''}` : String(error),
    )
  }
  return stop
}

function startEmbedded(folder: string): Promise<EmbeddedPostgres> {
  return EmbeddedPostgres.start({ folder: join(folder, 'server'), durable: false, log: silentLogger })
}

/** Returns the URL of another database of the same server and role. */
export function databaseUrl(url: string, database: string): string {
  return url.replace(/^(\w+:\/\/[^/?]*\/)[^?]*/, `$1${database}`)
}

/** Runs a statement on a connection of its own. Resolves with its rows. */
export async function administer(
  url: string,
  statement: string,
  values: readonly unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    // Without values, the text may have several statements.
    const { rows } = await (values.length === 0
      ? client.query(statement)
      : client.query(statement, [...values]))
    return rows
  } finally {
    await client.end()
  }
}

/** Removes all our databases from an external server. */
async function dropAll(url: string, template: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const ours = `${template.replace(/template$/, '')}%`
    const found = await client.query<{ datname: string }>(
      'SELECT datname FROM pg_database WHERE datname LIKE $1',
      [ours],
    )
    for (const { datname } of found.rows) await client.query(`DROP DATABASE ${datname} WITH (FORCE)`)
  } finally {
    await client.end()
  }
}

async function tell(folder: string, name: string, text: string): Promise<void> {
  const unfinished = join(folder, randomUUID())
  await writeFile(unfinished, text)
  await rename(unfinished, join(folder, name))
}

/** Stops the servers of runs that were killed with -9. They would run for ever. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    const folder = join(tmpdir(), name)
    try {
      const lock = await readFile(join(folder, 'server/cluster/postmaster.pid'), 'utf8')
      const server = Number(lock.split('\n')[0])
      if (isAlive(server)) process.kill(server, 'SIGQUIT')
    } catch {
      // The server has ended, or belongs to another user.
    }
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}
