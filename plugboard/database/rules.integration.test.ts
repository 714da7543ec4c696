// Tests the rules of migrations/0001_rules.sql with plain SQL, because they apply to psql as well as to our own queries.

import { formatMount, parseMount } from '@vera-stack/shared/mounts.ts'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres/postgres.ts'

let db: TestDatabase
let client: pg.Client

beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())
beforeEach(async () => {
  client = await connect()
  await client.query('BEGIN')
  await client.query("INSERT INTO plugboard.services (name) VALUES ('a'), ('b')")
})
afterEach(() => client.end())

async function connect(): Promise<pg.Client> {
  const opened = new pg.Client({ connectionString: db.url })
  await opened.connect()
  return opened
}

const insertRoute = (host: string, path: string, service = 'a') =>
  client.query<{ id: string }>(
    `INSERT INTO plugboard.routes (host, mount_path, service_id)
     SELECT $1, $2, id FROM plugboard.services WHERE name = $3 RETURNING id`,
    [host, path, service],
  )

/** Runs the statement in a savepoint, so that the transaction continues after an error. Resolves with the error. */
async function refusal(work: () => Promise<unknown>): Promise<pg.DatabaseError | undefined> {
  await client.query('SAVEPOINT attempt')
  try {
    await work()
    await client.query('RELEASE attempt')
    return undefined
  } catch (error) {
    await client.query('ROLLBACK TO attempt')
    return error as pg.DatabaseError
  }
}

describe('terminal mounts', () => {
  test.each([
    ['/api', '/api', false],
    ['/api', '/api/v2', false],
    ['/api/v2', '/api', false],
    ['/api', '/apix', true],
    ['/api', '/api-v2', true],
    ['/api', '/api.v2', true],
    ['/a/b', '/a/c', true],
    ['/a/b/c', '/a', false],
    ['/', '/x', false],
    ['/x/y', '/', false],
    ['/%C3', '/%C4', true],
    ['/API', '/api', true],
  ])('%s and %s on one host: %s', async (first, second, together) => {
    await insertRoute('h.test', first)
    const error = await refusal(() => insertRoute('h.test', second, 'b'))
    expect(error?.constraint).toBe(together ? undefined : 'routes_terminal_mounts')
  })

  test('routes with other host patterns do not conflict', async () => {
    await insertRoute('h.test', '/api')
    expect(await refusal(() => insertRoute('*.test', '/api'))).toBeUndefined()
    expect(await refusal(() => insertRoute('*', '/'))).toBeUndefined()
    expect(await refusal(() => insertRoute('h2.test', '/api/v2'))).toBeUndefined()
  })

  test('the error names the other route', async () => {
    const { rows } = await insertRoute('h.test', '/api')
    const error = await refusal(() => insertRoute('h.test', '/api/v2', 'b'))
    expect(error?.message).toBe('h.test/api/v2 lies beneath h.test/api.')
    expect(error?.detail).toBe(`Route ${rows[0]!.id} mounts h.test/api for service "a".`)
  })

  test('two rows of one statement are checked too', async () => {
    const error = await refusal(() =>
      client.query(`INSERT INTO plugboard.routes (host, mount_path, service_id)
        SELECT 'h.test', path, id FROM plugboard.services, (VALUES ('/a'), ('/a/b')) AS p (path) WHERE name = 'a'`),
    )
    expect(error?.constraint).toBe('routes_terminal_mounts')
  })

  test('a deleted route does not conflict, and cannot be restored when its mount is taken', async () => {
    const { rows } = await insertRoute('h.test', '/api')
    await client.query('UPDATE plugboard.routes SET deleted_at = now() WHERE id = $1', [rows[0]!.id])
    expect(await refusal(() => insertRoute('h.test', '/api/v2'))).toBeUndefined()
    const error = await refusal(() =>
      client.query('UPDATE plugboard.routes SET deleted_at = NULL WHERE id = $1', [rows[0]!.id]),
    )
    expect(error?.constraint).toBe('routes_terminal_mounts')
  })

  test('a changed mount is checked like a new one', async () => {
    await insertRoute('h.test', '/api')
    const { rows } = await insertRoute('h.test', '/web')
    const move = (path: string) =>
      client.query('UPDATE plugboard.routes SET mount_path = $2 WHERE id = $1', [rows[0]!.id, path])
    expect((await refusal(() => move('/api/web')))?.constraint).toBe('routes_terminal_mounts')
    expect(await refusal(() => move('/web/deeper'))).toBeUndefined()
  })
})

describe('normal form', () => {
  test('the schema accepts exactly the normal forms of shared/mounts.ts', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '/',
        '.',
        '..',
        '*',
        '*.',
        'a',
        'A',
        '%2e',
        '%2E',
        '%00',
        '%41',
        '%c3',
        '%C3',
        '%7E',
        '%',
        ':',
        ';',
        ' ',
        '?',
        '_plugboard',
      ),
      fc.string({ maxLength: 3 }),
    )
    const host = fc.oneof(
      fc.constantFrom('h.test', '*', '*.test'),
      fc.array(piece, { maxLength: 4 }).map(p => p.join('')),
    )
    const path = fc.array(piece, { maxLength: 6 }).map(pieces => `/${pieces.join('')}`)
    const samples = fc.sample(fc.tuple(host, path), { numRuns: 3_000, seed: 1 })
    // The expressions of the schema, applied to values instead of rows.
    const { rows: checks } = await client.query<{ form: string }>(
      `SELECT pg_get_expr(conbin, conrelid) AS form FROM pg_constraint
       WHERE conrelid = 'plugboard.routes'::regclass AND conname LIKE 'routes\\_%\\_%' AND contype = 'c'
         AND conname NOT IN ('routes_options_object', 'routes_options_renamed', 'routes_service_or_response',
           'routes_lifetime_positive')`,
    )
    expect(checks).toHaveLength(3)
    const { rows } = await client.query<{ taken: boolean }>(
      `SELECT ${checks.map(({ form }) => form).join(' AND ')} AS taken
       FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (host, mount_path, place) ORDER BY place`,
      // A NUL cannot be sent to Postgres.
      [samples.map(([h]) => h.replaceAll('\0', '/')), samples.map(([, p]) => p.replaceAll('\0', '?'))],
    )
    let taken = 0
    for (const [index, [h, p]] of samples.entries()) {
      const parsed = parseMount(h + p)
      const normal = parsed.ok && parsed.value.host === h && parsed.value.path === p
      expect([h, p, rows[index]!.taken]).toEqual([h, p, normal])
      if (normal) taken += 1
    }
    expect(taken).toBeGreaterThan(50)
  })

  test.each(['/_plugboard', '/_plugboard/tunnel', '/_plugboard/x/y'])('%s is reserved', async path => {
    for (const host of ['h.test', '*.test', '*']) {
      expect((await refusal(() => insertRoute(host, path)))?.constraint).toBe('routes_mount_path_reserved')
    }
    expect(formatMount({ host: 'h.test', path })).toContain(path)
  })

  test('names that begin with the reserved name are allowed', async () => {
    expect(await refusal(() => insertRoute('h.test', '/_plugboards'))).toBeUndefined()
    expect(await refusal(() => insertRoute('i.test', '/'))).toBeUndefined()
  })
})

describe('services and their routes', () => {
  test('a service with routes cannot be deleted, and a deleted service gets no routes', async () => {
    await insertRoute('h.test', '/api')
    const remove = () => client.query("UPDATE plugboard.services SET deleted_at = now() WHERE name = 'a'")
    const error = await refusal(remove)
    expect(error?.constraint).toBe('services_without_routes')
    expect(error?.detail).toMatch(/^Route [0-9a-f-]+ mounts h\.test\/api\.$/)
    await client.query('UPDATE plugboard.routes SET deleted_at = now()')
    expect(await refusal(remove)).toBeUndefined()
    expect((await refusal(() => insertRoute('h.test', '/api')))?.constraint).toBe('routes_service_living')
  })
})

describe('versions and the log', () => {
  const log = async () =>
    (await client.query('SELECT * FROM plugboard.changes ORDER BY sequence')).rows as Record<
      string,
      unknown
    >[]

  test('each change increments the version and adds one entry; an update without a change adds no entry', async () => {
    await client.query("SELECT set_config('plugboard.actor', 'somebody', true)")
    const before = (await log()).length
    await client.query("UPDATE plugboard.services SET policy = '{\"retries\": 1}' WHERE name = 'a'")
    await client.query("UPDATE plugboard.services SET policy = policy WHERE name = 'a'")
    await client.query("UPDATE plugboard.services SET deleted_at = now() WHERE name = 'b'")
    await client.query("DELETE FROM plugboard.services WHERE name = 'b'")
    const entries = (await log()).slice(before)
    expect(entries.map(({ action, actor }) => [action, actor])).toEqual([
      ['updated', 'somebody'],
      ['deleted', 'somebody'],
      ['purged', 'somebody'],
    ])
    expect(entries[0]!.before).toMatchObject({ policy: {}, version: 1 })
    expect(entries[0]!.after).toMatchObject({ policy: { retries: 1 }, version: 2 })
  })

  test('a change without an actor is logged with the database role', async () => {
    const { rows } = await client.query<{ role: string }>('SELECT session_user AS role')
    expect((await log()).at(-1)).toMatchObject({ actor: `sql:${rows[0]!.role}`, entity: 'service' })
  })

  test('entries contain no secrets', async () => {
    await client.query(`INSERT INTO plugboard.signing_keys (kid, public_jwk, private_jwk)
      VALUES ('k1', '{"x": "public"}', '{"d": "top-secret"}')`)
    await client.query(`INSERT INTO plugboard.admin_keys (name, prefix, hash, scopes)
      VALUES ('n', 'p', 'top-secret', '{}')`)
    await client.query("UPDATE plugboard.admin_keys SET revoked_at = now(), hash = 'top-secret-2'")
    await client.query('UPDATE plugboard.signing_keys SET retired_at = now()')
    const entries = (await log()).slice(-4)
    expect(entries.map(({ action }) => action)).toEqual(['created', 'created', 'revoked', 'retired'])
    expect(JSON.stringify(await log())).not.toContain('top-secret')
  })

  test('an update of last_seen_at is not a change', async () => {
    await client.query(`INSERT INTO plugboard.tokens (name, services, mounts, ttl_seconds, expires_at)
      VALUES ('t', '{}', '{}', 60, now())`)
    const before = (await log()).length
    await client.query('UPDATE plugboard.tokens SET last_seen_at = now(), expires_at = now()')
    expect(await log()).toHaveLength(before)
    const { rows } = await client.query('SELECT version FROM plugboard.tokens')
    expect(rows).toEqual([{ version: 1 }])
  })

  test('the log cannot be changed, its newest entry cannot be deleted, and no table can be truncated', async () => {
    for (const statement of [
      "UPDATE plugboard.changes SET actor = 'nobody'",
      'TRUNCATE plugboard.changes',
      'TRUNCATE plugboard.routes CASCADE',
      'TRUNCATE plugboard.services CASCADE',
      'DELETE FROM plugboard.change_head',
    ]) {
      expect((await refusal(() => client.query(statement)))?.code, statement).toBe('55000')
    }
    await client.query('DELETE FROM plugboard.changes')
    expect(await log()).toHaveLength(1)
  })
})
