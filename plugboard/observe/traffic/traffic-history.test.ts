import { Histogram, PART_BOUNDARIES } from '@vera-stack/shared/metrics/histogram.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { addHistogram, type TrafficTotals } from '../../metrics/traffic-totals.ts'
import { RESOLUTIONS, TrafficHistory } from './traffic-history.ts'

/** Seconds since 1970 of the first sample: the begin of a minute. */
const START = 1_700_000_040

class Counters {
  readonly historyKey: string | undefined
  requests = 0
  failed = 0
  readonly #head = new Histogram(PART_BOUNDARIES)

  constructor(service: string) {
    this.historyKey = service === '' || service === '_other' ? undefined : service
  }

  request(seconds = 0.02): void {
    this.requests += 1
    this.#head.observe(seconds)
  }

  addTo(totals: TrafficTotals): void {
    totals.classes[0]! += this.requests
    totals.classes[3]! += this.failed
    addHistogram(this.#head, totals.head)
  }
}

let clock: ManualClock
let counters: Map<string, Counters>
let history: TrafficHistory
beforeEach(() => {
  clock = new ManualClock(0, START * 1000)
  counters = new Map()
  history = new TrafficHistory({ counters: () => counters.values(), clock, resolutions: RESOLUTIONS, max: 2 })
})
afterEach(() => {
  history.stop()
  expect(clock.pendingTimers).toBe(0)
})

function send(service: string, requests = 1): void {
  const known = counters.get(service) ?? new Counters(service)
  counters.set(service, known)
  for (let sent = 0; sent < requests; sent += 1) known.request()
}
const requests = (resolution: 1 | 10 | 60, service: string | undefined, from: number, until: number) =>
  history.read(resolution, service, from, until).map(point => point?.classes[0])

test('keeps the requests of each second, of all services and of each one', () => {
  send('a')
  clock.advance(1000)
  send('a', 2)
  send('b', 3)
  send('', 4)
  clock.advance(1000)
  clock.advance(1000)
  expect(requests(1, undefined, START - 1, START + 4)).toEqual([undefined, 1, 9, 0, undefined])
  expect(requests(1, 'a', START, START + 3)).toEqual([1, 2, 0])
  expect(requests(1, 'b', START, START + 3)).toEqual([undefined, 3, 0])
  expect(history.names).toEqual(['a', 'b'])
})

test('keeps sums for 10 seconds and for a minute', () => {
  for (let second = 0; second < 120; second += 1) {
    send('a', 2)
    clock.advance(1000)
  }
  const ten = START / 10
  expect(requests(10, undefined, ten, ten + 13)).toEqual([...Array.from({ length: 12 }, () => 20), undefined])
  expect(requests(60, undefined, START / 60, START / 60 + 3)).toEqual([120, 120, undefined])
  const [point] = history.read(60, undefined, START / 60, START / 60 + 1)
  expect((point?.parts?.[2] ?? 0) / 20).toBeCloseTo(1, 1)
})

test('shares the requests of a pause equally among its seconds', () => {
  clock.advance(1000)
  send('a', 8)
  clock.freeze(4000)
  clock.advance(0)
  expect(requests(1, undefined, START, START + 6)).toEqual([0, 2, 2, 2, 2, undefined])
})

test('continues after the clock was set back', () => {
  let offset = 0
  const wall = { ...clockOf(), wallTime: () => clock.wallTime() + offset }
  history.stop()
  history = new TrafficHistory({
    counters: () => counters.values(),
    clock: wall,
    resolutions: RESOLUTIONS,
    max: 2,
  })
  send('a')
  clock.advance(1000)
  offset = -100_000
  clock.advance(1000)
  send('a', 3)
  clock.advance(1000)
  expect(requests(1, undefined, START - 99, START - 97)).toContain(3)
})

const clockOf = () => ({
  now: () => clock.now(),
  wallTime: () => clock.wallTime(),
  after: (delayMs: number, task: () => void) => clock.after(delayMs, task),
})

test('gives the places to the busiest services', () => {
  for (let second = 0; second < 30; second += 1) {
    send('calm')
    send('middle', 5)
    clock.advance(1000)
  }
  expect(history.names.toSorted()).toEqual(['calm', 'middle'])
  for (let second = 0; second < 30; second += 1) {
    send('calm')
    send('middle', 5)
    send('busy', 50)
    clock.advance(1000)
  }
  expect(history.names.toSorted()).toEqual(['busy', 'middle'])
})

test('has no history of a deleted service, nor of services without counters of their own', () => {
  send('a')
  clock.advance(1000)
  send('a')
  send('_other')
  clock.advance(1000)
  send('_other')
  clock.advance(1000)
  expect(history.names).toEqual(['a'])
  counters.delete('a')
  clock.advance(1000)
  expect(history.names).toEqual([])
})

test('counts from 0 when the counters of a service have begun again', () => {
  send('a', 5)
  clock.advance(2000)
  send('a', 5)
  clock.advance(1000)
  counters.delete('a')
  send('a', 3)
  clock.advance(1000)
  expect(requests(1, 'a', START + 3, START + 4)).toEqual([3])
})

test('a viewer gets each second, also of a service without a history', () => {
  const seen: unknown[] = []
  for (const name of ['a', 'b']) send(name, 9)
  clock.advance(1000)
  for (const name of ['a', 'b']) send(name, 9)
  clock.advance(1000)
  send('rare')
  const stop = history.watch('rare', (second, point) => seen.push([second - START, point?.classes[0]]))
  clock.advance(1000)
  send('rare', 2)
  clock.advance(1000)
  stop()
  clock.advance(1000)
  expect(seen).toEqual([
    [2, 0],
    [3, 2],
  ])
  expect(history.names).toEqual(['a', 'b'])
  expect(requests(1, 'rare', START + 3, START + 4)).toEqual([undefined])
})

test('a watched service without a history gets one when there is a place', () => {
  const stop = history.watch('a', () => undefined)
  clock.advance(1000)
  expect(history.names).toEqual([])
  send('a', 3)
  clock.advance(1000)
  send('a', 4)
  clock.advance(1000)
  expect(history.names).toEqual(['a'])
  expect(requests(1, 'a', START + 1, START + 3)).toEqual([3, 4])
  stop()
  expect(history.names).toEqual(['a'])
})

test('a viewer of an unknown service gets seconds without a point', () => {
  const seen: unknown[] = []
  const stop = history.watch('none', (second, point) => seen.push([second - START, point]))
  clock.advance(2000)
  stop()
  expect(seen).toEqual([
    [0, undefined],
    [1, undefined],
  ])
})
