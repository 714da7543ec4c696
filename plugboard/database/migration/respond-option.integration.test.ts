// Migration 0011 renames the route option `answer` to `respond`. The tests use rows of older versions, on a database of that
// version.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withMigrationsBefore } from '../../../test/support/postgres/older-schema.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import { createDirectory, type Directory, type DirectoryRoute } from '../../routes/directory.ts'
import { VERSION } from '../../version.ts'
import { migrateDatabase, migrationStatus } from './migrate.ts'

const PAGE = { status: 503, body: 'Later.' }

let db: TestDatabase
let client: pg.Client
let folder: string
const directories: Directory[] = []

beforeEach(async () => {
  db = await createTestDatabase({ empty: true })
  await withMigrationsBefore('0011_respond', older => migrateDatabase({ url: db.url, folder: older }))
  client = new pg.Client({ connectionString: db.url })
  await client.connect()
  await client.query(`INSERT INTO plugboard.services (name) VALUES ('shop')`)
  folder = await mkdtemp(join(tmpdir(), 'plugboard-respond-'))
})
afterEach(async () => {
  for (const directory of directories.splice(0)) await directory.stop()
  await client.end()
  await db.drop()
  await rm(folder, { recursive: true })
})

const migrate = () => migrateDatabase({ url: db.url })
const add = (host: string, options: object, service: string | null = 'shop') =>
  client.query(
    `INSERT INTO plugboard.routes (host, mount_path, service_id, options)
     VALUES ($1, '/', (SELECT id FROM plugboard.services WHERE name = $2), $3)`,
    [host, service, JSON.stringify(options)],
  )
const set = (host: string, options: object) =>
  client.query('UPDATE plugboard.routes SET options = $2 WHERE host = $1', [host, JSON.stringify(options)])

async function optionsByHost(): Promise<Record<string, unknown>> {
  const { rows } = await client.query<{ host: string; options: unknown }>(
    'SELECT host, options FROM plugboard.routes',
  )
  return Object.fromEntries(rows.map(({ host, options }) => [host, options]))
}

/** `attempts`: how many attempts to connect to the database fail first. */
function directory(attempts = 0): Directory {
  const database = db.open()
  let failures = 0
  const openChangeFeed = () => {
    if (failures === attempts) return database.openChangeFeed()
    failures += 1
    return Promise.reject(new VeraError('database_unavailable'))
  }
  const opened = createDirectory({
    database: { openChangeFeed },
    log: silentLogger,
    snapshotFile: join(folder, 'routes'),
  })
  directories.push(opened)
  return opened
}

test('renames the option in each row, and closes the row for replicas that do not read the new name', async () => {
  const requires = { respond: '0.2.0' }
  await add('alone.test', { answer: PAGE }, null)
  await add('both.test', { answer: PAGE, respond: { body: 'ignored before' }, stripMount: true })
  await add('deleted.test', { answer: PAGE })
  await add('newer.test', { answer: PAGE, geo: ['NZ'], requires: { geo: '0.3.0' } })
  await add('closed.test', { answer: PAGE, requires: 7 })
  await add('redirect.test', { redirect: { to: '/x' } }, null)
  await add('plain.test', {})
  await client.query(`UPDATE plugboard.routes SET deleted_at = now() WHERE host = 'deleted.test'`)
  await migrate()
  expect(await optionsByHost()).toEqual({
    'alone.test': { respond: PAGE, requires },
    'both.test': { respond: PAGE, stripMount: true, requires },
    'deleted.test': { respond: PAGE, requires },
    'newer.test': { respond: PAGE, geo: ['NZ'], requires: { geo: '0.3.0', ...requires } },
    'closed.test': { respond: PAGE, requires: 7 },
    'redirect.test': { redirect: { to: '/x' } },
    'plain.test': {},
  })
  const { rows } = await client.query<{ actor: string; count: string }>(
    `SELECT actor, count(*) FROM plugboard.changes
     WHERE entity = 'route' AND after -> 'options' ? 'respond' AND before -> 'options' ? 'answer' GROUP BY actor`,
  )
  expect(rows).toEqual([{ actor: 'system', count: '5' }])
})

test('the database rejects the old name from then on', async () => {
  await migrate()
  await expect(add('a.test', { answer: PAGE })).rejects.toMatchObject({
    constraint: 'routes_options_renamed',
  })
  await expect(add('a.test', { answer: PAGE }, null)).rejects.toMatchObject({ code: '23514' })
  await expect(add('a.test', {}, null)).rejects.toMatchObject({ constraint: 'routes_service_or_response' })
  await add('a.test', { respond: PAGE }, null)
  await expect(set('a.test', { answer: PAGE })).rejects.toMatchObject({ code: '23514' })
})

test('versions without the migration do not start on the schema', async () => {
  await migrate()
  await withMigrationsBefore('0011_respond', async older => {
    for (const work of [migrateDatabase, migrationStatus]) {
      await expect(work({ url: db.url, folder: older, version: VERSION })).rejects.toThrow(
        'The database is newer than this plugboard: migration 0011_respond needs version 0.2.0. Update plugboard.',
      )
    }
  })
})

test('a replica serves the fixed response before, during and after the migration', async () => {
  await add('alone.test', { answer: PAGE }, null)
  await add('shop.test', { answer: PAGE })
  const replica = directory()
  await replica.start()
  const seen: (DirectoryRoute | undefined)[] = [
    replica.match('alone.test', '/'),
    replica.match('shop.test', '/'),
  ]
  replica.subscribe({ routeChanged: (_, after) => void seen.push(after) })
  await migrate()
  // The service, two routes, and the same two routes as the migration has changed them.
  await replica.waitForSequence(5)
  expect(seen.map(route => route?.options.rules)).toEqual(Array(4).fill({ respond: PAGE }))
})

test('entries of the change log from before the migration have the old name, and a replica reads them', async () => {
  await add('shop.test', {})
  const before = directory()
  await before.start()
  await before.stop()
  await set('shop.test', { answer: PAGE })
  await migrate()
  await set('shop.test', { respond: PAGE, stripMount: true })

  // Starts from the snapshot, which has no options, then reads the three changes.
  const replica = directory(1)
  const read: unknown[] = []
  expect(await replica.start()).toBe('snapshot')
  replica.subscribe({ routeChanged: (_, after) => void read.push(after?.options.rules) })
  expect(replica.match('shop.test', '/')?.options.rules).toBeNull()
  await replica.waitForSequence(5)
  expect(read).toEqual([{ respond: PAGE }, { respond: PAGE }, { respond: PAGE }])
})
