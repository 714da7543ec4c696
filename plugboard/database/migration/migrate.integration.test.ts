import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ADDITIVE, INCOMPATIBLE, migrateToNextRelease } from '../../../test/support/next-release/schema.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import { VERSION } from '../../version.ts'
import { migrateDatabase, migrationStatus } from './migrate.ts'

interface Journal {
  entries: { idx: number; version: string; when: number; tag: string; breakpoints: boolean }[]
}

let db: TestDatabase
let folder: string

beforeEach(async () => {
  db = await createTestDatabase({ empty: true })
  folder = await mkdtemp(join(tmpdir(), 'plugboard-migrations-'))
  await cp(fileURLToPath(new URL('../../../migrations', import.meta.url)), folder, { recursive: true })
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

async function query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: db.url })
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}

const here = () => ({ url: db.url, folder })

test('applies all migrations to an empty database, and no migration the next time', async () => {
  const { pending } = await migrationStatus(here())
  expect(pending).toBeGreaterThanOrEqual(2)
  expect(await migrateDatabase(here())).toEqual({ applied: pending, pending: 0, newer: [] })
  expect(await migrateDatabase(here())).toEqual({ applied: pending, pending: 0, newer: [] })
  expect(await migrationStatus(here())).toEqual({ applied: pending, pending: 0, newer: [] })
})

test('replicas that start together take turns', async () => {
  const statuses = await Promise.all(Array.from({ length: 5 }, () => migrateDatabase(here())))
  expect(new Set(statuses.map(status => JSON.stringify(status))).size).toBe(1)
})

test('applies the further migrations of a later version', async () => {
  const { applied } = await migrateDatabase(here())
  await addMigration('0099_more', 'CREATE TABLE plugboard.more ()', 1)
  expect(await migrationStatus(here())).toEqual({ applied, pending: 1, newer: [] })
  expect(await migrateDatabase(here())).toEqual({ applied: applied + 1, pending: 0, newer: [] })
})

describe('a schema of a newer version', () => {
  const unmarked = { name: '9997_unmarked', statements: ['CREATE TABLE plugboard.more ()'] }
  const works = [migrateDatabase, migrationStatus]
  const here = () => ({ url: db.url, version: VERSION })

  test('is accepted and not changed when each of its migrations allows this version', async () => {
    const { pending } = await migrationStatus(here())
    await migrateToNextRelease(db.url, ADDITIVE, { ...ADDITIVE, name: '9999_more', statements: ['SELECT 1'] })
    for (const work of works) {
      expect(await work(here())).toEqual({
        applied: pending + 2,
        pending: 0,
        newer: [ADDITIVE.name, '9999_more'],
      })
    }
  })

  test.each([
    [
      'a migration without a mark',
      [ADDITIVE, unmarked],
      /not all of its 2 newer migrations allow an older version/,
    ],
    [
      'one that needs a newer version',
      [ADDITIVE, INCOMPATIBLE],
      /9999_incompatible needs version 999\.0\.0\./,
    ],
  ])('is refused with %s', async (_, migrations, reason) => {
    await migrateToNextRelease(db.url, ...migrations)
    for (const work of works) {
      await expect(work(here())).rejects.toMatchObject({
        name: 'StartupError',
        message: expect.stringMatching(/^The database is newer than this plugboard: .* Update plugboard\.$/),
      })
      await expect(work(here())).rejects.toThrow(reason)
    }
  })

  test('is rejected when the migrations before it differ from those of this version', async () => {
    await migrateToNextRelease(db.url, ADDITIVE)
    await query("UPDATE plugboard.migrations SET hash = 'other' WHERE id = 2")
    for (const work of works)
      await expect(work(here())).rejects.toThrow(/^Migration 2 of the database differs from/)
  })

  test('is rejected when it has no table of compatibility', async () => {
    await migrateToNextRelease(db.url, unmarked)
    await query('DROP TABLE plugboard.compatibility')
    for (const work of works) await expect(work(here())).rejects.toThrow('not all of its 1 newer migrations')
  })
})

describe('the rules for migrations', () => {
  const FIRST_MARKED = '0010_compatibility'

  test('each migration from 0010 on inserts its own row', async () => {
    await migrateDatabase(here())
    const { entries } = JSON.parse(await readFile(join(folder, 'meta/_journal.json'), 'utf8')) as Journal
    const marked = entries.slice(entries.findIndex(({ tag }) => tag === FIRST_MARKED))
    const rows = await query<{ migration: string; name: string }>(
      'SELECT migration, name FROM plugboard.compatibility ORDER BY migration',
    )
    expect(rows.map(({ migration, name }) => [Number(migration), name])).toEqual(
      marked.map(({ when, tag }) => [when, tag]),
    )
  })

  test('each migration from 0010 on makes only additive changes', async () => {
    const names = (await readdir(folder)).filter(name => name.endsWith('.sql') && name >= FIRST_MARKED)
    expect(names.length).toBeGreaterThan(0)
    for (const name of names) {
      const sql = (await readFile(join(folder, name), 'utf8')).replaceAll(/--.*$/gm, '')
      expect(sql, name).not.toMatch(
        /\b(DROP\s+(TABLE|COLUMN|SCHEMA)|RENAME|SET\s+NOT\s+NULL|SET\s+DATA\s+TYPE)\b/i,
      )
      for (const [column] of sql.matchAll(/ADD COLUMN[^,;]*NOT NULL[^,;]*/gi))
        expect(column).toMatch(/DEFAULT/i)
    }
  })
})

test('rejects a migration that is dated before its predecessor, because drizzle would skip it', async () => {
  await addMigration('0099_backdated', 'CREATE TABLE plugboard.more ()', -1)
  await expect(migrateDatabase(here())).rejects.toMatchObject({
    name: 'StartupError',
    message: expect.stringMatching(/is dated before/),
  })
})

test('rejects a migration that was edited after it was applied', async () => {
  await migrateDatabase(here())
  const file = join(folder, '0001_rules.sql')
  await writeFile(file, `${await readFile(file, 'utf8')}\n-- changed`)
  await expect(migrateDatabase(here())).rejects.toMatchObject({
    name: 'StartupError',
    message: expect.stringMatching(/^Migration 2 of the database differs from the one/),
  })
})

test('a migration that fails leaves the database unchanged', async () => {
  const { applied } = await migrateDatabase(here())
  await addMigration('0098_fine', 'CREATE TABLE plugboard.more ()', 1)
  await addMigration('0099_broken', 'CREATE TABLE plugboard.more ()', 1)
  await expect(migrateDatabase(here())).rejects.toMatchObject({
    name: 'StartupError',
    message: 'The database could not be migrated and is unchanged: relation "more" already exists',
  })
  expect(await migrationStatus(here())).toEqual({ applied, pending: 2, newer: [] })
})

test('a database that is down is reported as unavailable', async () => {
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
