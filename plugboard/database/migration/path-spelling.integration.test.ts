// Migration 0008 gives mounts one spelling. The tests use rows of older versions, on a database of that version.

import { normalizeEscapes } from '@vera-stack/shared/mounts.ts'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withMigrationsBefore } from '../../../test/support/postgres/older-schema.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import { migrateDatabase } from './migrate.ts'

let db: TestDatabase
let client: pg.Client

beforeEach(async () => {
  db = await createTestDatabase({ empty: true })
  await withMigrationsBefore('0008_path_spelling', folder => migrateDatabase({ url: db.url, folder }))
  client = new pg.Client({ connectionString: db.url })
  await client.connect()
  await client.query(`INSERT INTO plugboard.services (name) VALUES ('shop')`)
})
afterEach(async () => {
  await client.end()
  await db.drop()
})

const mount = (path: string, host = 'h.test') =>
  client.query(
    'INSERT INTO plugboard.routes (host, mount_path, service_id) SELECT $1, $2, id FROM plugboard.services',
    [host, path],
  )
const migrate = () => migrateDatabase({ url: db.url })
const paths = async () => {
  const { rows } = await client.query<{ mount_path: string }>(
    'SELECT mount_path FROM plugboard.routes WHERE deleted_at IS NULL ORDER BY created_at, mount_path',
  )
  return rows.map(row => row.mount_path)
}

test('changes mounts to the one spelling of the code, with an entry in the change log for each', async () => {
  const written = ['/', '/plain', '/%e3%83%91', '/%7euser/%61%2Fb%2f', '/%41-%5a.%30_%2d', '/a%2Eb%3d%3D%21']
  for (const [index, path] of written.entries()) await mount(path, `h${index}.test`)
  await migrate()
  expect((await paths()).sort()).toEqual(written.map(normalizeEscapes).sort())
  const { rows } = await client.query<{ actor: string; count: string }>(
    `SELECT actor, count(*) FROM plugboard.changes WHERE entity = 'route' AND action = 'updated' GROUP BY actor`,
  )
  expect(rows).toEqual([{ actor: 'system', count: '4' }])
})

test('fails with a list when routes mount one path in two spellings, and changes no row', async () => {
  await mount('/caf%c3%a9')
  await mount('/caf%C3%A9')
  await mount('/%61pi')
  await mount('/api/v2')
  await mount('/%5fplugboard')
  await mount('/fin%65')
  const before = await paths()
  const error = await migrate().then(
    () => undefined,
    (reason: Error) => reason,
  )
  expect(error).toMatchObject({ name: 'StartupError' })
  expect(error?.message).toMatch(
    /unchanged: These routes .*h\.test\/%5fplugboard \(route [0-9a-f-]{36}\), which is the reserved path/,
  )
  expect(error?.message).toMatch(/h\.test\/caf%C3%A9 \(route .*\) and h\.test\/caf%c3%a9 \(route .*\)/)
  expect(error?.message).toMatch(/h\.test\/%61pi \(route .*\) and h\.test\/api\/v2 \(route .*\)/)
  expect(error?.message).not.toContain('fin%65')
  expect(await paths()).toEqual(before)

  await client.query(
    `UPDATE plugboard.routes SET deleted_at = now() WHERE mount_path IN ('/caf%c3%a9', '/%61pi', '/%5fplugboard')`,
  )
  await migrate()
  expect((await paths()).sort()).toEqual(['/api/v2', '/caf%C3%A9', '/fine'])
})

test('lists at most 20 routes', async () => {
  for (let index = 0; index < 25; index += 1) {
    await mount('/caf%c3%a9', `h${index}.test`)
    await mount('/caf%C3%A9', `h${index}.test`)
  }
  await expect(migrate()).rejects.toThrow(/; and 5 more\. Delete one of each pair/)
})

test('rejects a mount in another spelling from then on', async () => {
  await migrate()
  for (const path of ['/caf%c3%a9', '/%61', '/a%2Eb', '/%7E'])
    await expect(mount(path)).rejects.toMatchObject({ constraint: 'routes_mount_path_form' })
  await mount('/caf%C3%A9')
})
