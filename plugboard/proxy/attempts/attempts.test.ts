// The attempts of one request on real lines: the calls to its owner, the counts of the lines, and the access line.

import type { AccessFields } from '@vera-stack/shared/log.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import type { Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import { type Reason, TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { processesIn } from '../../../test/support/harness/simulated-pool.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { UuidV7 } from '../../common/ids/uuid-v7.ts'
import { ServiceDecisions } from '../../common/service-decisions.ts'
import { Limiter } from '../../limits/limiter.ts'
import { asTunnelId, lineId } from '../../registry/line-ids.ts'
import { Registry } from '../../registry/registry.ts'
import { CircuitBreakers } from '../../telephones/breaker/circuit-breakers.ts'
import { LinePicker } from '../../telephones/picker/line-picker.ts'
import { createProxyCounters } from '../counters.ts'
import { Deadlines } from '../deadlines.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import { Via } from '../edge/via.ts'
import { Mirrors } from '../mirror/mirrors.ts'
import type { LineRecovery, ProxyContext } from '../proxy-context.ts'
import { accessLog } from '../report/access-log.ts'
import { RefusalLog } from '../report/refusal-log.ts'
import { recordServiceErrors, ServiceErrors } from '../report/service-errors.ts'
import { Attempts } from './attempts.ts'
import type { AttemptsOwner } from './attempts-owner.ts'
import { WaitingRequests } from './waiting-requests.ts'

/** A line whose streams the test ends. */
class TestUpstream {
  readonly canOpen = true
  readonly streamCount = 0
  readonly opened: StreamEvents[] = []
  readonly resets: Reason[] = []
  /** The reason for which it refuses each stream. */
  refuses: Reason | undefined

  open(_opening: unknown, events: StreamEvents): Stream {
    if (this.refuses !== undefined) throw new TunnelError(this.refuses)
    this.opened.push(events)
    return {
      id: this.opened.length,
      kind: 'http',
      open: true,
      accepted: true,
      respond: () => undefined,
      write: () => true,
      end: () => undefined,
      reset: reason => void this.resets.push(reason),
      consume: () => undefined,
      keep: () => undefined,
      holdAfterEnd: () => undefined,
      release: () => undefined,
    }
  }

  abort(reason: Reason): void {
    this.opened.at(-1)?.onAbort(new TunnelError(reason, { remote: true }))
  }
}

/** Records the calls of the attempts. */
class RecordingOwner implements AttemptsOwner {
  readonly calls: string[] = []
  endsWithHead = true
  canReplay = true
  isUploading = false
  hold = () => void this.calls.push('hold')
  opened = (_stream: Stream, isRetry: boolean) => void this.calls.push(isRetry ? 'retry' : 'opened')
  circuitOpen = (seconds: number) => void this.calls.push(`circuit open: ${seconds}`)
  failed = (code: string) => void this.calls.push(`failed: ${code}`)
  takenStreamAborted = ({ reason }: TunnelError) => void this.calls.push(`taken: ${reason}`)
  onHead = () => void this.calls.push('head')
  onData = () => void this.calls.push('data')
  onEnd = () => void this.calls.push('end')
  onWritable = () => void this.calls.push('writable')
}

const route = harnessRoute({ host: 'test', policy: { balancing: 'round_robin', retries: 1 } })

const REQUEST: RoutedRequest = {
  kind: 'routed',
  limits: undefined,
  receivedFields: undefined,
  limitName: undefined,
  balancingKey: undefined,
  subset: undefined,
  capture: undefined,
  replay: undefined,
  opening: { kind: 'http', hops: 0, service: 'web', method: 'GET', target: '/', fields: [] },
  route,
  proto: 'http',
  receivedPath: '/',
  protocol: 'http/1.1',
  traceParent: '',
  traced: undefined,
  userAgent: '',
  via: '',
  looped: false,
  maxForwards: -1,
  trace: '',
  authenticatesConnection: false,
  requestId: 'request-1',
  clientAddress: '192.0.2.1',
  host: 'test',
  path: '/',
  accept: '',
  contentLength: -1,
  chunked: false,
  expectsContinue: false,
  upgrade: '',
  edits: undefined,
  hsts: '',
}

/** The state of LineRecovery that a test sets. */
class TestRecovery implements LineRecovery {
  unverified = false
  underWay = true
  readonly waiting: (() => void)[] = []
  onStep = (task: () => void) => void this.waiting.push(task)
}

const NAMES = ['first', 'second', 'third']

let lines: [first: TestUpstream, second: TestUpstream, third: TestUpstream]
let owner: RecordingOwner
let access: AccessFields[]
let serviceErrors: ServiceErrors
let context: ProxyContext
let clock: ManualClock
let attempts: Attempts

beforeEach(() => begin())

function begin(recovery?: TestRecovery): void {
  lines = [new TestUpstream(), new TestUpstream(), new TestUpstream()]
  owner = new RecordingOwner()
  access = []
  serviceErrors = new ServiceErrors()
  clock = new ManualClock()
  const counters = createProxyCounters()
  const decisions = new ServiceDecisions()
  const registry = new Registry()
  const deadlines = new Deadlines(clock, 1000)
  const picker = new LinePicker({
    registry,
    clock,
    upstreamOf: line => lines[NAMES.indexOf(line.telephone)],
  })
  context = {
    picker,
    clock,
    limiter: new Limiter(),
    deadlines,
    discardDeadlines: deadlines,
    idleDeadlines: deadlines,
    counters,
    decisions,
    active: { http: 0, https: 0 },
    metrics: undefined,
    breakers: new CircuitBreakers({ clock, log: silentLogger, onOpen: () => undefined }),
    waiting: new WaitingRequests({
      clock,
      counters,
      decisions,
      clientSharePercent: 100,
      whenLinesChange: () => () => undefined,
    }),
    capture: undefined,
    mirrors: new Mirrors({ picker, clock, counters, log: silentLogger }),
    observers: [
      accessLog(fields => access.push(fields), 1, 0),
      recordServiceErrors(serviceErrors, () => clock.wallTime()),
    ],
    refusals: new RefusalLog({
      ids: new UuidV7(),
      observers: [],
      counters,
      clock,
      log: silentLogger,
    }),
    log: silentLogger,
    via: new Via(['plugboard-test']),
    underscoreHeaders: 'pass',
    recovery,
    bodyIdleTimeoutMs: 1000,
    minBodyRateBytes: 0,
    draining: false,
  }
  // Round robin starts with the first line, because it has the highest weight.
  for (const [index, name] of NAMES.entries()) {
    const tunnelId = asTunnelId(name)
    registry.replace(tunnelId, [
      {
        id: lineId(tunnelId, 'web'),
        replicaId: asReplicaId('r1'),
        tunnelId,
        service: 'web',
        telephone: name,
        instance: name,
        health: 'up',
        weight: 103 - index,
        version: '',
        labels: {},
      },
    ])
  }
  attempts = attemptsOf(REQUEST)
}

const attemptsOf = (request: RoutedRequest): Attempts =>
  new Attempts(context, { affinity: undefined, authenticated: () => undefined }, request, clock.now(), owner)

const { service } = route
/** A request to a service that repeats it after the status 503. */
const RETRIED_503: RoutedRequest = {
  ...REQUEST,
  route: { ...route, service: { ...service, policy: { ...service.policy, retryStatuses: [503] } } },
}

/** The number of open streams of each line. */
const active = () => context.picker.candidatesOf('web').map(candidate => candidate.active)

it('counts the attempt on its line until the request ends', () => {
  attempts.start()
  expect([owner.calls, active()]).toEqual([['opened'], [1, 0, 0]])
  lines[0].opened[0]?.onHead({ status: 200, statusText: '', fields: [] })
  lines[0].opened[0]?.onEnd(undefined)
  attempts.finish(200, 0, 5, undefined)
  expect([owner.calls, active()]).toEqual([
    ['opened', 'head', 'end'],
    [0, 0, 0],
  ])
})

it('sends the request again on another line, and reports only the telephone of the last attempt', () => {
  attempts.start()
  lines[0].abort('session_lost')
  expect([owner.calls, active(), context.counters.retries]).toEqual([['opened', 'retry'], [0, 1, 0], 1])
  attempts.finish(200, 0, 5, undefined)
  attempts.finish(499, 0, 0, undefined)
  expect(access).toMatchObject([{ status: 200, bytesOut: 5, telephoneId: 'second', cause: undefined }])
})

it('records each failed attempt, with its Telephone, its reason and its time', () => {
  lines[0].refuses = 'draining'
  attempts.start()
  clock.advance(20)
  lines[1].abort('session_lost')
  clock.advance(30)
  lines[2].abort('backend_closed')
  attempts.finish(502, 0, 0, 'backend_closed')
  expect(attempts.failedAttempts).toMatchObject([
    { telephone: 'first', replicaId: 'r1', code: 'draining', atMs: 1000 },
    { telephone: 'second', code: 'telephone_lost', failure: { cause: 'session_lost' }, atMs: 1020 },
    { telephone: 'third', code: 'backend_closed', atMs: 1050 },
  ])
  expect(access).toMatchObject([{ status: 502, retries: 1, telephoneId: 'third' }])
})

it('records an attempt that was repeated because of its status, and reports no attempt of a healthy request', () => {
  attempts = attemptsOf(RETRIED_503)
  attempts.start()
  lines[0].opened[0]?.onHead({ status: 503, statusText: '', fields: [] })
  expect(attempts.failedAttempts).toMatchObject([{ telephone: 'first', code: '503', failure: undefined }])
  begin()
  attempts.start()
  lines[0].opened[0]?.onHead({ status: 200, statusText: '', fields: [] })
  attempts.finish(200, 0, 0, undefined)
  expect([attempts.failedAttempts, access[0]?.retries]).toEqual([undefined, undefined])
})

it('measures the time of the last attempt until its head, after the last byte of the request', () => {
  attempts.start()
  clock.advance(100)
  lines[0].abort('session_lost')
  clock.advance(200)
  attempts.bodyEnded()
  clock.advance(30)
  lines[1].opened[0]?.onHead({ status: 103, statusText: '', fields: [] })
  expect([attempts.headMs, attempts.backendUs]).toEqual([undefined, undefined])
  clock.advance(10)
  lines[1].opened[0]?.onHead({ status: 200, statusText: '', fields: [], backendUs: 25_000 })
  clock.advance(500)
  attempts.finish(200, 0, 5, undefined)
  expect([attempts.headMs, attempts.backendUs]).toEqual([40, 25_000])
})

it('has no time of an attempt that gets no head, although an earlier attempt had one', () => {
  attempts = attemptsOf(RETRIED_503)
  attempts.start()
  lines[0].opened[0]?.onHead({ status: 503, statusText: '', fields: [], backendUs: 7 })
  expect(owner.calls).toEqual(['opened', 'retry'])
  lines[1].abort('session_lost')
  expect([attempts.headMs, attempts.backendUs]).toEqual([undefined, undefined])
})

it('measures the time to the head from a decision that took time, and from a further attempt', () => {
  const head = { status: 200, statusText: '', fields: [] }
  attempts.isDelayed = true
  clock.advance(100)
  attempts.start()
  clock.advance(20)
  lines[0].opened[0]?.onHead(head)
  expect(attempts.headMs).toBe(20)
  begin()
  attempts.start()
  clock.advance(30)
  lines[0].abort('session_lost')
  clock.advance(7)
  lines[1].opened[0]?.onHead(head)
  expect(attempts.headMs).toBe(7)
})

it('tries the next line at once when a line refuses the stream, without a retry', () => {
  lines[0].refuses = 'draining'
  attempts.start()
  expect([owner.calls, active(), context.counters.retries]).toEqual([['opened'], [0, 1, 0], 0])
})

it.each<[string, Reason, (owner: RecordingOwner) => void]>([
  ['a timeout', 'backend_timeout', () => undefined],
  [
    'a failure after the response has started',
    'session_lost',
    each => {
      each.canReplay = false
    },
  ],
])(
  'fails after %s, with the cause in the access line and in the errors of the service',
  (_when, reason, set) => {
    attempts.start()
    set(owner)
    lines[0].abort(reason)
    const code = reason === 'session_lost' ? 'telephone_lost' : reason
    expect([owner.calls, active()]).toEqual([
      ['opened', `failed: ${code}`],
      [0, 0, 0],
    ])
    attempts.finish(504, 0, 0, 'backend_timeout')
    expect(access).toMatchObject([{ code: 'backend_timeout', telephoneId: 'first' }])
    expect(serviceErrors.lastOf(route.service.id)).toMatchObject({ code: 'backend_timeout' })
  },
)

it('fails with the error of the last attempt when the retries are used up', () => {
  attempts.start()
  lines[0].abort('refused')
  lines[1].abort('backend_closed')
  expect([owner.calls, active()]).toEqual([
    ['opened', 'retry', 'failed: backend_closed'],
    [0, 0, 0],
  ])
})

it('waits while lines are recovered, and opens no stream after the request has ended', () => {
  const recovery = new TestRecovery()
  recovery.unverified = true
  begin(recovery)
  attempts.start()
  expect([owner.calls, recovery.waiting.length]).toEqual([['hold'], 1])
  attempts.finish(499, 0, 0, undefined)
  recovery.unverified = false
  for (const step of recovery.waiting) step()
  expect([owner.calls, active()]).toEqual([['hold'], [0, 0, 0]])
})

it('reports the abort of a stream that the owner took, and does not reset that stream', () => {
  attempts.start()
  attempts.takeStream()
  attempts.finish(200, 0, 5, undefined)
  attempts.drop('cancelled')
  lines[0].abort('over_budget')
  expect([owner.calls, lines[0].resets]).toEqual([['opened', 'taken: over_budget'], []])
})

describe('the result of an attempt for the line picker', () => {
  const head = (status: number) => lines[0].opened[0]?.onHead({ status, statusText: '', fields: [] })
  const averageMs = () => processesIn(context.picker).map(({ latency }) => latency.ewmaMs)

  it('is the time from the sent request to the final head of the response', () => {
    attempts.start()
    clock.advance(20)
    head(103)
    clock.advance(30)
    head(200)
    clock.advance(1000)
    lines[0].opened[0]?.onEnd(undefined)
    // The other processes start at the median.
    expect(averageMs()).toEqual([50, 50, 50])
  })

  it('starts at the end of an upload, because a slow client is not a slow backend', () => {
    attempts.start()
    clock.advance(5000)
    attempts.bodyEnded()
    clock.advance(15)
    head(200)
    expect(averageMs()[0]).toBe(15)
  })

  it.each<Reason>(['session_lost', 'backend_closed', 'backend_unreachable'])(
    'is a failure after %s before the head, once',
    reason => {
      attempts.start()
      clock.advance(40)
      lines[0].abort(reason)
      expect(averageMs().filter(ms => ms === 40)).toHaveLength(1)
    },
  )

  it('is a failure when no head arrives in time', () => {
    attempts.start()
    clock.advance(30_000)
    attempts.timeOut('no head')
    expect(averageMs()[0]).toBe(30_000)
    expect(lines[0].resets).toEqual(['backend_timeout'])
  })

  it.each<Reason>(['client_share', 'draining', 'replaced', 'over_budget'])(
    'is absent after %s, which is not a fault of the process',
    reason => {
      attempts.start()
      lines[0].abort(reason)
      expect(averageMs()[0]).toBe(-1)
    },
  )

  it('is absent when the client cancels, and final after the head', () => {
    attempts.start()
    clock.advance(40)
    attempts.drop('cancelled')
    expect(averageMs()).toEqual([-1, -1, -1])
    begin()
    attempts.start()
    clock.advance(10)
    head(200)
    owner.canReplay = false
    clock.advance(500)
    lines[0].abort('backend_closed')
    expect(averageMs()[0]).toBe(10)
  })
})
