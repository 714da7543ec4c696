import { beforeEach, describe, expect, it } from 'vitest'
import { seededRandom } from '../../../test/support/seeded-random.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import type { Line } from '../../registry/line.ts'
import { asTunnelId, lineId } from '../../registry/line-ids.ts'
import { Registry } from '../../registry/registry.ts'
import type { Upstream } from '../../registry/upstream.ts'
import { DEFAULT_SERVICE_POLICY } from '../../routes/options/service-policy.ts'
import type { Candidate } from '../pools/line-pool.ts'
import { LinePicker } from './line-picker.ts'
import type { PickPolicy, PickRequest } from './pick-request.ts'

class FakeUpstream implements Upstream {
  canOpen = true
  streamCount = 0
  hasRoomFor?: (client: string) => boolean
  open(): never {
    throw new Error('a picker must not open streams')
  }
}

let registry: Registry
let picker: LinePicker
let upstreams: Map<string, FakeUpstream>

beforeEach(() => {
  registry = new Registry()
  upstreams = new Map()
  picker = new LinePicker({
    registry,
    upstreamOf: line => upstreams.get(line.tunnelId),
    random: seededRandom(7),
  })
})

function add(tunnelId: string, more: Partial<Line> = {}): FakeUpstream {
  const upstream = new FakeUpstream()
  upstreams.set(tunnelId, upstream)
  registry.replace(asTunnelId(tunnelId), [line(tunnelId, more)])
  return upstream
}

function line(tunnel: string, more: Partial<Line> = {}): Line {
  const tunnelId = asTunnelId(tunnel)
  return {
    id: lineId(tunnelId, 'web'),
    replicaId: asReplicaId('r1'),
    tunnelId,
    service: 'web',
    telephone: 'laptop',
    instance: `instance-${tunnelId}`,
    health: 'up',
    weight: 100,
    version: '',
    labels: {},
    ...more,
  }
}

const policy = (balancing: PickPolicy['balancing'], maxStreams: number | null = null): PickPolicy => ({
  ...DEFAULT_SERVICE_POLICY,
  balancing,
  maxStreams,
})

function pick(how: PickPolicy, more: Partial<PickRequest> = {}) {
  return picker.pick({
    service: 'web',
    policy: how,
    tried: undefined,
    preferred: undefined,
    client: '',
    key: undefined,
    ...more,
  })
}

function picks(
  count: number,
  how: PickPolicy,
  { acquire }: { acquire: boolean } = { acquire: false },
): Record<string, number> {
  const taken: Record<string, number> = {}
  for (let index = 0; index < count; index += 1) {
    const candidate = pick(how)
    if (typeof candidate === 'string') throw new Error(candidate)
    taken[candidate.line.tunnelId] = (taken[candidate.line.tunnelId] ?? 0) + 1
    if (acquire) picker.acquire(candidate, { client: '', poolSlot: 0 })
  }
  return taken
}

describe('pick', () => {
  it('returns no_telephone for a service without lines', () => {
    expect(pick(policy('least_streams'))).toBe('no_telephone')
  })

  it.each(['least_streams', 'round_robin', 'random'] as const)(
    '%s skips lines that take no stream',
    balancing => {
      add('down', { health: 'down' })
      add('zero', { weight: 0 })
      add('full').canOpen = false
      add('fit')
      expect(picks(20, policy(balancing))).toEqual({ fit: 20 })
    },
  )

  it('returns overloaded for full lines, and no_telephone for lines without a weight', () => {
    add('zero', { weight: 0 })
    expect(pick(policy('random'))).toBe('no_telephone')
    expect(picker.explain('web', 'no_telephone').cause).toBe('weight_zero')
    add('full').canOpen = false
    expect(pick(policy('random'))).toBe('overloaded')
  })

  it('returns service_unhealthy when the health check of each line fails', () => {
    const sinceMs = Date.UTC(2026, 10, 30, 2, 41, 7, 5)
    const unhealthy = () => picker.explain('web', 'service_unhealthy').detail
    add('old', { health: 'down' })
    add('zero', { weight: 0 })
    expect(pick(policy('random'))).toBe('service_unhealthy')
    expect(unhealthy()).toBe('health check fails')
    add('b', { health: 'down', outage: { sinceMs: sinceMs + 5, detail: '/healthz returned 500' } })
    add('a', { health: 'down', outage: { sinceMs, detail: '/healthz returned 500' } })
    expect(unhealthy()).toBe('health check has failed since 2026-11-30T02:41:07Z: /healthz returned 500')
    add('c', { health: 'down', outage: { sinceMs: sinceMs + 9, detail: 'other' } })
    expect(unhealthy()).toMatch(/500 \(other lines fail for other causes\)$/)
    // A line that is up but unreachable may be healthy.
    Object.assign(add('away'), { reachable: false })
    expect(pick(policy('random'))).toBe('no_telephone')
    expect(picker.explain('web', 'no_telephone').cause).toBe('line_unreachable')
    expect(picker.explain('other', 'no_telephone').cause).toBe('not_connected')
  })

  it('follows the registry', () => {
    add('a')
    registry.replace(asTunnelId('a'), [line('a', { health: 'down' })])
    expect(pick(policy('least_streams'))).toBe('service_unhealthy')
    registry.replace(asTunnelId('a'), [line('a')])
    expect(picks(1, policy('least_streams'))).toEqual({ a: 1 })
    registry.replace(asTunnelId('a'), [])
    expect(pick(policy('least_streams'))).toBe('no_telephone')
  })

  it('includes lines that were in the registry before the picker was created', () => {
    add('a')
    picker.close()
    picker = new LinePicker({ registry, upstreamOf: each => upstreams.get(each.tunnelId) })
    expect(picks(1, policy('random'))).toEqual({ a: 1 })
  })

  it('avoids a failed link in a retry, and prefers a local line', () => {
    picker.close()
    picker = new LinePicker({
      registry,
      replicaId: asReplicaId('r1'),
      random: seededRandom(7),
      // Two lines of one replica share a link, but each has its own upstream.
      upstreamOf: ({ replicaId, tunnelId }) =>
        replicaId === 'r1' ? upstreams.get(tunnelId) : new FakeUpstream(),
    })
    const homes = { 'far-1': 'r2', 'far-2': 'r2', 'far-3': 'r3', 'far-4': 'r4' }
    for (const [tunnelId, replicaId] of Object.entries(homes)) {
      registry.putRemote(line(tunnelId, { replicaId: asReplicaId(replicaId) }))
    }
    const first = pick(policy('least_streams'))
    if (typeof first === 'string') throw new Error(first)
    const second = pick(policy('least_streams'), { tried: [first] })
    if (typeof second === 'string') throw new Error(second)
    expect(second.line.replicaId).not.toBe(first.line.replicaId)
    add('near')
    const third = pick(policy('least_streams'), { tried: [first] })
    expect(typeof third !== 'string' && third.line.tunnelId).toBe('near')
  })

  it('compares instance ids only within one identity, because another identity may copy an instance id', () => {
    add('failed', { instance: 'copied', generation: '1.stranger' })
    add('its-twin', { instance: 'copied', generation: '1.stranger' })
    const failed = pick(policy('least_streams')) as Candidate
    expect(failed.line.tunnelId).toBe('failed')
    add('victim', { instance: 'copied', generation: '1.victim' })
    const victim = picker.candidatesOf('web').at(-1) as Candidate
    picker.acquire(victim, { client: '', poolSlot: 0 })
    const next = pick(policy('least_streams'), { tried: [failed] })
    expect(next).toMatchObject({ line: { tunnelId: 'victim' } })
  })

  it('skips lines that were tried, and prefers a line of another process', () => {
    add('a', { instance: 'one' })
    add('b', { instance: 'one' })
    add('c', { instance: 'two' })
    const tried = []
    const order = []
    for (;;) {
      const candidate = pick(policy('least_streams'), { tried })
      if (typeof candidate === 'string') {
        order.push(candidate)
        break
      }
      tried.push(candidate)
      order.push(candidate.line.tunnelId)
    }
    expect(order).toEqual(['a', 'c', 'b', 'exhausted'])
  })

  it('limits the streams of a service, even after a moment without lines', () => {
    add('a')
    const candidate = pick(policy('random', 1))
    if (typeof candidate === 'string') throw new Error(candidate)
    const holder = { client: '', poolSlot: 0 }
    picker.acquire(candidate, holder)
    expect(pick(policy('random', 1))).toBe('overloaded')
    registry.replace(asTunnelId('a'), [])
    registry.replace(asTunnelId('a'), [line('a')])
    expect(pick(policy('random', 1))).toBe('overloaded')
    picker.release(candidate, holder)
    expect(picks(1, policy('random', 1))).toEqual({ a: 1 })
  })
})

describe('maxStreamsPerTelephone', () => {
  const limited: PickPolicy = { ...policy('least_streams'), maxStreamsPerTelephone: 2 }

  it('skips a process that has this many streams on all its lines, also in a retry', () => {
    add('a', { instance: 'one' })
    add('b', { instance: 'one' })
    add('c', { instance: 'two', weight: 1 })
    const counts = picks(4, limited, { acquire: true })
    expect(counts).toEqual({ a: 1, b: 1, c: 2 })
    expect(pick(limited)).toBe('overloaded')
    expect(picker.explain('web', 'overloaded', limited).detail).toContain('"maxStreamsPerTelephone"')
    expect(pick(limited, { tried: picker.candidatesOf('web').slice(0, 1) })).toBe('exhausted')
    expect(pick(limited, { preferred: picker.candidatesOf('web')[0] })).toBe('overloaded')
  })
})

describe('whenAllDown', () => {
  const tries: PickPolicy = { ...policy('least_streams'), whenAllDown: 'try' }

  it('sends requests to processes whose health check fails, when each of them fails', () => {
    add('a', { health: 'down' })
    add('b', { health: 'down' })
    add('zero', { weight: 0 })
    expect(pick(policy('least_streams'))).toBe('service_unhealthy')
    expect(picks(10, tries)).toEqual({ a: 5, b: 5 })
    const [first] = picker.candidatesOf('web') as [Candidate]
    expect(pick(tries, { tried: [first] })).toMatchObject({ line: { tunnelId: 'b' } })
  })

  it('sends no request there while a process is healthy, even when that one is full', () => {
    add('down', { health: 'down' })
    const up = add('up')
    expect(picks(10, tries)).toEqual({ up: 10 })
    up.canOpen = false
    expect(pick(tries)).toBe('overloaded')
  })
})

describe('hash', () => {
  const byKey = policy('hash')

  it('keeps a key at the telephone of one name when its process restarts or connects again', () => {
    for (const name of ['a', 'b', 'c', 'd']) add(name, { telephone: name })
    const places = () =>
      Array.from({ length: 50 }, (_, key) => (pick(byKey, { key }) as Candidate).process.telephone)
    const before = places()
    expect(new Set(before).size).toBe(4)
    registry.replace(asTunnelId('b'), [])
    add('b2', { telephone: 'b', instance: 'restarted' })
    expect(places()).toEqual(before)
  })

  it('spreads keys over processes that have the same name, in the same way on each replica', () => {
    for (const instance of ['x', 'y', 'z']) add(instance, { instance })
    const places = () =>
      Array.from({ length: 60 }, (_, key) => (pick(byKey, { key }) as Candidate).line.instance)
    const before = places()
    expect(new Set(before).size).toBe(3)
    for (const instance of ['x', 'y', 'z']) registry.replace(asTunnelId(instance), [])
    for (const instance of ['z', 'y', 'x']) add(instance, { instance })
    expect(places()).toEqual(before)
  })

  it('uses the process with the fewest streams for a request without a key', () => {
    for (const name of ['a', 'b']) add(name)
    expect(picks(10, byKey, { acquire: true })).toEqual({ a: 5, b: 5 })
  })
})

describe('the share of a client', () => {
  const take = (client: string, how: PickPolicy) => {
    const candidate = pick(how, { client: client })
    if (typeof candidate === 'string') return candidate
    const holder = { client, poolSlot: 0 }
    picker.acquire(candidate, holder)
    return () => picker.release(candidate, holder)
  }

  it('is 75 % of the streams that the policy allows', () => {
    add('a')
    const how = policy('least_streams', 8)
    const taken = Array.from({ length: 6 }, () => take('one', how))
    expect([take('one', how), typeof take('other', how)]).toEqual(['concurrency_limited', 'function'])
    const [release] = taken
    if (typeof release === 'function') release()
    expect([typeof take('one', how), take('one', how)]).toEqual(['function', 'concurrency_limited'])
    expect([typeof take('other', how), take('other', how)]).toEqual(['function', 'overloaded'])
  })

  it('counts the streams that were open before the policy had a limit', () => {
    add('a')
    for (let taken = 0; taken < 6; taken += 1) take('one', policy('random'))
    expect([take('one', policy('random', 8)), typeof take('other', policy('random', 8))]).toEqual([
      'concurrency_limited',
      'function',
    ])
  })

  it.each(['least_streams', 'round_robin', 'random'] as const)(
    '%s skips lines where the client holds its share, and returns concurrency_limited when no other line is left',
    balancing => {
      const [full, free] = [add('full'), add('free')]
      full.hasRoomFor = client => client !== 'one'
      for (let index = 0; index < 20; index += 1) {
        const picked = pick(policy(balancing), { client: 'one' })
        expect(typeof picked !== 'string' && picked.line.tunnelId).toBe('free')
      }
      free.hasRoomFor = () => false
      expect(pick(policy(balancing), { client: 'one' })).toBe('concurrency_limited')
      expect(typeof pick(policy(balancing), { client: 'other' })).toBe('object')
      full.canOpen = false
      free.canOpen = false
      expect(pick(policy(balancing), { client: 'one' })).toBe('overloaded')
    },
  )
})

describe('balancing', () => {
  it('least_streams picks the line with the lowest load for its weight, and rotates among equal ones', () => {
    add('a')
    add('b')
    add('c', { weight: 200 })
    expect(picks(400, policy('least_streams'), { acquire: true })).toEqual({ a: 100, b: 100, c: 200 })
  })

  it('least_streams rotates among idle lines', () => {
    for (const name of ['a', 'b', 'c']) add(name)
    expect(picks(30, policy('least_streams'))).toEqual({ a: 10, b: 10, c: 10 })
  })

  it('least_streams spreads streams evenly over very many lines, and finds the only usable line', () => {
    for (let index = 0; index < 100; index += 1) add(`t${index}`)
    const counts = Object.values(picks(1000, policy('least_streams'), { acquire: true }))
    expect(counts.length).toBe(100)
    expect(Math.max(...counts)).toBeLessThanOrEqual(15)
    for (const [name, upstream] of upstreams) upstream.canOpen = name === 't42'
    expect(picks(10, policy('least_streams'))).toEqual({ t42: 10 })
  })

  it('round_robin follows the weights and interleaves the lines', () => {
    add('a', { weight: 2 })
    add('b', { weight: 1 })
    const order: string[] = []
    for (let index = 0; index < 6; index += 1)
      order.push(Object.keys(picks(1, policy('round_robin')))[0] as string)
    expect(order).toEqual(['a', 'b', 'a', 'a', 'b', 'a'])
  })

  it('random follows the weights', () => {
    add('a', { weight: 300 })
    add('b', { weight: 100 })
    const taken = picks(4000, policy('random'))
    expect((taken.a ?? 0) / 4000).toBeCloseTo(0.75, 1)
  })
})

describe('lines of other replicas', () => {
  beforeEach(() => {
    picker.close()
    picker = new LinePicker({
      registry,
      replicaId: asReplicaId('r1'),
      upstreamOf: each => upstreams.get(each.tunnelId),
      random: seededRandom(7),
    })
  })

  function addRemote(tunnelId: string): FakeUpstream & { reachable?: boolean } {
    const upstream = new FakeUpstream()
    upstreams.set(tunnelId, upstream)
    registry.putRemote(line(tunnelId, { replicaId: asReplicaId('r2') }))
    return upstream
  }

  const acquireMany = (count: number): Record<string, number> => {
    const taken: Record<string, number> = {}
    for (let index = 0; index < count; index += 1) {
      const candidate = pick(policy('least_streams'))
      if (typeof candidate === 'string') throw new Error(candidate)
      picker.acquire(candidate, { client: '', poolSlot: 0 })
      taken[candidate.line.tunnelId] = (taken[candidate.line.tunnelId] ?? 0) + 1
    }
    return taken
  }

  it('lose a tie against a local line, and otherwise get their share', () => {
    for (const id of ['far-1', 'far-2']) addRemote(id)
    add('near')
    expect(picks(10, policy('least_streams'))).toEqual({ near: 10 })
    expect(acquireMany(30)).toEqual({ near: 10, 'far-1': 10, 'far-2': 10 })
  })

  it('have a load without the other streams on the same link or tunnel', () => {
    addRemote('far').streamCount = 0
    add('near').streamCount = 100
    expect(acquireMany(10)).toEqual({ near: 5, far: 5 })
  })

  it('leave a local line its share, even when there are very many of them', () => {
    for (let index = 0; index < 99; index += 1) addRemote(`far-${index}`)
    add('near')
    expect(picks(20, policy('least_streams'))).toEqual({ near: 20 })
    expect(acquireMany(1000).near).toBeLessThan(60)
  })

  it('cannot be picked while they are unreachable', () => {
    const far = addRemote('far')
    far.canOpen = false
    expect(pick(policy('random'))).toBe('overloaded')
    far.reachable = false
    expect(pick(policy('random'))).toBe('no_telephone')
  })
})
