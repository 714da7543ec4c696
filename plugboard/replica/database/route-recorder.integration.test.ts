// Real Postgres, tunnels and requests. A recorder writes at its start, when its clock has moved by a minute, and at its end;
// the tests move recorded times into the past, because they cannot advance the clock of the database.

import { silentLogger } from '@vera-stack/shared/log.ts'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually as within } from '../../../test/support/deadline.ts'
import type { FakeTelephone } from '../../../test/support/harness/fake-telephone.ts'
import { TunnelHarness } from '../../../test/support/harness/tunnel-harness.ts'
import { send } from '../../../test/support/http/http-client.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { findRoute } from '../../../test/support/postgres/find-route.ts'
import { past as moveIntoPast } from '../../../test/support/postgres/past.ts'
import type { Store } from '../../database/store/store.ts'
import { RouteRecorder, type RouteRecorderOptions } from './route-recorder.ts'

const MINUTE_MS = 60_000
/** Shorter than the limit of a test, so that a failure names the missing event. */
const PATIENCE_MS = 10_000
const eventually: typeof within = (what, probe) => within(what, probe, PATIENCE_MS)

let harness: TunnelHarness
let client: pg.Client
let recorders: RouteRecorder[]

beforeEach(async () => {
  harness = await TunnelHarness.start()
  client = new pg.Client({ connectionString: harness.testDatabase.url })
  await client.connect()
  recorders = []
})
afterEach(async () => {
  for (const recorder of recorders) await recorder.stop()
  await client.end()
  await harness.close()
})

const store = (): Store => harness.database.store

function recorderWith(more: Partial<RouteRecorderOptions> = {}): {
  recorder: RouteRecorder
  clock: ManualClock
} {
  // The harness's proxy has the system's clock, and a request notes the time of that.
  const clock = new ManualClock(performance.now())
  const { directory, registry } = harness
  const recorder = new RouteRecorder({
    directory,
    registry,
    clock,
    store: store(),
    log: silentLogger,
    replicaId: 'replica-1',
    incarnation: 'start-1',
    ...more,
  })
  recorders.push(recorder)
  return { recorder, clock }
}

/** Moves all recorded times into the past by `ms`. */
const past = (ms: number) => moveIntoPast(harness.testDatabase.url, `${ms} milliseconds`)

/** Moves all recorded times into the past, as if replicas had recorded during these minutes. */
async function recordedPast(minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    await past(MINUTE_MS)
    await store().routeActivity.record([])
  }
}

const lineAgeMs = async (): Promise<number | undefined> => {
  const { rows } = await client.query<{ age: number | null }>(
    `SELECT (extract(epoch FROM clock_timestamp() - line_at) * 1000)::float8 AS age FROM plugboard.route_activity`,
  )
  return rows[0]?.age ?? undefined
}

async function connected(name = 'laptop'): Promise<FakeTelephone> {
  const telephone = await harness.dial((await harness.token()).token, { name })
  telephone.handler = call => call.respond(200, 'hello')
  return telephone
}

const request = (host: string) => send({ port: harness.port, host, path: '/' })

describe('the last request of a route', () => {
  it('is written, with the telephone that received it', async () => {
    const telephone = await connected()
    await telephone.announce({ service: 'web', mount: 'app.test' })
    await telephone.announce({ service: 'web', mount: 'app.test' }, { service: 'web', mount: 'unused.test' })
    const { recorder } = recorderWith()
    expect((await request('app.test')).status).toBe(200)
    await recorder.stop()
    const used = await store().routes.get('app.test')
    expect(used.lastTelephone).toBe('laptop')
    expect(Math.abs(Date.now() - used.lastRequestAt!.getTime())).toBeLessThan(10_000)
    expect(await store().routes.get('unused.test')).toMatchObject({
      lastRequestAt: null,
      lastTelephone: null,
    })
  })

  it('counts a response of the route itself, and no refusal', async () => {
    const by = { actor: 'test' }
    const respond = { status: 503, body: 'later' }
    await store().routes.create({ mount: 'maintenance.test', service: null, options: { respond } }, by)
    const options = { redirect: { to: 'https://a.test' }, access: { allow: ['10.0.0.0/8'] } }
    await store().routes.create({ mount: 'denied.test', service: null, options }, by)
    await harness.caughtUp()
    const { recorder } = recorderWith()
    expect((await request('maintenance.test')).status).toBe(503)
    expect((await request('denied.test')).status).toBe(403)
    await recorder.stop()
    expect((await store().routes.get('maintenance.test')).lastRequestAt).toBeInstanceOf(Date)
    expect((await store().routes.get('denied.test')).lastRequestAt).toBeNull()
  })

  it('is also written while its stream is still open', async () => {
    const telephone = await connected()
    await telephone.announce({ service: 'web', mount: 'app.test' })
    telephone.handler = undefined
    const response = request('app.test')
    const call = await telephone.nextCall()
    const { recorder, clock } = recorderWith()
    const { route } = await eventually('the request is in flight', () => {
      const found = harness.directory.match('app.test', '/')
      return found === undefined ? undefined : { route: found }
    })
    const openedMs = route.activity.servedAtMs
    await eventually('a look at deadlines', () => (route.activity.servedAtMs > openedMs ? true : undefined))
    clock.advance(0)
    call.respond(200)
    await response
    await recorder.stop()
    expect((await store().routes.get('app.test')).lastRequestAt).toBeInstanceOf(Date)
  })

  it('is kept when the route changes, and when a whole table replaces the one before', async () => {
    const telephone = await connected()
    await telephone.announce({ service: 'web', mount: 'app.test' })
    await request('app.test')
    const before = harness.directory.match('app.test', '/')!
    await store().routes.update('app.test', { options: { stripMount: true } }, { actor: 'test' })
    await harness.caughtUp()
    const after = harness.directory.match('app.test', '/')!
    expect(after).not.toBe(before)
    expect(after.activity).toBe(before.activity)
    // When the log lacks this entry, the directory loads the whole table again.
    await store().routes.update('app.test', { options: {} }, { actor: 'test' })
    await store().changes.prune(1)
    await client.query(`UPDATE plugboard.change_head SET change_id = gen_random_uuid()`)
    await store().services.create({ name: 'other' }, { actor: 'test' })
    await eventually('the table is loaded anew', () => harness.directory.serviceByName('other'))
    expect(harness.directory.match('app.test', '/')!.activity.telephone).toBe('laptop')
  })

  it('is written with the next batch when one fails', async () => {
    const telephone = await connected()
    await telephone.announce({ service: 'web', mount: 'app.test' })
    const warnings: string[] = []
    let fail = true
    const { routeActivity, leases } = store()
    const record: typeof routeActivity.record = uses =>
      fail ? Promise.reject(new Error('the database is down')) : routeActivity.record(uses)
    const { clock } = recorderWith({
      store: { leases, routeActivity: { ...routeActivity, record } },
      log: { ...silentLogger, warn: message => warnings.push(message) },
    })
    await eventually('the first batch has failed', () => (warnings.length === 1 ? true : undefined))
    await request('app.test')
    for (let minute = 0; minute < 3; minute += 1) await clock.advanceAsync(MINUTE_MS)
    expect(warnings).toHaveLength(1)
    fail = false
    await eventually('the next batch', async () => {
      await clock.advanceAsync(MINUTE_MS)
      return (await store().routes.get('app.test')).lastTelephone === 'laptop' ? true : undefined
    })
  })
})

describe('an ephemeral mount', () => {
  const announced = { service: 'web', mount: 'app.test', lifetimeMs: 0 }
  const minuteOf = async (clock: ManualClock, what: string, probe: () => Promise<true | undefined>) => {
    await eventually(what, async () => {
      await clock.advanceAsync(MINUTE_MS)
      return probe()
    })
  }
  const deleted = async () => ((await findRoute(store(), 'app.test')) === undefined ? true : undefined)

  it('stays while its telephone has a line, and is deleted 10 minutes after the last one', async () => {
    const telephone = await connected()
    await telephone.announce(announced)
    const { clock } = recorderWith()
    await recordedPast(30)
    await minuteOf(clock, 'the line is recorded', async () =>
      (await lineAgeMs())! < MINUTE_MS ? true : undefined,
    )
    expect(await findRoute(store(), 'app.test')).toBeDefined()
    telephone.session.close('going_away', 'done')
    await telephone.closed
    await eventually('the line has ended', () =>
      harness.registry.linesOf('web').next().done ? true : undefined,
    )
    await recordedPast(9)
    await clock.advanceAsync(MINUTE_MS)
    expect(await deleted()).toBeUndefined()
    await recordedPast(12)
    await minuteOf(clock, 'the route is deleted', deleted)
    await eventually('requests find no route', () =>
      harness.directory.match('app.test', '/') === undefined ? true : undefined,
    )
    expect(await store().services.find('web')).toBeUndefined()
    // The same telephone may come back.
    const again = await connected()
    expect(await again.announce(announced)).toMatchObject([
      { accepted: true, urls: ['http://app.test:4000/'] },
    ])
  })

  it('is noted with the time at which the last line ended', async () => {
    const telephone = await connected()
    await telephone.announce(announced)
    const { recorder, clock } = recorderWith()
    await eventually('the first batch', async () => ((await lineAgeMs())! < 5000 ? true : undefined))
    await past(60 * MINUTE_MS)
    telephone.session.close('going_away', 'done')
    await telephone.closed
    await eventually('the line has ended', () =>
      harness.registry.linesOf('web').next().done ? true : undefined,
    )
    // The recorder stops after 50 s, before its next batch.
    clock.freeze(50_000)
    await recorder.stop()
    const age = await lineAgeMs()
    expect(age).toBeGreaterThan(49_000)
    expect(age).toBeLessThan(59_000)
  })

  it('stays while any replica has a line, also one that does not reach the database', async () => {
    const telephone = await connected()
    await telephone.announce(announced)
    await recordedPast(30)
    // This recorder is of another replica. For it, the lines belong to "replica-1", which has no recorder in this test.
    let looks = 0
    const { routeActivity, leases } = store()
    const expired: typeof routeActivity.expired = async limit => {
      const found = await routeActivity.expired(limit)
      looks += 1
      expect(found).toHaveLength(1)
      return found
    }
    recorderWith({ replicaId: 'replica-2', store: { leases, routeActivity: { ...routeActivity, expired } } })
    await eventually('a look', () => (looks === 1 ? true : undefined))
    await recorders[0]!.stop()
    expect(await findRoute(store(), 'app.test')).toBeDefined()
  })

  it('is deleted by the replica with the lease alone; when it stops or dies, by another one', async () => {
    const looks = { one: 0, two: 0 }
    const counted = (name: 'one' | 'two'): RouteRecorderOptions['store'] => {
      const { routeActivity, leases } = store()
      const expired: typeof routeActivity.expired = limit => {
        looks[name] += 1
        return routeActivity.expired(limit)
      }
      return { leases, routeActivity: { ...routeActivity, expired } }
    }
    const one = recorderWith({ replicaId: 'one', incarnation: 'one-1', store: counted('one') })
    await eventually('a look of the first replica', () => (looks.one > 0 ? true : undefined))
    const two = recorderWith({ replicaId: 'two', incarnation: 'two-1', store: counted('two') })
    const both = async () => {
      await one.clock.advanceAsync(MINUTE_MS)
      await two.clock.advanceAsync(MINUTE_MS)
    }
    await eventually('further looks', async () => {
      await both()
      return looks.one > 3 ? true : undefined
    })
    expect(looks.two).toBe(0)
    // The replica dies, and its lease expires. A batch that is still in progress may have renewed the lease once more.
    await eventually('a look of the second replica', async () => {
      await client.query(
        `UPDATE plugboard.leases SET expires_at = now() - interval '1 second' WHERE owner = 'one-1'`,
      )
      await two.clock.advanceAsync(MINUTE_MS)
      return looks.two > 0 ? true : undefined
    })
    const before = looks.one
    await two.recorder.stop()
    await eventually('the first replica again', async () => {
      await one.clock.advanceAsync(MINUTE_MS)
      return looks.one > before ? true : undefined
    })
  })

  it('has a generated host when the telephone proposes a label', async () => {
    const telephone = await connected()
    const results = await telephone.announce({ service: 'otter-1', generatedHost: 'brisk-otter' })
    expect(results).toMatchObject([{ accepted: true, urls: ['http://brisk-otter.localhost:4000/'] }])
    expect(await store().routes.get('brisk-otter.localhost')).toMatchObject({
      lifetimeMs: 600_000,
      serviceName: 'otter-1',
    })
    expect((await request('brisk-otter.localhost')).text).toBe('hello')
    const other = await connected('other')
    expect(await other.announce({ service: 'otter-2', generatedHost: 'brisk-otter' })).toMatchObject([
      { accepted: false, code: 'mount_conflict' },
    ])
    expect(await other.announce({ service: 'otter-2', generatedHost: 'a.b' })).toMatchObject([
      { accepted: false, code: 'invalid_request' },
    ])
    expect(await other.announce({ service: 'otter-2', mount: 'b.test', lifetimeMs: 59_999 })).toMatchObject([
      { accepted: false, code: 'invalid_request', detail: expect.stringContaining('at least 60 s') },
    ])
  })

  it('has to be in the scope of the token', async () => {
    const { token } = await harness.token({ mounts: ['app.test'] })
    const telephone = await harness.dial(token)
    expect(await telephone.announce({ service: 'web', generatedHost: 'brisk-otter' })).toMatchObject([
      { accepted: false, code: 'forbidden', detail: expect.stringContaining('brisk-otter.localhost') },
    ])
  })
})
