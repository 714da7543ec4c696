import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres.ts'
import { migrateDatabase, migrationStatus } from './migrate.ts'

interface Journal {
  entries: { idx: number; version: string; when: number; tag: string; breakpoints: boolean }[]
}

let db: TestDatabase
let folder: string

beforeEach(async () => {
  db = await createTestDatabase({ empty: true })
  folder = await mkdtemp(join(tmpdir(), 'plugboard-migrations-'))
  await cp(fileURLToPath(new URL('../../migrations', import.meta.url)), folder, { recursive: true })
})
afterEach(async () => {
  await db.drop()
  await rm(folder, { recursive: true })
})

async function addMigration(tag: string, sql: string, whenShift: number): Promise<void> {
  const file = join(folder, 'meta/_journal.json')
  const journal = JSON.parse(await readFile(file, 'utf8')) as Journal
  const last = journal.entries.at(-1)!
  journal.entries.push({ ...last, idx: last.idx + 1, when: last.when + whenShift, tag })
  await writeFile(file, JSON.stringify(journal))
  await writeFile(join(folder, `${tag}.sql`), sql)
}

const here = () => ({ url: db.url, folder })

test('from nothing to now, and then nothing more', async () => {
  const { pending } = await migrationStatus(here())
  expect(pending).toBeGreaterThanOrEqual(2)
  expect(await migrateDatabase(here())).toEqual({ applied: pending, pending: 0 })
  expect(await migrateDatabase(here())).toEqual({ applied: pending, pending: 0 })
  expect(await migrationStatus(here())).toEqual({ applied: pending, pending: 0 })
})

test('replicas that start together take turns', async () => {
  const statuses = await Promise.all(Array.from({ length: 5 }, () => migrateDatabase(here())))
  expect(new Set(statuses.map(status => JSON.stringify(status))).size).toBe(1)
})

test('a later version adds its own', async () => {
  const { applied } = await migrateDatabase(here())
  await addMigration('0099_more', 'CREATE TABLE plugboard.more ()', 1)
  expect(await migrationStatus(here())).toEqual({ applied, pending: 1 })
  expect(await migrateDatabase(here())).toEqual({ applied: applied + 1, pending: 0 })
})

test('an older plugboard leaves a newer database alone', async () => {
  await addMigration('0099_more', 'CREATE TABLE plugboard.more ()', 1)
  await migrateDatabase(here())
  const older = { url: db.url }
  for (const work of [migrateDatabase, migrationStatus]) {
    await expect(work(older)).rejects.toMatchObject({
      name: 'StartupError',
      message: expect.stringMatching(/^The database is newer than this plugboard: .* Update plugboard\.$/),
    })
  }
})

test('a migration that is dated before its predecessor, which drizzle would skip', async () => {
  await addMigration('0099_backdated', 'CREATE TABLE plugboard.more ()', -1)
  await expect(migrateDatabase(here())).rejects.toMatchObject({
    name: 'StartupError',
    message: expect.stringMatching(/is dated before/),
  })
})

test('a migration that was edited after it was applied', async () => {
  await migrateDatabase(here())
  const file = join(folder, '0001_rules.sql')
  await writeFile(file, `${await readFile(file, 'utf8')}\n-- changed`)
  await expect(migrateDatabase(here())).rejects.toMatchObject({
    name: 'StartupError',
    message: expect.stringMatching(/^Migration 2 of the database is not the one/),
  })
})

test('one that fails changes nothing', async () => {
  const { applied } = await migrateDatabase(here())
  await addMigration('0098_fine', 'CREATE TABLE plugboard.more ()', 1)
  await addMigration('0099_broken', 'CREATE TABLE plugboard.more ()', 1)
  await expect(migrateDatabase(here())).rejects.toMatchObject({
    name: 'StartupError',
    message: 'The database could not be migrated and is unchanged: relation "more" already exists',
  })
  expect(await migrationStatus(here())).toEqual({ applied, pending: 2 })
})

test('a database that is down is unavailable, not broken', async () => {
  await expect(migrateDatabase({ url: 'postgres://u@127.0.0.1:1/d' })).rejects.toMatchObject({
    code: 'database_unavailable',
  })
})

test('the schema lies beside the tables of an application', async () => {
  const client = new pg.Client({ connectionString: db.url })
  await client.connect()
  await client.query('CREATE TABLE routes (); CREATE TABLE services (); CREATE SCHEMA drizzle')
  await migrateDatabase(here())
  const { rows } = await client.query(
    "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
  )
  expect(rows).toEqual([{ tablename: 'routes' }, { tablename: 'services' }])
  await client.end()
})
