import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import { beforeEach, expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asServiceId } from '../../common/ids/row-ids.ts'
import { ServiceDecisions } from '../../common/service-decisions.ts'
import { createProxyCounters, type ProxyCounters } from '../counters.ts'
import { type WaitingPlace, type WaitingRequest, WaitingRequests } from './waiting-requests.ts'

const WEB = asServiceId('id-web')

let clock: ManualClock
let counters: ProxyCounters
let decisions: ServiceDecisions
let listeners: Set<() => void>
let waiting: WaitingRequests

class Request implements WaitingRequest {
  readonly serviceId = WEB
  readonly service = 'web'
  readonly client: string
  policy: WaitingRequest['policy'] = { queue: { max: 10, timeoutMs: 1000 }, holdMs: 5000 }
  /** The result of `tryStart`. */
  code: ErrorCode | undefined
  tries = 0
  failedWith: string | undefined

  constructor(client = '') {
    this.client = client
  }

  tryStart(): ErrorCode | undefined {
    this.tries += 1
    return this.code
  }

  waitFailed(code: ErrorCode): void {
    this.failedWith = code
  }

  wait(code: ErrorCode): WaitingPlace | ErrorCode {
    this.code = code
    const result = waiting.add(this, code)
    return result.kind === 'waits' ? result.place : result.code
  }
}

beforeEach(() => {
  clock = new ManualClock()
  counters = createProxyCounters()
  decisions = new ServiceDecisions()
  listeners = new Set()
  waiting = new WaitingRequests({
    clock,
    counters,
    decisions,
    clientSharePercent: 75,
    whenLinesChange: listener => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  })
})

const linesChange = async () => {
  for (const listener of listeners) listener()
  await Promise.resolve()
}
const streamEnds = async () => {
  waiting.streamEnded(WEB)
  await Promise.resolve()
}

it('follows the lines and keeps timers only while requests wait', async () => {
  const [queued, held] = [new Request(), new Request()]
  queued.wait('overloaded')
  const place = held.wait('no_telephone') as WaitingPlace
  expect([waiting.size, clock.pendingTimers, listeners.size]).toEqual([2, 2, 1])
  waiting.remove(place)
  waiting.remove(place)
  queued.code = undefined
  await streamEnds()
  expect([waiting.size, clock.pendingTimers, listeners.size, queued.failedWith]).toEqual([0, 0, 0, undefined])
})

it('stops at the first request that no process takes', async () => {
  const requests = [new Request(), new Request(), new Request()]
  for (const request of requests) request.wait('overloaded')
  await streamEnds()
  requests[0]!.code = undefined
  await streamEnds()
  expect(requests.map(({ tries }) => tries)).toEqual([2, 1, 0])
})

it('tries the list once for several events of one turn', async () => {
  const request = new Request()
  request.wait('overloaded')
  waiting.streamEnded(WEB)
  waiting.streamEnded(WEB)
  await linesChange()
  expect(request.tries).toBe(1)
})

it('bounds the wait of a request while a full telephone connects and disconnects again and again', async () => {
  const request = new Request()
  request.wait('overloaded')
  for (let round = 0; round < 100; round += 1) {
    request.code = round % 2 === 0 ? 'no_telephone' : 'overloaded'
    clock.advance(100)
    await linesChange()
  }
  expect([request.failedWith, waiting.size, clock.pendingTimers]).toEqual(['overloaded', 0, 0])
  expect([request.tries, counters.queued, counters.held]).toEqual([10, 1, 1])
})

it('turns a hold into a place in the queue, as far as the queue has places, and fails the rest', async () => {
  const requests = Array.from({ length: 12 }, () => new Request())
  for (const request of requests) request.wait('no_telephone')
  clock.advance(4500)
  requests[0]!.code = 'overloaded'
  await linesChange()
  expect(requests.map(({ failedWith }) => failedWith)).toEqual([
    ...Array(10).fill(undefined),
    'overloaded',
    'overloaded',
  ])
  clock.advance(999)
  expect(waiting.size).toBe(10)
  clock.advance(1)
  expect([waiting.size, counters.queueTimeouts, counters.holdTimeouts]).toEqual([0, 10, 0])
})

it('holds queued requests when the last telephone disconnects, and fails the others, which may not hold', async () => {
  const [first, second] = [new Request(), new Request()]
  second.policy = { queue: { max: 10, timeoutMs: 1000 }, holdMs: 0 }
  first.wait('overloaded')
  second.wait('overloaded')
  first.code = 'no_telephone'
  await linesChange()
  expect([first.failedWith, second.failedWith]).toEqual([undefined, 'no_telephone'])
  expect(waiting.errorOf(WEB)).toBe('no_telephone')
  clock.advance(4999)
  expect(first.failedWith).toBe(undefined)
  clock.advance(1)
  expect(first.failedWith).toBe('no_telephone')
})

it('counts each wait of a service with its time, by kind', async () => {
  const [queued, held, late] = [new Request(), new Request(), new Request()]
  queued.wait('overloaded')
  late.wait('overloaded')
  held.wait('no_telephone')
  expect(waiting.waitingOf(WEB)).toEqual({ queue: 2, hold: 1 })
  clock.advance(400)
  queued.code = undefined
  await streamEnds()
  clock.advance(600)
  held.code = undefined
  await linesChange()
  expect(waiting.waitingOf(WEB)).toEqual({ queue: 0, hold: 0 })
  expect(decisions.read(WEB)).toMatchObject({
    ...{ queueWaits: 2, queueWaitMs: 1400, queueTimeouts: 1, queueFull: 0 },
    ...{ holdWaits: 1, holdWaitMs: 1000, holdTimeouts: 0 },
  })
})

it('refuses requests without a place, and those whose service does not let them wait', () => {
  for (let count = 0; count < 10; count += 1) new Request().wait('overloaded')
  expect(new Request().wait('overloaded')).toBe('overloaded')
  expect([counters.queueFull, decisions.read(WEB).queueFull]).toEqual([1, 1])
  const hasty = new Request()
  hasty.policy = { queue: null, holdMs: 0 }
  expect([hasty.wait('overloaded'), hasty.wait('no_telephone')]).toEqual(['overloaded', 'no_telephone'])
  expect(new Request().wait('service_unhealthy')).toBe('service_unhealthy')
})

it('bounds the requests that wait for a telephone', () => {
  for (let count = 0; count < 5000; count += 1) new Request().wait('no_telephone')
  expect(new Request().wait('no_telephone')).toBe('no_telephone')
  expect(waiting.size).toBe(5000)
})

it('gives one client at most its share of the places', () => {
  for (let count = 0; count < 7; count += 1) new Request('a').wait('overloaded')
  expect(new Request('a').wait('overloaded')).toBe('concurrency_limited')
  expect(new Request('b').wait('overloaded')).toMatchObject({ kind: 'queue' })
})

it('tries the next client when one holds its share of the streams', async () => {
  const [limited, same, other] = [new Request('a'), new Request('a'), new Request('b')]
  for (const request of [limited, same, other]) request.wait('overloaded')
  limited.code = 'concurrency_limited'
  other.code = undefined
  await streamEnds()
  expect([limited, same, other].map(({ tries }) => tries)).toEqual([1, 0, 1])
  expect(waiting.size).toBe(2)
})
