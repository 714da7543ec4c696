// Many writers at once, in every isolation level: mounts stay terminal, the log has no gap, its order is the order of the
// commits, and a follower of the log misses no entry.

import { isOnOrBeneath } from '@vera-stack/shared/mounts.ts'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import { type Random, randomInteger, runSeed, seededRandom } from '../../../test/support/seeded-random.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

const WRITERS = 16
const TRANSACTIONS_EACH = 40
const ISOLATION = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const
/** Expected errors: violated rules, and conflicts after which the writer may try again. */
const EXPECTED = new Set(['23P01', '23505', '23503', '40001', '40P01'])

const pick = <Value>(random: Random, values: readonly Value[]): Value =>
  values[randomInteger(random, 0, values.length - 1)]!

test('parallel writers cannot break the rules between them', async () => {
  const seed = runSeed()
  const random = seededRandom(seed)
  const follower = await connect()
  const followed: number[] = []
  let following = true
  const follow = (async () => {
    while (following || (await read()) > 0) await read()
    async function read(): Promise<number> {
      const { rows } = await follower.query<{ sequence: string }>(
        'SELECT sequence FROM plugboard.changes WHERE sequence > $1 ORDER BY sequence',
        [followed.at(-1) ?? 0],
      )
      followed.push(...rows.map(row => Number(row.sequence)))
      return rows.length
    }
  })()

  const outcomes = new Map<string, number>()
  await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      const client = await connect()
      for (let count = 0; count < TRANSACTIONS_EACH; count += 1) {
        const outcome = await attempt(client, random)
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      }
      await client.end()
    }),
  )
  following = false
  await follow

  const { rows: routes } = await follower.query<{
    id: string
    host: string
    mount_path: string
    service: boolean
  }>(
    `SELECT r.id, r.host, r.mount_path, s.deleted_at IS NULL AS service
     FROM plugboard.routes r JOIN plugboard.services s ON s.id = r.service_id WHERE r.deleted_at IS NULL`,
  )
  for (const route of routes) {
    expect(route.service, `seed ${seed}`).toBe(true)
    for (const other of routes) {
      if (other.id === route.id || other.host !== route.host) continue
      expect(isOnOrBeneath(other.mount_path, route.mount_path), `seed ${seed}`).toBe(false)
    }
  }
  // The log has every sequence from 1 on, and the follower has read them in this order.
  expect(followed, `seed ${seed}`).toEqual(Array.from({ length: followed.length }, (_, index) => index + 1))
  const { rows: head } = await follower.query('SELECT sequence::int FROM plugboard.change_head')
  expect(head).toEqual([{ sequence: followed.length }])
  // The log, applied from its start, gives the content of the tables.
  const { rows: entries } = await follower.query<{ entity_id: string; after: { deleted_at: string | null } }>(
    "SELECT entity_id, after FROM plugboard.changes WHERE entity = 'route' ORDER BY sequence",
  )
  const replayed = new Map(entries.map(entry => [entry.entity_id, entry.after]))
  const living = [...replayed].filter(([, after]) => after.deleted_at === null).map(([id]) => id)
  expect(living.sort(), `seed ${seed}`).toEqual(routes.map(route => route.id).sort())
  // Each kind of result has occurred: successes, violated rules, conflicts.
  for (const outcome of ['done', '23P01', '40001']) expect(outcomes.get(outcome), outcome).toBeGreaterThan(0)
  await follower.end()
}, 60_000)

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: db.url })
  await client.connect()
  return client
}

async function attempt(client: pg.Client, random: Random): Promise<string> {
  const host = pick(random, ['a.test', '*.test', '*'])
  const path = `/${Array.from({ length: randomInteger(random, 0, 3) }, () => pick(random, ['x', 'y'])).join('/')}`
  const name = pick(random, ['one', 'two', 'three'])
  const statements: (() => Promise<unknown>)[] = [
    () =>
      client.query(
        `INSERT INTO plugboard.services (name) VALUES ($1) ON CONFLICT (name) WHERE deleted_at IS NULL DO NOTHING`,
        [name],
      ),
    () =>
      client.query(
        `INSERT INTO plugboard.routes (host, mount_path, service_id)
         SELECT $1, $2, id FROM plugboard.services WHERE name = $3 AND deleted_at IS NULL`,
        [host, path, name],
      ),
    () =>
      client.query('UPDATE plugboard.routes SET mount_path = $1 WHERE host = $2 AND deleted_at IS NULL', [
        path,
        host,
      ]),
    () =>
      client.query(
        `UPDATE plugboard.routes SET deleted_at = now()
         WHERE id IN (SELECT id FROM plugboard.routes WHERE deleted_at IS NULL LIMIT 2)`,
      ),
    () => client.query('UPDATE plugboard.services SET deleted_at = now() WHERE name = $1', [name]),
  ]
  await client.query(`BEGIN ISOLATION LEVEL ${pick(random, ISOLATION)}`)
  try {
    await client.query('SELECT count(*) FROM plugboard.routes') // the snapshot is taken here
    for (let count = randomInteger(random, 1, 3); count > 0; count -= 1) await pick(random, statements)()
    await client.query(random() < 0.1 ? 'ROLLBACK' : 'COMMIT')
    return 'done'
  } catch (error) {
    await client.query('ROLLBACK')
    const code = error instanceof pg.DatabaseError ? (error.code ?? '') : ''
    if (!EXPECTED.has(code)) throw error
    return code
  }
}
