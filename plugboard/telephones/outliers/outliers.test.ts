import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeLine } from '../../../test/support/harness/registry-cluster.ts'
import { processesIn } from '../../../test/support/harness/simulated-pool.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import type { Line } from '../../registry/line.ts'
import { asTunnelId } from '../../registry/line-ids.ts'
import { Registry } from '../../registry/registry.ts'
import type { Upstream } from '../../registry/upstream.ts'
import type { OutlierPolicy } from '../../routes/options/outlier-policy.ts'
import { DEFAULT_SERVICE_POLICY } from '../../routes/options/service-policy.ts'
import { type AttemptFailure, LinePicker } from '../picker/line-picker.ts'
import type { NoLine } from '../picker/no-line.ts'
import type { PickPolicy } from '../picker/pick-request.ts'
import type { Candidate } from '../pools/line-pool.ts'
import { listEjections, listServiceEjections } from './ejection-list.ts'
import type { CheckResult } from './outliers.ts'

const OUTLIER: OutlierPolicy = {
  consecutive: 5,
  ejectMs: 10_000,
  maxEjectMs: 300_000,
  maxEjectedPercent: 50,
}

class Tunnel implements Upstream {
  canOpen = true
  reachable = true
  streamCount = 0
  open(): never {
    throw new Error('a picker must not open streams')
  }
}

let clock: ManualClock
let registry: Registry
let picker: LinePicker
let tunnels: Map<string, Tunnel>
let logged: { message: string; fields: Record<string, unknown> }[]
let probed: { service: string; tunnelId: string; respond: (health: CheckResult) => void }[]
let policy: PickPolicy

beforeEach(() => {
  clock = new ManualClock()
  registry = new Registry()
  tunnels = new Map()
  logged = []
  probed = []
  policy = { ...DEFAULT_SERVICE_POLICY, balancing: 'round_robin', outlier: OUTLIER }
  const log = (message: string, fields = {}) => void logged.push({ message, fields })
  picker = new LinePicker({
    registry,
    clock,
    upstreamOf: line => tunnels.get(line.tunnelId),
    log: { debug: log, info: log, warn: log, error: log, enabled: () => true, child: () => expect.fail() },
    probe: ({ service, tunnelId }) =>
      new Promise(respond => void probed.push({ service, tunnelId, respond })),
  })
})

afterEach(() => {
  picker.close()
  expect(clock.pendingTimers).toBe(0)
})

function connect(name: string, more: Partial<Line> = {}): void {
  if (!tunnels.has(name)) tunnels.set(name, new Tunnel())
  registry.replace(asTunnelId(name), [makeLine('r1', name, 'web', { telephone: name, ...more })])
}

function disconnect(name: string): void {
  registry.replace(asTunnelId(name), [])
}

interface Attempt {
  readonly line: Candidate
  readonly holder: { client: string; poolSlot: number }
  readonly startMs: number
}

function open(tried?: readonly Candidate[]): Attempt {
  const line = picker.pick({
    service: 'web',
    policy,
    tried,
    preferred: undefined,
    client: '',
    key: undefined,
  })
  if (typeof line === 'string') throw new Error(`no line: ${line}`)
  const holder = { client: '', poolSlot: 0 }
  picker.acquire(line, holder)
  return { line, holder, startMs: clock.now() }
}

const nameOf = ({ line }: Attempt): string => line.line.telephone

function close({ line, holder, startMs }: Attempt, result: number | AttemptFailure | 'cancelled'): void {
  const latencyMs = clock.now() - startMs
  if (typeof result === 'number') picker.responded(line, result, latencyMs, clock.now())
  else if (result !== 'cancelled') picker.failed(line, result, latencyMs, clock.now())
  picker.release(line, holder)
}

/** Sends requests, one every 10 ms. Returns the number of requests that each process received. */
function send(requests: number, results: Record<string, number | AttemptFailure>): Record<string, number> {
  const received: Record<string, number> = {}
  for (let index = 0; index < requests; index += 1) {
    clock.advance(9)
    const attempt = open()
    clock.advance(1)
    const name = nameOf(attempt)
    received[name] = (received[name] ?? 0) + 1
    close(attempt, results[name] ?? 200)
  }
  return received
}

const stateOf = (name: string): string | undefined =>
  processesIn(picker).find(process => process.telephone === name)?.watch.state.kind

const ejections = () => listEjections(picker.pools, clock, asReplicaId('r1'))
const serviceEjections = () => listServiceEjections(picker.ejectionCounts, clock, asReplicaId('r1'))

describe('a process with failures in a row', () => {
  beforeEach(() => {
    for (const name of ['a', 'b', 'c']) connect(name)
  })

  it.each([502, 503, 504, 'refused', 'connect', 'reset', 'timeout'] as const)(
    'is ejected after five results %s',
    result => {
      expect(send(50, { a: result })).toMatchObject({ a: 5 })
      expect(stateOf('a')).toBe('ejected')
    },
  )

  it.each([500, 404, 'lost'] as const)('is not ejected after 15 results %s', result => {
    expect(send(45, { a: result })).toEqual({ a: 15, b: 15, c: 15 })
  })

  it('is logged, counted and listed with its last failures', () => {
    send(12, { a: 'reset' })
    send(50, { a: 503 })
    expect(logged).toEqual([
      {
        message: 'process ejected',
        fields: {
          service: 'web',
          telephoneId: 'a',
          count: 1,
          cause: 'consecutive_failures',
          delayMs: 10_000,
          detail: 'last failures: reset, reset, reset, reset, 503',
        },
      },
    ])
    const [row] = ejections()
    expect(row).toMatchObject({
      service: 'web',
      telephone: 'a',
      replicaId: 'r1',
      state: 'ejected',
      ejections: 1,
    })
    expect(row?.failures).toHaveLength(5)
    expect(Date.parse(row?.until ?? '') - Date.parse(row?.since ?? '')).toBe(10_000)
    expect(serviceEjections()).toMatchObject([{ service: 'web', consecutiveFailures: 1, pausedSince: null }])
  })

  it('is not ejected when a success comes between its failures', () => {
    send(12, { a: 503 })
    send(3, {})
    send(12, { a: 503 })
    expect(stateOf('a')).toBe('serving')
    send(3, { a: 503 })
    expect(stateOf('a')).toBe('ejected')
  })
})

it('a process is ejected when half of its responses are errors, and the rest of the pool has few', () => {
  for (const name of ['a', 'b', 'c']) connect(name)
  for (let round = 0; round < 9; round += 1) send(6, { a: 500 }).a
  expect(stateOf('a')).toBe('serving')
  send(12, { a: 500 })
  expect(stateOf('a')).toBe('ejected')
  expect(ejections()).toMatchObject([{ telephone: 'a', reason: 'error_responses' }])
})

describe('a half-open process', () => {
  beforeEach(() => {
    for (const name of ['a', 'b']) connect(name)
    send(20, { a: 503 })
    clock.advance(10_000)
  })

  it('receives one stream at a time, until three heads have arrived', () => {
    expect(stateOf('a')).toBe('half_open')
    for (let trial = 0; trial < 3; trial += 1) {
      const attempts = Array.from({ length: 6 }, () => open())
      const trials = attempts.filter(each => nameOf(each) === 'a')
      expect(trials).toHaveLength(1)
      for (const each of attempts) close(each, 200)
    }
    expect(stateOf('a')).toBe('serving')
    expect(send(10, {})).toEqual({ a: 5, b: 5 })
    expect(logged.map(({ message }) => message)).toEqual([
      'process ejected',
      'ejected process gets trial requests',
      'ejected process serves again',
    ])
    expect(serviceEjections()).toMatchObject([{ halfOpened: 1, readmitted: 1 }])
    expect(ejections()).toMatchObject([{ telephone: 'a', state: 'serving', until: null }])
    clock.advance(600_000)
    expect(ejections()).toEqual([])
  })

  it('receives the next stream when a client cancels a trial', () => {
    const first = [open(), open(), open()]
    for (const each of first) close(each, 'cancelled')
    expect(stateOf('a')).toBe('half_open')
    expect([open(), open()].map(nameOf).sort()).toEqual(['a', 'b'])
  })

  it('receives the next stream while the body of a trial response still arrives', () => {
    const attempts = [open(), open()]
    const trial = attempts.find(each => nameOf(each) === 'a') as Attempt
    picker.responded(trial.line, 200, 0, clock.now())
    expect([open(), open()].map(nameOf).sort()).toEqual(['a', 'b'])
  })

  it('receives the next stream when a trial has no result for 10 s, such as a slow upload', () => {
    const uploads = [open(), open()]
    clock.advance(9999)
    expect([open(), open()].map(nameOf)).toEqual(['b', 'b'])
    clock.advance(1)
    expect([open(), open()].map(nameOf).sort()).toEqual(['a', 'b'])
    for (const each of uploads) close(each, 'cancelled')
    expect([open(), open()].map(nameOf)).toEqual(['b', 'b'])
    clock.advance(10_000)
  })

  it('is ejected again, for longer, when a trial fails', () => {
    expect(send(20, { a: 503 })).toMatchObject({ a: 1 })
    expect(ejections()).toMatchObject([{ state: 'ejected', reason: 'trial_failed', ejections: 2 }])
    clock.advance(15_000)
    expect(stateOf('a')).toBe('ejected')
    clock.advance(5000)
    expect(stateOf('a')).toBe('half_open')
  })

  it('is not evaluated by the result of a stream that was opened before the ejection', () => {
    const old = { line: open().line, holder: { client: '', poolSlot: 0 }, startMs: 0 }
    const line = picker.candidatesOf('web').find(each => each.line.telephone === 'a') as Candidate
    picker.failed(line, 'timeout', clock.now() - old.startMs, clock.now())
    picker.responded(line, 200, clock.now() - old.startMs, clock.now())
    expect(ejections()).toMatchObject([{ state: 'half_open' }])
    expect(processesIn(picker).find(each => each.telephone === 'a')?.watch.state).toMatchObject({
      successes: 0,
    })
  })

  it('does not receive a retry while another process serves', () => {
    connect('c')
    for (let round = 0; round < 6; round += 1) {
      const first = open()
      if (nameOf(first) !== 'a') expect(nameOf(open([first.line]))).not.toBe('a')
      close(first, 'cancelled')
    }
  })
})

describe('the bounds', () => {
  it('the last serving process is not ejected', () => {
    for (const name of ['a', 'b']) connect(name)
    send(40, { a: 'refused' })
    expect(stateOf('a')).toBe('ejected')
    send(40, { b: 'refused' })
    expect(stateOf('b')).toBe('serving')
  })

  it('at most half of the processes are ejected, and the pause of ejections is logged once', () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) connect(name)
    for (const each of ['a', 'b', 'c']) send(200, { [each]: 503 })
    expect(['a', 'b', 'c', 'd', 'e'].map(stateOf)).toEqual([
      'ejected',
      'ejected',
      'serving',
      'serving',
      'serving',
    ])
    const pauses = logged.filter(({ message }) => message === 'ejection paused at its bound')
    expect(pauses).toHaveLength(1)
    expect(serviceEjections()).toMatchObject([{ service: 'web', paused: 1, pausedSince: expect.any(String) }])
    send(1100, {})
    expect(serviceEjections()).toMatchObject([{ paused: 1, pausedSince: null }])
  })

  it('a process whose backend refuses connections does not count for the percentage', () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) connect(name)
    for (const each of ['a', 'b', 'c']) send(100, { [each]: 'refused' })
    send(100, { d: 503 })
    expect(['a', 'b', 'c', 'd', 'e'].map(stateOf)).toEqual([
      'ejected',
      'ejected',
      'ejected',
      'ejected',
      'serving',
    ])
  })

  it('a process that takes no requests does not count as another serving process', () => {
    for (const name of ['a', 'b', 'c']) connect(name)
    send(12, { a: 503 })
    connect('b', { health: 'down' })
    connect('c', { weight: 0 })
    send(40, { a: 503 })
    expect(stateOf('a')).toBe('serving')
  })
})

describe('when no serving process takes a request', () => {
  beforeEach(() => {
    for (const name of ['a', 'b']) connect(name)
    send(20, { a: 503 })
    disconnect('b')
  })

  it('an ejected process receives it', () => {
    expect(send(3, { a: 503 })).toEqual({ a: 3 })
    expect(stateOf('a')).toBe('ejected')
  })

  it('a success ends the ejection early', () => {
    expect(send(3, {})).toEqual({ a: 3 })
    expect(stateOf('a')).toBe('serving')
  })

  it('a retry uses an ejected process too', () => {
    connect('b')
    const first = open()
    expect(nameOf(first)).toBe('b')
    expect(nameOf(open([first.line]))).toBe('a')
  })
})

describe('when all serving processes are full', () => {
  const pickOne = (client = ''): Candidate | NoLine =>
    picker.pick({ service: 'web', policy, tried: undefined, preferred: undefined, client, key: undefined })

  beforeEach(() => {
    for (const name of ['a', 'b']) connect(name)
    send(20, { a: 503 })
    expect(stateOf('a')).toBe('ejected')
    policy = { ...policy, maxStreamsPerTelephone: 1 }
  })

  it('a request fails or waits, and does not reach an ejected process', () => {
    const first = open()
    expect([nameOf(first), pickOne()]).toEqual(['b', 'overloaded'])
    close(first, 200)
    const tunnel = tunnels.get('b') as Tunnel
    tunnel.canOpen = false
    expect(pickOne()).toBe('overloaded')
  })

  it('a client that holds its share of the serving process does not reach an ejected process', () => {
    Object.assign(tunnels.get('b') as Tunnel, { hasRoomFor: (client: string) => client !== 'greedy' })
    expect(pickOne('greedy')).toBe('concurrency_limited')
    expect(pickOne('other')).toMatchObject({ line: { telephone: 'b' } })
  })

  it.each<Partial<Line>>([{ health: 'down' }, { weight: 0 }])(
    'an ejected process receives the request when the full one is unavailable: %j',
    change => {
      open()
      connect('b', change)
      expect(pickOne()).toMatchObject({ line: { telephone: 'a' } })
    },
  )
})

describe('the health check of the telephone', () => {
  beforeEach(() => {
    for (const name of ['a', 'b', 'c']) connect(name, { healthCheck: true })
    send(30, { a: 503 })
  })

  it('is requested at the ejection', () => {
    expect(probed).toMatchObject([{ service: 'web', tunnelId: 'a' }])
  })

  it('is not requested from a telephone without one', () => {
    for (const name of ['b', 'c']) connect(name)
    send(60, { b: 503 })
    expect(probed).toHaveLength(1)
  })

  it('starts the trials when it passes', async () => {
    probed[0]?.respond('up')
    await Promise.resolve()
    expect(stateOf('a')).toBe('half_open')
  })

  it('leaves the state unchanged when the telephone does not respond', async () => {
    probed[0]?.respond(undefined)
    await Promise.resolve()
    expect(stateOf('a')).toBe('ejected')
  })

  it('leaves the state unchanged when the result belongs to an earlier ejection', async () => {
    clock.advance(10_000)
    send(30, { a: 503 })
    expect(probed).toHaveLength(2)
    probed[0]?.respond('down')
    await Promise.resolve()
    connect('a', { healthCheck: true })
    expect(stateOf('a')).toBe('ejected')
    expect(processesIn(picker).find(each => each.telephone === 'a')?.watch.state).toMatchObject({
      ejections: 2,
      checkFailed: false,
    })
  })

  it('lets the process serve at once when it passes again', () => {
    connect('a', { health: 'down' })
    expect(send(20, {})).toEqual({ b: 10, c: 10 })
    connect('a', { healthCheck: true })
    expect(stateOf('a')).toBe('serving')
  })
})

it('a process whose check failed before its last requests failed serves when the check passes', () => {
  for (const name of ['a', 'b']) connect(name, { healthCheck: true })
  const attempts = Array.from({ length: 14 }, () => open())
  connect('a', { health: 'down' })
  for (const each of attempts) close(each, nameOf(each) === 'a' ? 503 : 200)
  expect(stateOf('a')).toBe('ejected')
  connect('a', { healthCheck: true })
  expect(stateOf('a')).toBe('serving')
})

it('the ejection of a process continues when its tunnel connects again while a stream is open', () => {
  for (const name of ['a', 'b']) connect(name)
  const attempts = [open(), open()]
  send(20, { a: 503 })
  disconnect('a')
  expect(clock.pendingTimers).toBe(0)
  clock.advance(4000)
  connect('a')
  expect(stateOf('a')).toBe('ejected')
  clock.advance(6000)
  expect(stateOf('a')).toBe('half_open')
  for (const each of attempts) close(each, 'cancelled')
})

describe('a process whose tunnel is lost again and again', () => {
  beforeEach(() => {
    for (const name of ['a', 'b']) connect(name)
  })

  it('stays ejected, and becomes half-open after the ejection time', () => {
    send(20, { a: 503 })
    const untilMs = clock.now() + 9000
    while (clock.now() < untilMs) {
      disconnect('a')
      connect('a')
      expect(send(10, { a: 503 })).toEqual({ b: 10 })
    }
    disconnect('a')
    clock.advance(2000)
    connect('a')
    clock.advance(0)
    expect(stateOf('a')).toBe('half_open')
  })

  it('is ejected after failures in several of its connections', () => {
    for (let round = 0; round < 6; round += 1) {
      send(4, { a: 503 })
      disconnect('a')
      connect('a')
    }
    expect(stateOf('a')).toBe('ejected')
  })

  it('is forgotten when its ejection is over and another process connects', () => {
    send(20, { a: 503 })
    disconnect('a')
    const pool = [...picker.pools][0]
    expect(pool?.known.size).toBe(2)
    clock.advance(10_000)
    connect('c')
    expect(pool?.known.size).toBe(2)
    connect('a')
    expect(stateOf('a')).toBe('serving')
  })

  it('is one of at most 100 disconnected processes that are kept', () => {
    for (let index = 0; index < 120; index += 1) {
      connect(`failing-${index}`)
      send(20, { [`failing-${index}`]: 503 })
      disconnect(`failing-${index}`)
    }
    const pool = [...picker.pools][0]
    expect(pool?.known.size).toBeGreaterThan(40)
    expect(pool?.known.size).toBeLessThanOrEqual(103)
  })
})

it('the results of a process without lines have no effect, because it drains', () => {
  for (const name of ['a', 'b']) connect(name)
  send(20, {})
  const attempts = Array.from({ length: 40 }, () => open())
  disconnect('a')
  for (const each of attempts) close(each, nameOf(each) === 'a' ? 503 : 200)
  expect(logged).toEqual([])
  expect(clock.pendingTimers).toBe(0)
})

it('all processes serve when the policy no longer ejects processes', () => {
  for (const name of ['a', 'b']) connect(name)
  send(20, { a: 503 })
  policy = { ...policy, outlier: false }
  expect(send(20, { a: 503 })).toEqual({ a: 10, b: 10 })
  expect(stateOf('a')).toBe('serving')
  expect(ejections()).toMatchObject([{ state: 'serving' }])
})
