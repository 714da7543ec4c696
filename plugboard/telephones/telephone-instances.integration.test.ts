// Tests two processes of one telephone, and other processes with the same name, start or instance id. The tests use real
// tunnels and a real database, and advance the clock by hand.

import type { ServiceAnnouncement } from '@vera-stack/shared/protocol/control/control.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../test/support/deadline.ts'
import type { FakeCall, FakeTelephone } from '../../test/support/harness/fake-telephone.ts'
import { TunnelHarness } from '../../test/support/harness/tunnel-harness.ts'
import { rawExchange } from '../../test/support/http/raw-connection.ts'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { asReplicaId } from '../common/ids/replica-id.ts'
import type { Line } from '../registry/line.ts'
import { asTunnelId, lineId } from '../registry/line-ids.ts'
import { packGeneration, unpackGeneration } from './generation.ts'

const NOW_MS = Date.now()

let harness: TunnelHarness
let clock: ManualClock

beforeEach(async () => {
  clock = new ManualClock(1000, NOW_MS)
  // Pings must not fall due while the clock jumps, because their responses would be too late.
  const limits = { pingIntervalMs: 600_000, pingTimeoutMs: 1_800_000 }
  harness = await TunnelHarness.start({ switchboard: { clock, limits } })
})

afterEach(() => harness.close())

/** Returns the instances that have a line of the service. */
const instances = (service: string): string[] =>
  [...harness.registry.linesOf(service)].map(({ instance }) => instance).sort()
const untilServedBy = (service: string, expected: readonly string[]): Promise<true> =>
  eventually(`lines of ${service}: ${expected}`, () =>
    instances(service).join() === expected.join() ? true : undefined,
  )

const OLDER = { name: 'shop', instance: 'older-one', startedAt: NOW_MS - 2000 }
const NEWER = { name: 'shop', instance: 'newer-one', startedAt: NOW_MS - 1000 }

async function serve(
  token: string,
  process: typeof OLDER,
  ...services: (Partial<ServiceAnnouncement> & { service: string })[]
): Promise<FakeTelephone> {
  const telephone = await harness.dial(token, process)
  await telephone.announce(...services)
  return telephone
}

const accepted = (telephone: FakeTelephone): Promise<string[]> =>
  telephone
    .control('announced')
    .then(({ results }) => results.filter(result => result.accepted).map(({ service }) => service))
/** Waits until the newest results list exactly these services as accepted. */
const untilReported = (telephone: FakeTelephone, services: string): Promise<true> =>
  eventually(`the results name "${services}"`, async () =>
    (await accepted(telephone)).join() === services ? true : undefined,
  )

describe('a newer process of one telephone', () => {
  it('takes the lines of all tunnels of the older one, which stand by', async () => {
    const { token } = await harness.token()
    const old = [await serve(token, OLDER, { service: 'web' }), await serve(token, OLDER, { service: 'web' })]
    const newer = await serve(token, NEWER, { service: 'web' })
    for (const telephone of old) {
      await untilReported(telephone, '')
      const { results } = await telephone.control('announced')
      expect(results[0]?.detail).toContain('A newer process of this telephone serves it')
    }
    expect(instances('web')).toEqual(['newer-one'])
    expect([...old, newer].map(({ session }) => session.state)).toEqual(['open', 'open', 'open'])
  })

  it('replaces the lines without a gap, because the older one keeps its line until the newer one has one', async () => {
    const { token } = await harness.token()
    const old = await serve(token, OLDER, { service: 'web' })
    const left: number[] = []
    const unsubscribe = harness.registry.subscribe({
      lineRemoved: () => void left.push(instances('web').length),
    })
    await serve(token, NEWER, { service: 'web' })
    await untilReported(old, '')
    unsubscribe()
    expect(left).toEqual([1])
  })

  it('takes over only services that it announces, not others after a misspelt name or without services', async () => {
    const { token } = await harness.token()
    const old = await serve(token, OLDER, { service: 'web' })
    const newer = await serve(token, NEWER, { service: 'wbe' })
    expect(instances('web')).toEqual(['older-one'])
    await newer.announce()
    await old.announce({ service: 'web' })
    expect([instances('web'), old.session.state]).toEqual([['older-one'], 'open'])
  })

  it('does not take over a service that is refused', async () => {
    const { store } = harness.database
    await store.services.create({ name: 'other' }, { actor: 'test' })
    await store.routes.create({ mount: 'app.test', service: 'other' }, { actor: 'test' })
    const { token } = await harness.token()
    const old = await serve(token, OLDER, { service: 'web' })
    const newer = await serve(token, NEWER, { service: 'web', mount: 'app.test' })
    expect(await accepted(newer)).toEqual([])
    expect([instances('web'), old.session.state]).toEqual([['older-one'], 'open'])
  })

  it('takes over one service of several, and the older one keeps the others and gets the reason', async () => {
    const { token } = await harness.token()
    const old = await serve(token, OLDER, { service: 'web' }, { service: 'api' })
    await serve(token, NEWER, { service: 'web' })
    await eventually('the older one has the new results', async () =>
      (await accepted(old)).join() === 'api' ? true : undefined,
    )
    const { results } = await old.control('announced')
    expect(results[0]?.detail).toContain('A newer process of this telephone serves it')
    expect([instances('web'), instances('api')]).toEqual([['newer-one'], ['older-one']])
    expect(harness.switchboard.list().map(({ services }) => services.map(each => each.service))).toEqual([
      ['api'],
      ['web'],
    ])
    // A repeated announcement has the same results.
    await old.announce({ service: 'web' }, { service: 'api' })
    expect([instances('web'), await accepted(old)]).toEqual([['newer-one'], ['api']])
  })

  it('gives a service back as soon as its line has ended', async () => {
    const { token } = await harness.token()
    const old = await serve(token, OLDER, { service: 'web' }, { service: 'api' })
    const newer = await serve(token, NEWER, { service: 'web' })
    await untilServedBy('web', ['newer-one'])
    await newer.announce({ service: 'wbe' })
    await untilServedBy('web', ['older-one'])
    await eventually('the older one has the new results', async () =>
      (await accepted(old)).join() === 'web,api' ? true : undefined,
    )
    await newer.announce({ service: 'web' })
    await untilServedBy('web', ['newer-one'])
    newer.session.close('going_away')
    await untilServedBy('web', ['older-one'])
  })

  it.each([
    ['while its health check fails', { health: 'down' as const }],
    ['while it has the weight 0', { weight: 0 }],
  ])('does not take over a service %s', async (_what, unusable) => {
    const { token } = await harness.token()
    const old = await serve(token, OLDER, { service: 'web' })
    const newer = await serve(token, NEWER, { service: 'web', ...unusable })
    await untilServedBy('web', ['newer-one', 'older-one'])
    expect(await accepted(old)).toEqual(['web'])
    await newer.announce({ service: 'web' })
    await untilServedBy('web', ['newer-one'])
    await untilReported(old, '')
    await newer.announce({ service: 'web', ...unusable })
    await untilServedBy('web', ['newer-one', 'older-one'])
    await untilReported(old, 'web')
  })

  it.each([
    ['closes its tunnel in order', (newer: FakeTelephone) => newer.session.close('going_away')],
    ['drains', (newer: FakeTelephone) => void newer.session.drain(10_000)],
  ])('gives all services back as soon as it %s', async (_what, end) => {
    const { id, token } = await harness.token()
    const old = await serve(token, OLDER, { service: 'web' })
    const newer = await serve(token, NEWER, { service: 'web' })
    await untilReported(old, '')
    end(newer)
    // The test clock stands still, so no time passes.
    await untilServedBy('web', ['older-one'])
    await untilReported(old, 'web')
    expect(harness.switchboard.tunnelsOfToken(id)).toBe(1)
  })

  it('keeps the service when the older one dials again, and the older one stands by', async () => {
    const { token } = await harness.token()
    const newer = await serve(token, NEWER, { service: 'web' })
    const old = await serve(token, OLDER, { service: 'web' })
    expect([instances('web'), await accepted(old), newer.session.state]).toEqual([['newer-one'], [], 'open'])
    newer.session.close('going_away')
    await untilServedBy('web', ['older-one'])
  })

  it('can dial at the limit of tunnels, because tunnels that stand by do not count', async () => {
    const { id, token } = await harness.token({ limits: { tunnels: 3 } })
    const [first, second] = [
      await serve(token, OLDER, { service: 'web' }),
      await serve(token, OLDER, { service: 'web' }),
    ]
    const newer = await serve(token, NEWER, { service: 'web' })
    await untilReported(second, '')
    await serve(token, NEWER, { service: 'web' })
    expect([first.session.state, harness.switchboard.tunnelsOfToken(id)]).toEqual(['open', 2])
    // A third process takes over. The tunnels of the first one have all standby places, so the tunnels of the second one close.
    const newest = { name: 'shop', instance: 'newest-one', startedAt: NOW_MS - 500 }
    await serve(token, newest, { service: 'web' })
    expect((await newer.closed).reason).toBe('replaced')
    await serve(token, newest, { service: 'web' })
    expect([instances('web'), harness.switchboard.tunnelsOfToken(id)]).toEqual([
      ['newest-one', 'newest-one'],
      2,
    ])
  })

  it('may have another token of the same name', async () => {
    const old = await serve((await harness.token()).token, OLDER, { service: 'web' })
    await serve((await harness.token()).token, NEWER, { service: 'web' })
    await untilReported(old, '')
  })
})

describe('open requests of the older process', () => {
  const POST = 'POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi'
  const GET = 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n'

  it('finish when it responds, and it gets no new ones', async () => {
    const { token } = await harness.token()
    const old = await serve(token, OLDER, { service: 'web', mount: 'app.test' })
    const response = rawExchange(harness.port, POST)
    const call = await old.nextCall()
    old.handler = ({ opening, stream }) => {
      if (opening.kind === 'echo') stream.respond({ status: 200, statusText: '', fields: [] })
      stream.end()
    }
    const newer = await harness.dial(token, NEWER)
    newer.handler = fresh => fresh.respond(200, 'newer')
    await newer.announce({ service: 'web' })
    await untilServedBy('web', ['newer-one'])
    const next = await rawExchange(harness.port, GET)
    expect(next.body.toString()).toBe('newer')
    // Longer than Plugboard waits for a silent process.
    clock.advance(1500)
    expect(old.session.state).toBe('open')
    call.respond(200, 'older')
    const { status, body } = await response
    expect([status, body.toString(), old.session.state]).toEqual([200, 'older', 'open'])
  })

  it('go to the newer one when the older one is silent', async () => {
    const { token } = await harness.token()
    const old = await serve(token, OLDER, { service: 'web', mount: 'app.test' })
    const response = rawExchange(harness.port, GET)
    await old.nextCall()
    old.handler = () => undefined
    const newer = await harness.dial(token, NEWER)
    newer.handler = call => call.respond(200, 'newer')
    await newer.announce({ service: 'web' })
    await untilServedBy('web', ['newer-one'])
    clock.advance(1000)
    expect((await old.closed).reason).toBe('replaced')
    expect((await response).body.toString()).toBe('newer')
  })

  it.each([
    [
      'the echo with a stream',
      ({ stream }: FakeCall) => stream.respond({ status: 200, statusText: '', fields: [] }),
    ],
    ['the echo with a reset', ({ stream }: FakeCall) => stream.reset('unknown_kind')],
  ])('have no time limit when it responds to %s', async (_what, respond) => {
    const { token } = await harness.token()
    const old = await serve(token, OLDER, { service: 'web', mount: 'app.test' })
    const response = rawExchange(harness.port, POST)
    const call = await old.nextCall()
    old.handler = respond
    const newer = await serve(token, NEWER, { service: 'web' })
    await eventually('the echo stream arrived', () => (old.calls.length === 2 ? true : undefined))
    // The response to the echo arrives before the response to this announcement.
    await old.announce({ service: 'web' })
    await newer.announce({ service: 'web' })
    clock.advance(60_000)
    call.respond(200, 'older')
    expect((await response).body.toString()).toBe('older')
    expect(old.session.state).toBe('open')
  })

  it('have no time limit on a tunnel that still serves another service', async () => {
    const { token } = await harness.token()
    const old = await serve(token, OLDER, { service: 'web', mount: 'app.test' }, { service: 'api' })
    const response = rawExchange(harness.port, POST)
    const call = await old.nextCall()
    await serve(token, NEWER, { service: 'web' })
    await untilServedBy('web', ['newer-one'])
    clock.advance(60_000)
    call.respond(200, 'older')
    expect((await response).body.toString()).toBe('older')
    expect(old.session.state).toBe('open')
  })
})

describe('a telephone with another identity or name', () => {
  it.each([
    ['another name', {}, { ...NEWER, name: 'bank' }],
    ['the name, the instance and a later start, under a token of another name', { name: 'x' }, NEWER],
    [
      'the same instance id, under a token of another name',
      { name: 'x' },
      { ...OLDER, startedAt: NOW_MS - 1 },
    ],
  ])('%s: both serve', async (_what, scope, other) => {
    const victim = await serve((await harness.token()).token, OLDER, { service: 'web' })
    const stranger = await serve((await harness.token(scope)).token, other, { service: 'web' })
    // A review would have run before this response.
    await stranger.announce({ service: 'web' })
    expect(instances('web')).toEqual([OLDER.instance, other.instance].sort())
    expect([victim.session.state, stranger.session.state]).toEqual(['open', 'open'])
  })

  it('does not take over or block a service that its token does not cover', async () => {
    const victim = (await harness.token({ services: ['web'] })).token
    const attacker = (await harness.token({ services: ['other'] })).token
    const first = await serve(victim, OLDER, { service: 'web' })
    const newer = await serve(attacker, NEWER, { service: 'web' }, { service: 'other' })
    expect(await accepted(newer)).toEqual(['other'])
    expect([instances('web'), first.session.state]).toEqual([['older-one'], 'open'])
    const again = await serve(victim, OLDER, { service: 'web' })
    expect([instances('web'), again.session.state]).toEqual([['older-one', 'older-one'], 'open'])
  })
})

describe('a start that is not usable or not unique', () => {
  const FUTURE = { name: 'shop', instance: 'of-the-future', startedAt: NOW_MS + 3_600_000 }

  it('later than our clock counts as the time of the hello, so a later process replaces it', async () => {
    const { token } = await harness.token()
    const future = await serve(token, FUTURE, { service: 'web' })
    clock.advance(2000)
    await serve(token, { ...NEWER, startedAt: NOW_MS + 1000 }, { service: 'web' })
    await untilReported(future, '')
    // It dials again after the other one, and still counts as the process that was seen first.
    clock.advance(30_000)
    const again = await serve(token, FUTURE, { service: 'web' })
    expect([await accepted(again), instances('web')]).toEqual([[], ['newer-one']])
  })

  it('later than our clock still replaces an older process, because the clock of a telephone may be fast', async () => {
    const { token } = await harness.token()
    const old = await serve(token, OLDER, { service: 'web' })
    await serve(token, FUTURE, { service: 'web' })
    await untilReported(old, '')
  })

  it('that is missing counts as the time of the hello', async () => {
    const { token } = await harness.token()
    const first = await serve(token, { ...OLDER, startedAt: 0 }, { service: 'web' })
    clock.advance(1)
    await serve(token, { ...NEWER, startedAt: 0 }, { service: 'web' })
    await untilReported(first, '')
  })

  it('equal to the start of another process lets both serve', async () => {
    const { token } = await harness.token()
    const telephones = [
      await serve(token, OLDER, { service: 'web' }),
      await serve(token, { ...NEWER, startedAt: OLDER.startedAt }, { service: 'web' }),
    ]
    await telephones[0]?.announce({ service: 'web' })
    expect(instances('web')).toEqual(['newer-one', 'older-one'])
  })
})

describe('lines of other replicas', () => {
  /** Returns a copy of `own` for another process of its telephone on another replica, started `laterMs` later. */
  function remote(own: Line, laterMs: number, changes: Partial<Line> = {}): Line {
    const { identity = '', startedAtMs = 0 } = unpackGeneration(own.generation ?? '') ?? {}
    return {
      ...own,
      id: lineId(asTunnelId('far'), own.service),
      replicaId: asReplicaId('r2'),
      tunnelId: asTunnelId('far'),
      instance: 'elsewhere',
      generation: packGeneration({ identity, startedAtMs: startedAtMs + laterMs }),
      ...changes,
    }
  }
  const ownLine = (service: string): Line => [...harness.registry.linesOf(service)][0] as Line

  it('of a newer process replace the lines of the process here, even when that one dials again', async () => {
    const { token } = await harness.token()
    const here = await serve(token, OLDER, { service: 'web' })
    const line = remote(ownLine('web'), 1)
    harness.registry.putRemote(line)
    await untilReported(here, '')
    const again = await serve(token, OLDER, { service: 'web' })
    expect([await accepted(again), instances('web')]).toEqual([[], ['elsewhere']])
    harness.registry.removeRemote(line)
    await untilServedBy('web', ['older-one', 'older-one'])
    await untilReported(here, 'web')
  })

  it('of a newer process replace the lines here only while they are up', async () => {
    const { token } = await harness.token()
    await serve(token, OLDER, { service: 'web' })
    const line = remote(ownLine('web'), 1)
    for (const [health, served] of [
      ['down', ['elsewhere', 'older-one']],
      ['up', ['elsewhere']],
      ['down', ['elsewhere', 'older-one']],
    ] as const) {
      harness.registry.putRemote({ ...line, health })
      await untilServedBy('web', served)
    }
  })

  it('take one service of several, and give it back', async () => {
    const { token } = await harness.token()
    await serve(token, OLDER, { service: 'web' }, { service: 'api' })
    const line = remote(ownLine('web'), 1)
    harness.registry.putRemote(line)
    await untilServedBy('web', ['elsewhere'])
    expect(instances('api')).toEqual(['older-one'])
    harness.registry.removeRemote(line)
    await untilServedBy('web', ['older-one'])
  })

  it('of an older process, another identity, another name or an unknown format have no effect', async () => {
    const { token } = await harness.token()
    const here = await serve(token, OLDER, { service: 'web' }, { service: 'api' })
    const own = ownLine('web')
    const start = (NOW_MS + 1).toString(36)
    for (const line of [
      remote(own, -1),
      remote(own, 0),
      remote(own, 1, { telephone: 'bank' }),
      remote(own, 1, { generation: `${start}.another` }),
      remote(own, 1, { generation: `${start}.${own.generation?.split('.')[1]}.x y` }),
    ]) {
      harness.registry.putRemote(line)
      await here.announce({ service: 'web' }, { service: 'api' })
      expect(instances('web')).toEqual(['elsewhere', 'older-one'])
      harness.registry.removeRemote(line)
    }
    expect(here.session.state).toBe('open')
  })
})
