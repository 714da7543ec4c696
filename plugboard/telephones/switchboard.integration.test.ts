// The life of a telephone from its first announcement to its end, over real tunnels and a real database.

import { VeraError } from '@vera-stack/shared/errors.ts'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readJwt } from '../../test/support/credentials/jwt.ts'
import { eventually } from '../../test/support/deadline.ts'
import { TunnelHarness } from '../../test/support/harness/tunnel-harness.ts'
import { rawExchange } from '../../test/support/http/raw-connection.ts'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { asReplicaId } from '../common/ids/replica-id.ts'
import { asTokenId } from '../common/ids/row-ids.ts'
import { asTunnelId, lineId } from '../registry/line-ids.ts'
import { generateSigningKey } from './tokens/tokens.ts'

let harness: TunnelHarness

beforeEach(async () => {
  harness = await TunnelHarness.start()
})

afterEach(() => harness.close())

const by = { actor: 'test' }
const lines = (service: string): string[] =>
  [...harness.registry.linesOf(service)].map(
    ({ telephone, health, weight }) => `${telephone} ${health} ${weight}`,
  )
const noLines = (service: string): Promise<true> =>
  eventually(`no line of ${service}`, () => (lines(service).length === 0 ? true : undefined))

describe('announcing', () => {
  it('claims the mount of a service, so that it is reachable when the response arrives', async () => {
    const { token } = await harness.token({ services: ['shop'], mounts: ['*.test'] })
    const telephone = await harness.dial(token)
    telephone.handler = call => call.respond(200, `${call.opening.service} ${call.opening.target}`)
    const results = await telephone.announce({ service: 'shop', mount: 'app.test/api' })
    expect(results).toEqual([{ service: 'shop', accepted: true, urls: ['http://app.test:4000/api'] }])
    const response = await rawExchange(harness.port, 'GET /api/x HTTP/1.1\r\nHost: app.test\r\n\r\n')
    expect([response.status, response.body.toString()]).toEqual([200, 'shop /api/x'])
  })

  it('accepts a service with a route that another client created', async () => {
    const { token } = await harness.token({ services: ['shop'], mounts: [] })
    await harness.database.store.services.create({ name: 'shop' }, by)
    await harness.database.store.routes.create({ mount: 'app.test', service: 'shop' }, by)
    await harness.caughtUp()
    const telephone = await harness.dial(token)
    const results = await telephone.announce({ service: 'shop' }, { service: 'shop', mount: 'app.test' })
    expect(results.map(({ accepted, urls }) => [accepted, ...urls])).toEqual([
      [true, 'http://app.test:4000/'],
      [true, 'http://app.test:4000/'],
    ])
  })

  it('accepts a service without a route, with a remark', async () => {
    const telephone = await harness.dial((await harness.token()).token)
    expect(await telephone.announce({ service: 'lonely' })).toMatchObject([
      {
        accepted: true,
        detail:
          'No route leads to this service yet. Add one with "plugboard route add <host> --service lonely".',
        urls: [],
      },
    ])
    expect(lines('lonely')).toEqual(['fake up 100'])
  })

  it('refuses each service outside of the scope, and adds no line for it', async () => {
    const { token } = await harness.token({ services: ['shop*'], mounts: ['app.test/shop'] })
    const telephone = await harness.dial(token)
    const results = await telephone.announce(
      { service: 'shop-1' },
      { service: 'bank' },
      { service: 'shop', mount: 'app.test/bank' },
      { service: 'No Name' },
      { service: 'shop-2', mount: 'a b' },
      { service: 'shop-3', mount: 'app.test/shop/3' },
    )
    expect(results.map(({ accepted }) => accepted)).toEqual([true, false, false, false, false, true])
    expect(results[1]?.detail).toBe(
      'The token does not cover service "bank" (it covers shop*). ' +
        "Issue a token that does: plugboard token issue --name laptop --service 'shop*' --service bank --mount app.test/shop",
    )
    expect(results[2]?.detail).toBe(
      'The token does not cover mount app.test/bank (it covers app.test/shop). ' +
        "Issue a token that does: plugboard token issue --name laptop --service 'shop*' --mount app.test/shop --mount app.test/bank",
    )
    const served = [...harness.registry.lines()].map(line => line.service)
    expect(served).toEqual(['shop-1', 'shop-3'])
  })

  it('refuses a mount of another service with mount_conflict and names the route', async () => {
    const telephone = await harness.dial((await harness.token()).token)
    await telephone.announce({ service: 'one', mount: 'app.test' })
    const results = await telephone.announce({ service: 'two', mount: 'app.test/below' })
    expect(results).toMatchObject([{ accepted: false, code: 'mount_conflict' }])
    const [route] = (await harness.database.store.routes.list({ service: 'one' })).items
    expect(results[0]?.detail).toBe(
      'Mount app.test/below is not free, because it lies beneath the mount app.test. ' +
        `Route ${route?.id} of app.test mounts it for service "one". ` +
        `Choose another mount, or delete the route: plugboard route rm ${route?.id}`,
    )
    expect(lines('two')).toEqual([])
  })

  it('replaces the previous announcement: updates health and weight, and removes missing services', async () => {
    const telephone = await harness.dial((await harness.token()).token)
    await telephone.announce({ service: 'a' }, { service: 'b' })
    await telephone.announce({ service: 'b', health: 'down', weight: 5 })
    expect([lines('a'), lines('b')]).toEqual([[], ['fake down 5']])
    await telephone.announce()
    expect([...harness.registry.lines()]).toEqual([])
  })

  it('applies the newest of several announcements in a row', async () => {
    const telephone = await harness.dial((await harness.token()).token)
    for (let id = 100; id < 120; id += 1) {
      const service = {
        service: `s${id}`,
        mount: `h${id}.test`,
        health: 'up',
        weight: 1,
        version: '',
        labels: {},
      } as const
      telephone.session.sendControl({ type: 'announce', id, services: [service] })
    }
    await eventually('the last announcement has its response', () =>
      telephone.controls.find(message => message.type === 'announced' && message.id === 119),
    )
    expect([...harness.registry.lines()].map(line => line.service)).toEqual(['s119'])
  })

  it('lists the telephone for the admin API', async () => {
    const { id, token } = await harness.token()
    const telephone = await harness.dial(token, { name: 'laptop', instance: 'laptop-instance' })
    await telephone.announce(
      { service: 'shop', mount: 'a.test', labels: { zone: 'x' }, version: '7' },
      {
        service: 'shop',
        mount: 'b.test',
      },
    )
    expect(harness.switchboard.list()).toEqual([
      {
        id: expect.any(String),
        name: 'laptop',
        instance: 'laptop-instance',
        agent: 'fake/1',
        tokenId: id,
        tokenExpiresAt: expect.stringMatching(/^\d{4}-/),
        remoteAddress: '127.0.0.1',
        connectedAt: expect.stringMatching(/^\d{4}-/),
        streams: 0,
        replicaId: 'replica-1',
        rttMs: harness.switchboard.list()[0]?.rttMs,
        services: [
          {
            service: 'shop',
            mounts: ['a.test', 'b.test'],
            health: 'up',
            weight: 100,
            version: '7',
            labels: { zone: 'x' },
            outage: null,
            override: null,
            ejections: [],
            subsetStops: [],
          },
        ],
      },
    ])
  })
})

describe('without the database', () => {
  it('serves a service with a route, and claims a missing mount when the database is available again', async () => {
    let down = true
    await harness.close()
    const holder: { harness?: TunnelHarness } = {}
    harness = await TunnelHarness.start({
      switchboard: {
        store: {
          get tokens() {
            return (holder.harness as TunnelHarness).database.store.tokens
          },
          get changes() {
            return (holder.harness as TunnelHarness).database.store.changes
          },
          claimMount: async claim => {
            if (down) throw new VeraError('database_unavailable')
            return (holder.harness as TunnelHarness).database.store.claimMount(claim)
          },
        },
      },
    })
    holder.harness = harness
    const { token } = await harness.token()
    await harness.database.store.services.create({ name: 'old' }, by)
    await harness.database.store.routes.create({ mount: 'old.test', service: 'old' }, by)
    await harness.caughtUp()
    const telephone = await harness.dial(token)
    const results = await telephone.announce(
      { service: 'old', mount: 'old.test' },
      { service: 'new', mount: 'new.test' },
    )
    expect(results.map(({ accepted }) => accepted)).toEqual([true, false])
    expect(results[1]?.detail).toContain('database')
    down = false
    telephone.controls.length = 0
    // The database closes every connection once, so the directory loses its connection and reconnects.
    const client = new pg.Client({ connectionString: harness.testDatabase.url })
    await client.connect()
    await client.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    )
    await client.end()
    const again = await telephone.control('announced')
    expect(again.results.map(({ accepted }) => accepted)).toEqual([true, true])
    expect(lines('new')).toHaveLength(1)
  })
})

describe('the end of a tunnel', () => {
  it('removes the lines of a tunnel that was lost', async () => {
    const telephone = await harness.dial((await harness.token()).token)
    await telephone.announce({ service: 'web' })
    telephone.session.close('going_away')
    await noLines('web')
    expect(harness.switchboard.tunnels.tunnelCount).toBe(0)
  })

  it('removes the lines at once and finishes the streams when the telephone drains', async () => {
    const telephone = await harness.dial((await harness.token()).token)
    await telephone.announce({ service: 'web', mount: 'app.test' })
    const response = rawExchange(harness.port, 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n')
    const call = await telephone.nextCall()
    const drained = telephone.session.drain(10_000)
    await noLines('web')
    expect(harness.switchboard.tunnels.tunnelCount).toBe(0)
    call.respond(200, 'finished')
    expect((await response).body.toString()).toBe('finished')
    await drained
  })

  it('closes all tunnels of a revoked token', async () => {
    const { id, token } = await harness.token()
    const other = await harness.dial((await harness.token({ name: 'other' })).token, { name: 'other' })
    const tunnels = [await harness.dial(token), await harness.dial(token)]
    await harness.issuer.revoke(asTokenId(id), { actor: 'test' })
    for (const telephone of tunnels) expect((await telephone.closed).reason).toBe('unauthorized')
    expect(other.session.state).toBe('open')
  })

  it('closes the tunnels of tokens whose key is removed', async () => {
    const telephone = await harness.dial((await harness.token()).token)
    const [key] = await harness.database.store.signingKeys.list()
    await harness.database.store.signingKeys.remove(key?.kid ?? '', by)
    expect((await telephone.closed).reason).toBe('unauthorized')
  })

  it('closes a tunnel whose key is removed, even after a renewal with a newer key over another tunnel', async () => {
    const { id, token } = await harness.token()
    const before = await harness.dial(token)
    const [key] = await harness.database.store.signingKeys.list()
    await harness.database.store.signingKeys.rotate(await generateSigningKey(), by)
    await harness.caughtUp()
    const after = await harness.dial((await harness.issuer.renew(asTokenId(id))).token)
    after.session.sendControl({ type: 'renew' })
    await after.control('renewed')
    await harness.database.store.signingKeys.remove(key?.kid ?? '', by)
    expect((await before.closed).reason).toBe('unauthorized')
    expect(after.session.state).toBe('open')
  })

  it('accepts tokens of a rotated key', async () => {
    const telephone = await harness.dial((await harness.token()).token)
    await harness.database.store.signingKeys.rotate(await generateSigningKey(), by)
    await harness.caughtUp()
    expect(telephone.session.state).toBe('open')
    await harness.dial((await harness.token()).token)
  })

  it('finishes streams and accepts no new tunnel while the replica drains', async () => {
    const { token } = await harness.token()
    const telephone = await harness.dial(token)
    await telephone.announce({ service: 'web', mount: 'app.test' })
    const response = rawExchange(harness.port, 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n')
    const call = await telephone.nextCall()
    const drained = harness.switchboard.drain(10_000)
    await expect(harness.dial(token)).rejects.toThrow('503')
    call.respond(200, 'finished')
    expect((await response).body.toString()).toBe('finished')
    await drained
    expect(harness.switchboard.tunnels.tunnelCount).toBe(0)
  })
})

it('accepts streams of other replicas on withdrawn lines while the replica drains', async () => {
  await harness.close()
  const clock = new ManualClock(1000, Date.now())
  // Pings must not fall due while the clock jumps, because their responses would be too late.
  const limits = { pingIntervalMs: 600_000, pingTimeoutMs: 1_800_000 }
  harness = await TunnelHarness.start({ switchboard: { clock, limits } })
  const telephone = await harness.dial((await harness.token()).token)
  await telephone.announce({ service: 'web' })
  const { tunnelId = '' } = [...harness.registry.linesOf('web')][0] ?? {}
  const drained = harness.switchboard.drain(10_000, 1000)
  expect(lines('web')).toEqual([])
  expect(harness.switchboard.tunnels.tunnelOf(asTunnelId(tunnelId), 'web')?.canOpen).toBe(true)
  expect(harness.switchboard.tunnels.tunnelOf(asTunnelId(tunnelId), 'other')).toBeUndefined()
  clock.advance(1000)
  expect((await telephone.closed).reason).toBe('going_away')
  await drained
  expect(harness.switchboard.tunnels.tunnelOf(asTunnelId(tunnelId), 'web')).toBeUndefined()
})

describe('renewal in band', () => {
  it('returns a token with the same id, and with the scope and the lifetime of its row', async () => {
    const { id, token } = await harness.token({ services: ['shop'], mounts: [], ttlSeconds: 100 })
    const telephone = await harness.dial(token)
    telephone.session.sendControl({ type: 'renew' })
    const renewed = await telephone.control('renewed')
    const { claims } = readJwt(renewed.token ?? '')
    expect(claims).toMatchObject({ jti: id, sub: 'laptop', aud: 'plugboard', services: ['shop'], mounts: [] })
    expect(claims.exp).toBeGreaterThanOrEqual(readJwt(token).claims.exp as number)
    await harness.dial(renewed.token ?? '')
  })

  it('is refused for a revoked token and for an unknown token', async () => {
    const { id, token } = await harness.token()
    const telephone = await harness.dial(token)
    await harness.issuer.revoke(asTokenId(id), { actor: 'test' })
    await telephone.closed
    await expect(harness.issuer.renew(asTokenId(id))).rejects.toMatchObject({ code: 'token_revoked' })
    await expect(harness.issuer.renew(asTokenId('elsewhere'))).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('other replicas', () => {
  it('asks a telephone to move once, and only when its process has no line on the other replica', async () => {
    const { token } = await harness.token()
    const telephones = [
      await harness.dial(token, { name: 'a', instance: 'instance-a' }),
      await harness.dial(token, { name: 'b', instance: 'instance-b' }),
    ]
    for (const telephone of telephones) await telephone.announce({ service: 'web' })
    const there = { replicaId: asReplicaId('r2'), tunnelId: asTunnelId('far') }
    for (const own of [...harness.registry.linesOf('web')]) {
      // On the other replica, another identity uses the instance id of the second process. It must not count as that process.
      const generation = own.telephone === 'a' ? own.generation : '1.stranger'
      const id = lineId(asTunnelId(`far-${own.telephone}`), 'web')
      harness.registry.putRemote({ ...own, ...there, id, ...(generation !== undefined && { generation }) })
    }
    expect(harness.switchboard.mover.move(10, asReplicaId('r2'))).toBe(1)
    expect(await telephones[1]?.control('move')).toEqual({ type: 'move', why: 'balance', to: 'r2' })
    expect(harness.switchboard.mover.move(10, asReplicaId('r2'))).toBe(0)
    expect(telephones[0]?.controls.some(({ type }) => type === 'move')).toBe(false)
  })

  it('does not count a draining tunnel', async () => {
    const telephone = await harness.dial((await harness.token()).token)
    await telephone.announce({ service: 'shop', mount: 'app.test' })
    const response = rawExchange(harness.port, 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n')
    const call = await telephone.nextCall()
    expect(harness.switchboard.tunnels.tunnelCount).toBe(1)
    const drained = telephone.session.drain(60_000)
    await noLines('shop')
    expect([harness.switchboard.tunnels.tunnelCount, harness.switchboard.tunnels.streamCount]).toEqual([0, 1])
    call.respond(200, 'whole')
    expect((await response).body.toString()).toBe('whole')
    await drained
  })

  it('leaves when its telephones have drained their tunnels, and accepts no new tunnels meanwhile', async () => {
    const { token } = await harness.token()
    const telephone = await harness.dial(token, { name: 'a', instance: 'instance-a' })
    await telephone.announce({ service: 'web' })
    const left = harness.switchboard.mover.leave(60_000)
    expect(await telephone.control('move')).toEqual({ type: 'move', why: 'leaving' })
    expect(harness.switchboard.refusal).toBe('draining')
    expect([...harness.registry.linesOf('web')]).toHaveLength(1)
    void telephone.session.drain(1000)
    await left
    await noLines('web')
  })
})

it('returns the bytes that a telephone sends on an echo stream, and refuses other kinds', async () => {
  const telephone = await harness.dial((await harness.token()).token)
  const opening = { hops: 0, service: '', method: '', target: '', fields: [] }
  const chunks: Buffer[] = []
  const echoed = new Promise<void>((resolve, reject) => {
    const stream = telephone.session.open(
      { ...opening, kind: 'echo' },
      {
        onHead: () => undefined,
        onData: chunk => {
          chunks.push(chunk)
          stream.consume(chunk.length)
        },
        onEnd: () => resolve(),
        onWritable: () => undefined,
        onAbort: reject,
      },
      false,
    )
    stream.write(Buffer.alloc(1 << 20, 7))
    stream.end()
  })
  await echoed
  expect(Buffer.concat(chunks).equals(Buffer.alloc(1 << 20, 7))).toBe(true)
  const refused = new Promise<string>(resolve => {
    telephone.session.open(
      { ...opening, kind: 'http' },
      {
        onHead: () => undefined,
        onData: () => undefined,
        onEnd: () => undefined,
        onWritable: () => undefined,
        onAbort: error => resolve(error.reason),
      },
      true,
    )
  })
  expect(await refused).toBe('unknown_kind')
})

it('sends the addresses of the replicas to telephones', async () => {
  const { token } = await harness.token()
  const early = await harness.dial(token)
  const replicas = [{ id: asReplicaId('replica-1'), url: 'wss://one.example/_plugboard/tunnel' }]
  harness.switchboard.mover.setReplicas(replicas)
  const late = await harness.dial(token)
  for (const telephone of [early, late])
    expect((await telephone.control('replicas')).replicas).toEqual(replicas)
})

it('sends the addresses of replicas to other telephones when they do not fit in the frames of one', async () => {
  const { token } = await harness.token()
  const small = await harness.dial(token, { limits: { maxFrameBytes: 16_384 } })
  const other = await harness.dial(token)
  const replicas = Array.from({ length: 200 }, (_, index) => ({
    id: asReplicaId(`replica-${index}`),
    url: `wss://replica-${index}.${'x'.repeat(60)}.example/_plugboard/tunnel`,
  }))
  harness.switchboard.mover.setReplicas(replicas)
  expect((await other.control('replicas')).replicas).toHaveLength(200)
  expect(small.session.state).toBe('open')
})

it('closes a tunnel whose frames are too small for the results of its services', async () => {
  const { token } = await harness.token()
  // 201 accepted services fit in one frame of the telephone. 200 refused services and an accepted one do not fit.
  const services = Array.from({ length: 201 }, (_, index) => ({ service: `s${index}`.padEnd(40, 'x') }))
  const older = await harness.dial(token, { instance: 'process-1', limits: { maxFrameBytes: 16_384 } })
  expect((await older.announce(...services)).every(({ accepted }) => accepted)).toBe(true)
  const newer = await harness.dial(token, { instance: 'process-2', startedAt: 2 })
  await newer.announce(...services.slice(1))
  expect(await older.closed).toMatchObject({ reason: 'payload_too_large' })
})
