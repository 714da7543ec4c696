// The traffic of this replica in the last 24 hours, for charts: all requests, and the busiest services, in three resolutions. Once a
// second it reads the counters that /metrics reports, so a request costs nothing more. Viewers get each new point of a second.
//
//   counters ──1 s──▶ increase ──▶ ring of 10 min ──▶ feeds of viewers
//            ──10 s─▶ increase ──▶ ring of 2 h
//            ──1 min▶ increase ──▶ ring of 24 h

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import {
  addTotals,
  clearTotals,
  newTotals,
  requestsOf,
  type TrafficTotals,
  takeIncrease,
} from '../../metrics/traffic-totals.ts'
import { pointOf } from './point-of-totals.ts'
import { dividePoint, type TrafficPoint } from './traffic-point.ts'
import { TrafficRing } from './traffic-ring.ts'

/** `seconds`: of an interval. `length`: the number of intervals that are kept. */
export const RESOLUTIONS = [
  { seconds: 1, length: 600 },
  { seconds: 10, length: 720 },
  { seconds: 60, length: 1440 },
] as const
export type Resolution = (typeof RESOLUTIONS)[number]['seconds']

/** The largest number of services with a history. */
const MAX_SERVICES = 50
/** To compare services, their recent requests are multiplied by this each second: a request counts half after 70 s. */
const DECAY = 0.99
/** A service replaces the least busy one when it has this many times its recent requests. */
const BUSIER = 2
const SECOND_MS = 1000

/** The counters of one service. */
export interface TrafficCounters {
  /** Empty: requests without a service. A name that begins with _ stands for all services without counters of their own. */
  readonly service: string
  addTo(totals: TrafficTotals): void
}

export interface TrafficHistoryOptions {
  readonly counters: () => Iterable<TrafficCounters>
  readonly clock: Clock
  readonly maxServices?: number | undefined
}

/** `point` is undefined for a service that this replica does not know. */
export type TrafficListener = (second: number, point: TrafficPoint | undefined) => void

/** The traffic of one service, or of all. */
class Series {
  /** The counters at the end of the last interval of each resolution. */
  readonly before: readonly TrafficTotals[]
  /** Undefined while a service is watched, but has no place among the services with a history. */
  rings: readonly TrafficRing[] | undefined
  readonly listeners = new Set<TrafficListener>()
  /** Recent requests, for the comparison with other services. */
  busy = 0

  constructor(now: TrafficTotals, keepsHistory: boolean) {
    this.before = RESOLUTIONS.map(() => {
      const totals = newTotals()
      addTotals(now, totals)
      return totals
    })
    if (keepsHistory) this.rings = newRings()
  }
}

const newRings = (): readonly TrafficRing[] => RESOLUTIONS.map(({ length }) => new TrafficRing(length))

export class TrafficHistory {
  readonly #options: TrafficHistoryOptions
  readonly #total = new Series(newTotals(), true)
  readonly #services = new Map<string, Series>()
  /** Recent requests of services without a series. Its size is bounded by the number of services with counters. */
  readonly #others = new Map<string, { seen: number; busy: number }>()
  /** The interval in progress, by resolution. */
  readonly #current: number[]
  #timer: Timer | undefined
  readonly #sum = newTotals()
  readonly #one = newTotals()
  readonly #increase = newTotals()

  constructor(options: TrafficHistoryOptions) {
    this.#options = options
    const second = this.#second
    this.#current = RESOLUTIONS.map(({ seconds }) => Math.floor(second / seconds))
    this.#schedule()
  }

  /** Services with a history. */
  get services(): readonly string[] {
    return [...this.#services].flatMap(([name, { rings }]) => (rings === undefined ? [] : [name]))
  }

  /**
   * Returns the points of the intervals from `from` to before `until`; undefined where there is none. `service`: undefined for all
   * requests. Intervals count from 1970.
   */
  read(
    resolution: Resolution,
    service: string | undefined,
    from: number,
    until: number,
  ): readonly (TrafficPoint | undefined)[] {
    const index = RESOLUTIONS.findIndex(({ seconds }) => seconds === resolution)
    const series = service === undefined ? this.#total : this.#services.get(service)
    const ring = series?.rings?.[index]
    return Array.from({ length: until - from }, (_, offset) => ring?.get(from + offset))
  }

  /** Calls `listener` for each second. Returns a function that ends the calls. */
  watch(service: string | undefined, listener: TrafficListener): () => void {
    const series = service === undefined ? this.#total : this.#seriesOf(service)
    series.listeners.add(listener)
    return () => {
      series.listeners.delete(listener)
      if (service !== undefined) this.#removeUnused(service, series)
    }
  }

  stop(): void {
    this.#timer?.cancel()
  }

  get #second(): number {
    return Math.floor(this.#options.clock.wallTime() / SECOND_MS)
  }

  #schedule(): void {
    const waitMs = SECOND_MS - (this.#options.clock.wallTime() % SECOND_MS)
    this.#timer = this.#options.clock.after(waitMs, () => {
      this.#schedule()
      this.#sample()
    })
  }

  #sample(): void {
    const second = this.#second
    const spans = this.#current.map((from, index) => {
      const until = Math.floor(second / RESOLUTIONS[index]!.seconds)
      this.#current[index] = until
      return { from, until }
    })
    // A timer can run a moment before the second ends. The next timer then reads the whole interval.
    if (spans[0]?.from === spans[0]?.until) return
    clearTotals(this.#sum)
    const known = new Set<string>()
    for (const counters of this.#options.counters()) {
      clearTotals(this.#one)
      counters.addTo(this.#one)
      addTotals(this.#one, this.#sum)
      const { service } = counters
      if (service === '' || service.startsWith('_')) continue
      known.add(service)
      const series = this.#services.get(service) ?? this.#compare(service, this.#one)
      if (series === undefined) continue
      // A service that was watched before its first request gets a history like any other one.
      const { rings, busy, before } = series
      const recent = busy + Math.max(0, requestsOf(this.#one) - requestsOf(before[0] as TrafficTotals))
      if (rings === undefined && recent > 0 && this.#makePlace(recent)) series.rings = newRings()
      this.#extend(series, this.#one, spans)
    }
    this.#extend(this.#total, this.#sum, spans)
    this.#forget(known, second)
  }

  #extend(series: Series, now: TrafficTotals, spans: readonly Span[]): void {
    for (const [index, { from, until }] of spans.entries()) {
      if (from === until) continue
      takeIncrease(now, series.before[index] as TrafficTotals, this.#increase)
      const intervals = until - from
      const point = dividePoint(pointOf(this.#increase), Math.max(1, intervals))
      // After a longer pause of the process, the intervals share the requests equally.
      const first = Math.max(from, until - RESOLUTIONS[index]!.length)
      for (let interval = first; interval < until; interval += 1) series.rings?.[index]?.set(interval, point)
      if (index > 0) continue
      series.busy = series.busy * DECAY + requestsOf(this.#increase)
      for (const listener of series.listeners) listener(until - 1, point)
    }
  }

  /** Gives a history to a service when a place is free, or when the service is much busier than the least busy one. */
  #compare(service: string, now: TrafficTotals): Series | undefined {
    const requests = requestsOf(now)
    const known = this.#others.get(service)
    // The counters of a new service began at 0 after the last sample.
    const { seen, busy } = known ?? { seen: 0, busy: 0 }
    // A lower count shows that the counters began again at 0.
    const recent = busy * DECAY + (requests < seen ? requests : requests - seen)
    this.#others.set(service, { seen: requests, busy: recent })
    if (recent === 0 || !this.#makePlace(recent)) return undefined
    this.#others.delete(service)
    const series = new Series(known === undefined ? newTotals() : now, true)
    series.busy = recent
    this.#services.set(service, series)
    return series
  }

  #makePlace(busy: number): boolean {
    const { maxServices = MAX_SERVICES } = this.#options
    const kept = [...this.#services].filter(([, { rings }]) => rings !== undefined)
    if (kept.length < maxServices) return true
    const [name, idlest] = kept.reduce((least, each) => (each[1].busy < least[1].busy ? each : least))
    if (busy < BUSIER * idlest.busy) return false
    idlest.rings = undefined
    this.#removeUnused(name, idlest)
    return true
  }

  /** Removes a series that has neither a history nor a viewer. */
  #removeUnused(service: string, { rings, listeners, before, busy }: Series): void {
    if (rings !== undefined || listeners.size > 0) return
    this.#services.delete(service)
    this.#others.set(service, { seen: requestsOf(before[0] as TrafficTotals), busy })
  }

  #seriesOf(service: string): Series {
    const known = this.#services.get(service)
    if (known !== undefined) return known
    const now = newTotals()
    for (const counters of this.#options.counters()) if (counters.service === service) counters.addTo(now)
    const series = new Series(now, false)
    this.#services.set(service, series)
    this.#others.delete(service)
    return series
  }

  /** Removes services that no longer have counters. Services with a viewer stay. */
  #forget(known: ReadonlySet<string>, second: number): void {
    for (const name of this.#others.keys()) if (!known.has(name)) this.#others.delete(name)
    for (const [name, series] of this.#services) {
      if (known.has(name)) continue
      for (const listener of series.listeners) listener(second - 1, undefined)
      if (series.listeners.size === 0) this.#services.delete(name)
    }
  }
}

interface Span {
  readonly from: number
  readonly until: number
}
