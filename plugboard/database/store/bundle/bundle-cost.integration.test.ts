// The work of the database for many rows, as the server counts it: entries read from indexes, and new entries of indexes.

import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres/postgres.ts'

const ROWS = 1_000

let database: TestDatabase
let client: pg.Client
beforeAll(async () => {
  database = await createTestDatabase()
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query("INSERT INTO plugboard.services (name) VALUES ('shop')")
})
beforeEach(() => client.query('UPDATE plugboard.routes SET deleted_at = now() WHERE deleted_at IS NULL'))
afterAll(async () => {
  await client.end()
  await database.drop()
})

/** Runs one transaction. `bundle`: the setting that makes the checks of whole statements run. */
async function transaction(bundle: string, statement: string): Promise<void> {
  await client.query('BEGIN')
  await client.query("SELECT set_config('plugboard.bundle', $1, true)", [bundle])
  await client.query(statement)
  await client.query('COMMIT')
}

/** Returns a number of the server's statistics for the table of routes. */
async function counted(expression: string, view: string): Promise<number> {
  await client.query('SELECT pg_stat_force_next_flush()')
  const { rows } = await client.query<{ count: string }>(
    `SELECT ${expression} AS count FROM ${view} WHERE schemaname = 'plugboard' AND relname = 'routes'`,
  )
  return Number(rows[0]!.count)
}
const entriesRead = () => counted('sum(idx_tup_read)', 'pg_stat_user_indexes')
const indexSearches = () => counted('sum(idx_scan)', 'pg_stat_user_indexes')
const updatesWithoutIndexes = () => counted('n_tup_hot_upd', 'pg_stat_user_tables')

const insertRoutes = (host: string) => `
  INSERT INTO plugboard.routes (host, mount_path, service_id)
  SELECT ${host}, '/api/v' || n, (SELECT id FROM plugboard.services WHERE name = 'shop')
    FROM generate_series(1, ${ROWS}) n`

describe.each([
  ['of a bundle', 'bundle-1'],
  ['of another writer', ''],
])('a statement %s', (_, bundle) => {
  test('reads a few index entries for each new route, also when the statistics have no living route', async () => {
    // Statistics with deleted routes only: the planner takes an index of living routes for an empty index.
    await transaction('', insertRoutes("'old-' || n || '.test'"))
    await client.query('UPDATE plugboard.routes SET deleted_at = now() WHERE deleted_at IS NULL')
    await client.query('ANALYZE plugboard.routes')
    const before = await entriesRead()
    await transaction(bundle, insertRoutes("'tenant-' || n || '.test'"))
    expect((await entriesRead()) - before).toBeLessThan(ROWS * 20)
  })
})

test('the deletion of many services by a bundle does not search the routes of each service', async () => {
  await client.query(
    `INSERT INTO plugboard.services (name) SELECT 'unused-' || n FROM generate_series(1, 50) n`,
  )
  await transaction('bundle-1', insertRoutes("'kept-' || n || '.test'"))
  const before = await indexSearches()
  await transaction('bundle-2', `UPDATE plugboard.services SET deleted_at = now() WHERE name LIKE 'unused-%'`)
  expect((await indexSearches()) - before).toBeLessThan(10)
})

test('a change of options writes no entries of indexes', async () => {
  await transaction('bundle-1', insertRoutes("'hot-' || n || '.test'"))
  const before = await updatesWithoutIndexes()
  await transaction(
    'bundle-2',
    `UPDATE plugboard.routes SET options = '{"stripMount": true}' WHERE deleted_at IS NULL`,
  )
  // The last page may have less space.
  expect((await updatesWithoutIndexes()) - before).toBeGreaterThan(ROWS * 0.95)
})

test('an update of an id is a deletion and a creation in the change log', async () => {
  const { rows: heads } = await client.query<{ sequence: string }>(
    'SELECT sequence FROM plugboard.change_head',
  )
  await client.query(
    `INSERT INTO plugboard.services (id, name) VALUES ('00000000-0000-7000-8000-000000000001', 'blog')`,
  )
  await client.query(
    `UPDATE plugboard.services SET id = '00000000-0000-7000-8000-000000000002' WHERE name = 'blog'`,
  )
  const { rows } = await client.query(
    `SELECT action, right(entity_id, 1) AS id, before ->> 'name' AS before, after ->> 'name' AS after
      FROM plugboard.changes WHERE sequence > $1 ORDER BY sequence`,
    [heads[0]!.sequence],
  )
  expect(rows).toEqual([
    { action: 'created', id: '1', before: null, after: 'blog' },
    { action: 'deleted', id: '1', before: 'blog', after: null },
    { action: 'created', id: '2', before: null, after: 'blog' },
  ])
})
