// Tests with a real Postgres, whose clock counts. A test simulates the passing of time by moving recorded times into the past.

import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../../test/support/deadline.ts'
import { findRoute } from '../../../../test/support/postgres/find-route.ts'
import { past as moveIntoPast } from '../../../../test/support/postgres/past.ts'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres/postgres.ts'
import { asRouteId } from '../../../common/ids/row-ids.ts'
import type { Claim, Route, Store } from '../store.ts'

const MINUTE_MS = 60_000
/** Shorter than the time limit of a test, so that a failure names the awaited event. */
const PATIENCE_MS = 10_000
const by = { actor: 'test' }
const reference = { kind: 'outside', issuer: 'https://issuer.test', subject: 'ada', id: '1' } as const
const token = { reference, services: ['*'], mounts: ['*'], maxClaims: 100 }

let db: TestDatabase
let store: Store
let client: pg.Client

beforeAll(async () => {
  db = await createTestDatabase()
  store = db.open().store
})
afterAll(() => db.drop())
beforeEach(async () => {
  client = new pg.Client({ connectionString: db.url })
  await client.connect()
})
afterEach(async () => {
  for (const table of ['routes', 'services', 'recording_periods', 'leases']) {
    await client.query(`DELETE FROM plugboard.${table}`)
  }
  await client.end()
})

const claim = (mount: string, more: Partial<Claim> = {}) =>
  store.claimMount({ service: mount.replaceAll('/', '-'), mount, token, ...more })

/** Moves all recorded times back by this interval. */
const past = (ms: number) => moveIntoPast(db.url, `${ms} milliseconds`)

/** Simulates this interval, during which replicas record. */
async function recorded(minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    await past(MINUTE_MS)
    await store.routeActivity.record([])
  }
}

const activityOf = async (route: Route) =>
  (await client.query('SELECT * FROM plugboard.route_activity WHERE route_id = $1', [route.id])).rows[0] as
    | { served_at: Date | null; telephone: string | null; line_at: Date | null }
    | undefined

const near = (date: Date | null | undefined, ageMs: number): void => {
  const age = Date.now() - (date?.getTime() ?? 0)
  // The test and the database use the clock of the same machine.
  expect(Math.abs(age - ageMs)).toBeLessThan(10_000)
}

async function untilWaiting(count = 1): Promise<void> {
  const probe = new pg.Client({ connectionString: db.url })
  await probe.connect()
  try {
    await eventually(
      `${count} transactions wait for a lock`,
      async () => {
        const { rowCount } = await probe.query(
          `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        )
        return rowCount === count ? true : undefined
      },
      PATIENCE_MS,
    )
  } finally {
    await probe.end()
  }
}

describe('recorded activity', () => {
  test('shows the last request of a route, and the Telephone that received it', async () => {
    const { route } = await claim('app.test')
    expect(route).toMatchObject({ lastRequestAt: null, lastTelephone: null, lifetimeMs: null })
    await store.routeActivity.record([{ routeId: route.id, servedAgeMs: 20_000, telephone: 'laptop' }])
    const found = await store.routes.get('app.test')
    near(found.lastRequestAt, 20_000)
    expect(found).toMatchObject({ lastTelephone: 'laptop', version: route.version })
  })

  test('never replaces a newer value by an older one', async () => {
    const { route } = await claim('app.test')
    await store.routeActivity.record([{ routeId: route.id, servedAgeMs: 1000, telephone: 'newer' }])
    await store.routeActivity.record([{ routeId: route.id, servedAgeMs: 50_000, telephone: 'older' }])
    const found = await store.routes.get('app.test')
    near(found.lastRequestAt, 1000)
    expect(found.lastTelephone).toBe('newer')
    await store.routeActivity.record([{ routeId: route.id, servedAgeMs: 0 }])
    expect(await store.routes.get('app.test')).toMatchObject({ lastTelephone: 'newer' })
  })

  test('writes no entry into the change log, and takes no lock of writers', async () => {
    const { route } = await claim('app.test')
    const latest = await store.changes.latest()
    await client.query('BEGIN')
    await client.query('SELECT 1 FROM plugboard.change_head FOR UPDATE')
    await store.routeActivity.record([{ routeId: route.id, servedAgeMs: 0, telephone: 'laptop' }])
    await client.query('ROLLBACK')
    expect(await store.changes.latest()).toBe(latest)
  })

  test('ignores routes that do not exist any more, and stores names with characters that Postgres cannot store', async () => {
    const { route } = await claim('app.test')
    const name = `a\0b\ud800${'x'.repeat(300)}`
    await store.routeActivity.record([
      { routeId: asRouteId(randomUUID()), servedAgeMs: 0, telephone: 'gone' },
      { routeId: route.id, servedAgeMs: 0, telephone: name },
    ])
    const { lastTelephone } = await store.routes.get('app.test')
    expect(lastTelephone).toMatch(/^ab\ufffdx{252}$/)
  })

  test('replicas that record the same routes lock them in one order, so they never deadlock', async () => {
    const routes: Route[] = []
    for (let index = 0; index < 20; index += 1) routes.push((await claim(`h${index}.test`)).route)
    const lowest = () => routes.map(({ id }) => id).sort()[0]
    // Ensures that the lowest id is not the first one, in the table and in each batch.
    for (;;) {
      if (routes[0]?.id === lowest()) routes.shift()
      else if (routes.at(-1)?.id === lowest()) routes.pop()
      else break
      expect(routes.length, 'random ids, of which the lowest is neither first nor last').toBeGreaterThan(2)
    }
    const uses = routes.map(({ id }) => ({ routeId: id, servedAgeMs: 0, telephone: 'laptop' }))
    await store.routeActivity.record(uses)
    for (const batch of [uses, uses.toReversed()]) {
      await client.query('BEGIN')
      await client.query('SELECT 1 FROM plugboard.route_activity WHERE route_id = $1 FOR UPDATE', [lowest()])
      const recording = store.routeActivity.record(batch)
      await untilWaiting()
      const free = await client.query('SELECT 1 FROM plugboard.route_activity FOR UPDATE SKIP LOCKED')
      expect(free.rowCount).toBe(routes.length)
      await client.query('COMMIT')
      await recording
    }
  })

  test('keeps the newest 1,000 periods', async () => {
    await client.query(`
      INSERT INTO plugboard.recording_periods SELECT now() - n * interval '1 hour', now() - n * interval '1 hour'
      FROM generate_series(1, 1005) n`)
    await store.routeActivity.record([])
    const { rows } = await client.query('SELECT count(*)::int AS count FROM plugboard.recording_periods')
    expect(rows).toEqual([{ count: 1000 }])
  })
})

describe('a claim with a lifetime', () => {
  const lifetimeMs = 10 * MINUTE_MS
  const expired = async () => (await store.routeActivity.expired(100)).map(({ mount }) => mount)
  const sweep = async () => {
    const found = await store.routeActivity.expired(100)
    return await store.routeActivity.removeExpired(
      found.map(({ id }) => id),
      { actor: 'system' },
    )
  }

  test('ends after its lifetime without a line, with the service that it created', async () => {
    await store.routeActivity.record([])
    const { route } = await claim('app.test', { lifetimeMs })
    await claim('stays.test')
    expect(route).toMatchObject({ lifetimeMs })
    await recorded(9)
    expect(await sweep()).toEqual([])
    await recorded(2)
    expect(await sweep()).toEqual([{ id: route.id, mount: 'app.test', service: 'app.test' }])
    expect(await findRoute(store, route.id)).toBeUndefined()
    expect(await store.services.find('app.test')).toBeUndefined()
    expect(await activityOf(route)).toBeUndefined()
    expect(await findRoute(store, 'stays.test')).toBeDefined()
    const { items } = await store.changes.list({ limit: 2 })
    expect(items).toMatchObject([
      { entity: 'service', action: 'deleted', actor: 'system', after: null },
      { entity: 'route', action: 'deleted', before: { mountPath: '/', lifetimeMs } },
    ])
  })

  test('stays while replicas have a line for it', async () => {
    await store.routeActivity.record([])
    const { route } = await claim('app.test', { lifetimeMs })
    for (let minute = 0; minute < 15; minute += 1) {
      await recorded(1)
      await store.routeActivity.record([{ routeId: route.id, lineAgeMs: 0 }])
    }
    expect(await expired()).toEqual([])
  })

  test('stays during an outage of the database or of all replicas, because that time does not count', async () => {
    await store.routeActivity.record([])
    await claim('app.test', { lifetimeMs })
    await recorded(5)
    await past(24 * 60 * MINUTE_MS)
    await store.routeActivity.record([])
    expect(await expired()).toEqual([])
    await recorded(4)
    expect(await expired()).toEqual([])
    await recorded(2)
    expect(await expired()).toEqual(['app.test'])
  })

  test('a Telephone that returns before the deletion keeps the route', async () => {
    await store.routeActivity.record([])
    const { route } = await claim('app.test', { lifetimeMs })
    await recorded(11)
    const found = await store.routeActivity.expired(100)
    expect(await claim('app.test', { lifetimeMs })).toMatchObject({ created: false })
    const ids = found.map(({ id }) => id)
    expect(ids).toEqual([route.id])
    expect(await store.routeActivity.removeExpired(ids, { actor: 'system' })).toEqual([])
    expect(await findRoute(store, 'app.test')).toBeDefined()
  })

  test('a Telephone that returns during the deletion claims the mount again', async () => {
    await store.routeActivity.record([])
    const { route } = await claim('app.test', { lifetimeMs })
    await recorded(11)
    // The deletion has locked the row and is not complete.
    await client.query('BEGIN')
    await client.query('SELECT 1 FROM plugboard.change_head FOR UPDATE')
    await client.query('SELECT 1 FROM plugboard.route_activity FOR UPDATE')
    const claiming = claim('app.test', { lifetimeMs })
    await untilWaiting()
    await client.query('DELETE FROM plugboard.routes WHERE id = $1', [route.id])
    await client.query('COMMIT')
    const again = await claiming
    expect(again.created).toBe(true)
    expect(again.route.id).not.toBe(route.id)
  })

  test('a Telephone that returns after the age of the line was read claims the mount again', async () => {
    await store.routeActivity.record([])
    const { route } = await claim('app.test', { lifetimeMs })
    await recorded(11)
    // The deletion has read that the route is expired, and waits for its row.
    await client.query('BEGIN')
    await client.query('SELECT 1 FROM plugboard.routes FOR UPDATE')
    const deleting = store.routeActivity.removeExpired([route.id], { actor: 'system' })
    await untilWaiting()
    const claiming = claim('app.test', { lifetimeMs })
    await untilWaiting(2)
    await client.query('COMMIT')
    expect(await deleting).toHaveLength(1)
    const again = await claiming
    expect(again.created).toBe(true)
    expect(again.route.id).not.toBe(route.id)
  })

  test('keeps the longer of two lifetimes, and loses its lifetime when its holder claims without one', async () => {
    await claim('app.test', { lifetimeMs })
    expect((await claim('app.test', { lifetimeMs: MINUTE_MS })).route).toMatchObject({ lifetimeMs })
    expect((await claim('app.test', { lifetimeMs: 2 * lifetimeMs })).route.lifetimeMs).toBe(2 * lifetimeMs)
    const outsider = { ...token, reference: { ...reference, subject: 'eve' } }
    expect((await claim('app.test', { token: outsider })).route.lifetimeMs).toBe(2 * lifetimeMs)
    expect((await claim('app.test')).route.lifetimeMs).toBeNull()
    expect((await claim('app.test', { lifetimeMs })).route.lifetimeMs).toBeNull()
    expect(await store.services.get('app.test')).toMatchObject({ ephemeral: false })
  })

  test('a token at its limit of claims keeps the routes that it has', async () => {
    const limited = { ...token, maxClaims: 1 }
    await claim('app.test', { lifetimeMs, token: limited })
    expect((await claim('app.test', { lifetimeMs: 2 * lifetimeMs, token: limited })).created).toBe(false)
    await expect(claim('b.test', { lifetimeMs, token: limited })).rejects.toMatchObject({
      code: 'token_claim_limit',
    })
  })

  test('does not delete a service that existed before, or that another route needs', async () => {
    await store.services.create({ name: 'web' }, by)
    await store.routeActivity.record([])
    await claim('one.test', { lifetimeMs, service: 'web' })
    await claim('two.test', { lifetimeMs })
    await store.routes.create({ mount: 'www.two.test', service: 'two.test' }, by)
    await recorded(11)
    expect(await sweep()).toHaveLength(2)
    expect(await store.services.find('web')).toBeDefined()
    expect(await store.services.find('two.test')).toBeDefined()
  })

  test('is deleted by only one of several replicas', async () => {
    await store.routeActivity.record([])
    for (let index = 0; index < 5; index += 1) await claim(`h${index}.test`, { lifetimeMs })
    await recorded(11)
    const removed = await Promise.all([sweep(), sweep(), sweep()])
    expect(removed.flat()).toHaveLength(5)
  })
})

describe('route prune', () => {
  const prune = async (request: Partial<Parameters<Store['routes']['prune']>[0]>) => {
    const pruned = await store.routes.prune(
      { unusedMs: 60 * MINUTE_MS, claimedOnly: false, dryRun: false, ...request },
      by,
    )
    return { ...pruned, routes: pruned.routes.map(({ mount }) => mount) }
  }

  test('counts only time during which at least one replica recorded', async () => {
    await store.routeActivity.record([])
    const { route } = await claim('used.test')
    await claim('unused.test')
    await recorded(30)
    // No replica ran for a week, so the requests of that time were not recorded.
    await past(7 * 24 * 60 * MINUTE_MS)
    await store.routeActivity.record([])
    expect(await prune({})).toMatchObject({ routes: [], more: false })
    await recorded(29)
    expect((await prune({})).routes).toEqual([])
    await store.routeActivity.record([{ routeId: route.id, servedAgeMs: 0, telephone: 'laptop' }])
    await recorded(2)
    const { routes, recordedMs } = await prune({ dryRun: true })
    expect(routes).toEqual(['unused.test'])
    expect(Math.abs(recordedMs - 61 * MINUTE_MS)).toBeLessThan(MINUTE_MS)
    expect(await findRoute(store, 'unused.test')).toBeDefined()
    expect((await prune({})).routes).toEqual(['unused.test'])
    expect(await findRoute(store, 'unused.test')).toBeUndefined()
    expect((await store.changes.list({ limit: 1 })).items).toMatchObject([
      { entity: 'route', action: 'deleted', actor: 'test' },
    ])
  })

  test('counts time that two replicas recorded once', async () => {
    await client.query(`INSERT INTO plugboard.recording_periods VALUES
      (now() - interval '50 minutes', now()), (now() - interval '40 minutes', now())`)
    expect(Math.round((await prune({ dryRun: true })).recordedMs / MINUTE_MS)).toBe(50)
  })

  test('does not delete routes with a lifetime, nor, on request, routes that no Telephone has claimed', async () => {
    await store.routeActivity.record([])
    await claim('claimed.test')
    await claim('ephemeral.test', { lifetimeMs: 24 * 60 * MINUTE_MS })
    await store.services.create({ name: 'web' }, by)
    await store.routes.create({ mount: 'made.test', service: 'web' }, by)
    await recorded(61)
    expect((await prune({ claimedOnly: true, dryRun: true })).routes).toEqual(['claimed.test'])
    expect((await prune({ dryRun: true })).routes).toEqual(['claimed.test', 'made.test'])
    const allowed = (route: Route) => route.mount === 'made.test'
    expect((await prune({ allowed })).routes).toEqual(['made.test'])
  })

  test('deletes at most 500 routes, and reports that there are more', async () => {
    await client.query(`INSERT INTO plugboard.services (name) VALUES ('many')`)
    await client.query(`
      INSERT INTO plugboard.routes (host, mount_path, service_id, created_at)
      SELECT 'h' || n || '.test', '/', (SELECT id FROM plugboard.services WHERE name = 'many'), now() - interval '1 year'
      FROM generate_series(1, 501) n`)
    await client.query(`INSERT INTO plugboard.recording_periods VALUES (now() - interval '2 hours', now())`)
    const first = await prune({})
    expect([first.routes.length, first.more]).toEqual([500, true])
    const second = await prune({})
    expect([second.routes.length, second.more]).toEqual([1, false])
  })
})

test('a lease has one owner, until it is released or expires', async () => {
  const take = (owner: string) => store.leases.take('sweep', owner, 90_000)
  expect(await take('a')).toBe(true)
  expect(await take('b')).toBe(false)
  expect(await take('a')).toBe(true)
  await store.leases.release('sweep', 'b')
  expect(await take('b')).toBe(false)
  await store.leases.release('sweep', 'a')
  expect(await take('b')).toBe(true)
  await past(89_000)
  expect(await take('a')).toBe(false)
  await past(2000)
  expect(await take('a')).toBe(true)
  await store.leases.release('sweep', 'a')
  const takes = await Promise.all(['a', 'b', 'c', 'd'].map(take))
  expect(takes.filter(Boolean)).toHaveLength(1)
})
