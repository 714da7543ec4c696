// Migration 0017 gives IPv6 addresses in mounts one spelling. The tests use rows of older versions, on a database of that version.

import { normalizeHost } from '@vera-stack/shared/mounts.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withMigrationsBefore } from '../../../test/support/postgres/older-schema.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import { administer } from '../../../test/support/postgres/postgres-setup.ts'
import { seededRandom } from '../../../test/support/seeded-random.ts'
import { migrateDatabase } from './migrate.ts'

let db: TestDatabase
beforeEach(async () => {
  db = await createTestDatabase({ empty: true })
  await withMigrationsBefore('0017_ipv6_hosts', folder => migrateDatabase({ url: db.url, folder }))
  await administer(db.url, `INSERT INTO plugboard.services (name) VALUES ('shop')`)
})
afterEach(() => db.drop())

const migrate = () => migrateDatabase({ url: db.url })
/** Adds routes, each with its host and path. */
const mount = (...mounts: readonly (readonly [host: string, path: string])[]) =>
  administer(
    db.url,
    `INSERT INTO plugboard.routes (host, mount_path, service_id)
       SELECT m.host, m.path, s.id FROM plugboard.services s, unnest($1::text[], $2::text[]) AS m (host, path)`,
    [mounts.map(([host]) => host), mounts.map(([, path]) => path)],
  )
const hosts = async () =>
  (await administer(db.url, 'SELECT host FROM plugboard.routes ORDER BY mount_path')).map(({ host }) => host)

/** Returns an address with runs of zeros, written in one of its forms. */
function address(random: () => number): string {
  const groups = Array.from({ length: 8 }, () => (random() < 0.6 ? 0 : Math.floor(random() * 0x10000)))
  return groups.map(group => group.toString(16).padStart(random() < 0.5 ? 4 : 1, '0')).join(':')
}

test('changes hosts to the one spelling of the code, with an entry in the change log for each', async () => {
  const random = seededRandom(17)
  const written = [
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:102:304]',
    '[::1.2.3.4]',
    '[::102]',
    '[::]',
    'app.test',
    '*',
    ...Array.from({ length: 50 }, () => `[${address(random)}]`),
  ]
  const mounts = written.map((host, index) => [host, `/${String(index).padStart(3, '0')}`] as const)
  await mount(...mounts, ['[12]', '/999'])
  await migrate()
  const expected = written.map(host => (host === '*' ? '*' : normalizeHost(host)))
  expect(await hosts()).toEqual([...expected, '[12]'])
  const changed = written.filter((host, index) => host !== expected[index]).length
  const [entries] = await administer(
    db.url,
    `SELECT count(*)::int AS count, min(actor) AS actor FROM plugboard.changes
       WHERE entity = 'route' AND action = 'updated'`,
  )
  expect(entries).toEqual({ count: changed, actor: 'system' })
})

test('fails when two routes have one address in two spellings, and changes no row', async () => {
  await mount(['[::1]', '/a'], ['[0:0:0:0:0:0:0:1]', '/a/b'], ['[0::2]', '/c'])
  const before = await hosts()
  await expect(migrate()).rejects.toMatchObject({
    name: 'StartupError',
    message: expect.stringMatching(/Route \[0:0:0:0:0:0:0:1\]\/a\/b .* in two spellings: .*\[::1\]/),
  })
  expect(await hosts()).toEqual(before)
  await administer(db.url, `UPDATE plugboard.routes SET deleted_at = now() WHERE mount_path = '/a'`)
  await migrate()
  expect(await hosts()).toEqual(['[::1]', '[::1]', '[::2]'])
})
