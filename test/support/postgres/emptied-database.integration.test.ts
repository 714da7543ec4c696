import pg from 'pg'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { emptyDatabase, type InitialContents, readInitialContents } from './emptied-database.ts'
import { createTestDatabase, type TestDatabase } from './postgres.ts'

let database: TestDatabase
let initial: InitialContents
beforeEach(async () => {
  database = await createTestDatabase()
  initial = await readInitialContents(database.url)
})
afterEach(() => database.drop())

async function query(text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

it('empties the tables, restores the rows of the migrations, and closes connections', async () => {
  const { store } = database.open()
  await store.services.create({ name: 'shop' }, { actor: 'test' })
  await store.routes.create({ mount: 'app.test', service: 'shop' }, { actor: 'test' })
  await query("UPDATE plugboard.compatibility SET name = 'other'")
  const client = new pg.Client({ connectionString: database.url })
  const closed = new Promise(resolve => client.on('error', resolve))
  await client.connect()
  expect(await emptyDatabase(database.url, initial)).toBe(true)
  expect(await closed).toBeInstanceOf(Error)
  expect(await readInitialContents(database.url)).toEqual(initial)
  expect(await query('SELECT * FROM plugboard.services')).toEqual([])
  expect(await store.changes.latest()).toBe(0)
})

it.each([
  'ALTER TABLE plugboard.services ADD COLUMN extra text',
  'ALTER TABLE plugboard.services DISABLE TRIGGER ALL',
  'CREATE FUNCTION plugboard.extra() RETURNS integer LANGUAGE sql AS $$SELECT 1$$',
  'CREATE SCHEMA extra',
  'GRANT SELECT ON plugboard.services TO PUBLIC',
  `DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET lock_timeout = 1', current_database()); END$$`,
])('does not keep a database after: %s', async statement => {
  await query(statement)
  expect(await emptyDatabase(database.url, initial)).toBe(false)
})

it('does not keep a database that held many rows', async () => {
  await query(`INSERT INTO plugboard.services (name) SELECT 'shop-' || i FROM generate_series(1, 1001) i`)
  expect(await emptyDatabase(database.url, initial)).toBe(false)
})
