// The traffic of this replica in the last minutes or hours, for charts: all requests together, and the busiest services or routes. It reads
// the counters that /metrics reports, so a request costs nothing more. Viewers get each new point of the finest resolution. For
// services, in three resolutions:
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
  type TrafficCounters,
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

/** Routes are many, so they have a short history, of this resolution only: 10 minutes. */
export const ROUTE_RESOLUTION = { seconds: 10, length: 60 } as const

/** The largest number of services with a history. */
const MAX_SERVICES = 50
/** The largest number of routes with a history. */
const MAX_ROUTES = 1000
/** To compare names, their recent requests are multiplied by this each second: a request counts half after 70 s. */
const DECAY = 0.99
/** A name replaces the least busy one when it has this many times its recent requests. */
const BUSIER = 2
const SECOND_MS = 1000

interface HistoryBounds {
  /** The finest resolution is the first. Each other one is a multiple of it. */
  readonly resolutions: readonly { readonly seconds: number; readonly length: number }[]
  /** The largest number of names with a history. */
  readonly max: number
}
export const SERVICE_HISTORY: HistoryBounds = { resolutions: RESOLUTIONS, max: MAX_SERVICES }
export const ROUTE_HISTORY: HistoryBounds = { resolutions: [ROUTE_RESOLUTION], max: MAX_ROUTES }

export interface TrafficHistoryOptions extends HistoryBounds {
  readonly counters: () => Iterable<TrafficCounters>
  readonly clock: Clock
}

/** `point` is undefined for a name that this replica does not know. */
export type TrafficListener = (interval: number, point: TrafficPoint | undefined) => void

/** The traffic of one name, or of all. */
class Series {
  /** The counters at the end of the last interval of each resolution. */
  readonly before: readonly TrafficTotals[]
  /** Undefined while a name is watched, but has no place among the names with a history. */
  rings: readonly TrafficRing[] | undefined
  readonly listeners = new Set<TrafficListener>()
  /** Recent requests, for the comparison with other names. */
  busy = 0

  constructor(now: TrafficTotals, bounds: HistoryBounds, keepsHistory: boolean) {
    this.before = bounds.resolutions.map(() => {
      const totals = newTotals()
      addTotals(now, totals)
      return totals
    })
    if (keepsHistory) this.rings = newRings(bounds)
  }
}

const newRings = ({ resolutions }: HistoryBounds): readonly TrafficRing[] =>
  resolutions.map(({ length }) => new TrafficRing(length))

export class TrafficHistory {
  readonly #options: TrafficHistoryOptions
  readonly #total: Series
  readonly #named = new Map<string, Series>()
  /** Names with a history. */
  #kept = 0
  /** The name with a history that had the fewest requests, as found in this sample. One search for each sample: it reads all names. */
  #idlest: [name: string, series: Series] | undefined
  /** Recent requests of names without a series. Its size is bounded by the number of names with counters. */
  readonly #others = new Map<string, { seen: number; busy: number }>()
  /** The interval in progress, by resolution. */
  readonly #current: number[]
  #timer: Timer | undefined
  readonly #sum = newTotals()
  readonly #one = newTotals()
  readonly #increase = newTotals()

  constructor(options: TrafficHistoryOptions) {
    this.#options = options
    this.#total = new Series(newTotals(), options, true)
    const second = this.#second
    this.#current = options.resolutions.map(({ seconds }) => Math.floor(second / seconds))
    this.#schedule()
  }

  /** Names with a history. */
  get names(): readonly string[] {
    return [...this.#named].flatMap(([name, { rings }]) => (rings === undefined ? [] : [name]))
  }

  /** True when a further name gets a history only in the place of a less busy one. */
  get isFull(): boolean {
    return this.#kept >= this.#options.max
  }

  /**
   * Returns the points of the intervals from `from` to before `until`; undefined for an interval without a point. `name`: undefined for all
   * requests. Intervals count from 1970.
   */
  read(
    resolution: Resolution,
    name: string | undefined,
    from: number,
    until: number,
  ): readonly (TrafficPoint | undefined)[] {
    const index = this.#options.resolutions.findIndex(({ seconds }) => seconds === resolution)
    const series = name === undefined ? this.#total : this.#named.get(name)
    const ring = series?.rings?.[index]
    return Array.from({ length: until - from }, (_, offset) => ring?.get(from + offset))
  }

  /** Calls `listener` for each interval of the finest resolution. Returns a function that ends the calls. */
  watch(name: string | undefined, listener: TrafficListener): () => void {
    const series = name === undefined ? this.#total : this.#seriesOf(name)
    series.listeners.add(listener)
    return () => {
      series.listeners.delete(listener)
      if (name !== undefined) this.#removeUnused(name, series)
    }
  }

  stop(): void {
    this.#timer?.cancel()
  }

  get #second(): number {
    return Math.floor(this.#options.clock.wallTime() / SECOND_MS)
  }

  #secondsOf(resolution: number): number {
    return this.#options.resolutions[resolution]?.seconds ?? 1
  }

  #schedule(): void {
    const periodMs = this.#secondsOf(0) * SECOND_MS
    const waitMs = periodMs - (this.#options.clock.wallTime() % periodMs)
    this.#timer = this.#options.clock.after(waitMs, () => {
      this.#schedule()
      this.#sample()
    })
  }

  #sample(): void {
    const second = this.#second
    const spans = this.#current.map((from, index) => {
      const until = Math.floor(second / this.#secondsOf(index))
      this.#current[index] = until
      return { from, until }
    })
    // A timer can run a moment before the interval ends. The next timer then reads the whole interval.
    if (spans[0]?.from === spans[0]?.until) return
    clearTotals(this.#sum)
    this.#idlest = undefined
    const known = new Set<string>()
    for (const counters of this.#options.counters()) {
      clearTotals(this.#one)
      counters.addTo(this.#one)
      addTotals(this.#one, this.#sum)
      const { historyKey } = counters
      if (historyKey === undefined) continue
      known.add(historyKey)
      const series = this.#named.get(historyKey) ?? this.#compare(historyKey, this.#one)
      if (series === undefined) continue
      // A name that was watched before its first request gets a history like any other one.
      const { rings, busy, before } = series
      const recent = busy + Math.max(0, requestsOf(this.#one) - requestsOf(before[0] as TrafficTotals))
      if (rings === undefined && recent > 0 && this.#makePlace(recent)) this.#keep(series)
      this.#extend(series, this.#one, spans)
    }
    this.#extend(this.#total, this.#sum, spans)
    this.#forget(known, (spans[0]?.until ?? 0) - 1)
  }

  #extend(series: Series, now: TrafficTotals, spans: readonly Span[]): void {
    for (const [index, { from, until }] of spans.entries()) {
      if (from === until) continue
      takeIncrease(now, series.before[index] as TrafficTotals, this.#increase)
      const intervals = until - from
      const point = dividePoint(pointOf(this.#increase), Math.max(1, intervals))
      // After a longer pause of the process, the intervals share the requests equally.
      const first = Math.max(from, until - (this.#options.resolutions[index]?.length ?? 0))
      for (let interval = first; interval < until; interval += 1) series.rings?.[index]?.set(interval, point)
      if (index > 0) continue
      series.busy = series.busy * DECAY + requestsOf(this.#increase)
      for (const listener of series.listeners) listener(until - 1, point)
    }
  }

  /** Gives a history to a name when a place is free, or when the name is much busier than the least busy one. */
  #compare(name: string, now: TrafficTotals): Series | undefined {
    const requests = requestsOf(now)
    const known = this.#others.get(name)
    // The counters of a new name were 0 at the last sample.
    const { seen, busy } = known ?? { seen: 0, busy: 0 }
    // A lower count shows that the counters began again at 0.
    const recent = busy * DECAY + (requests < seen ? requests : requests - seen)
    this.#others.set(name, { seen: requests, busy: recent })
    if (recent === 0 || !this.#makePlace(recent)) return undefined
    this.#others.delete(name)
    const series = new Series(seen === 0 ? newTotals() : now, this.#options, false)
    this.#keep(series)
    series.busy = recent
    this.#named.set(name, series)
    return series
  }

  #keep(series: Series): void {
    series.rings = newRings(this.#options)
    this.#kept += 1
  }

  #makePlace(busy: number): boolean {
    if (!this.isFull) return true
    this.#idlest ??= this.#findIdlest()
    if (this.#idlest === undefined) return false
    const [name, idlest] = this.#idlest
    if (busy < BUSIER * idlest.busy) return false
    this.#idlest = undefined
    idlest.rings = undefined
    this.#kept -= 1
    this.#removeUnused(name, idlest)
    return true
  }

  /** Returns the name with a history that had the fewest requests. */
  #findIdlest(): [name: string, series: Series] | undefined {
    let found: [string, Series] | undefined
    for (const [name, series] of this.#named) {
      if (series.rings !== undefined && (found === undefined || series.busy < found[1].busy))
        found = [name, series]
    }
    return found
  }

  /** Removes a series that has neither a history nor a viewer. */
  #removeUnused(name: string, { rings, listeners, before, busy }: Series): void {
    if (rings !== undefined || listeners.size > 0) return
    this.#named.delete(name)
    this.#others.set(name, { seen: requestsOf(before[0] as TrafficTotals), busy })
  }

  #seriesOf(name: string): Series {
    const known = this.#named.get(name)
    if (known !== undefined) return known
    const now = newTotals()
    for (const counters of this.#options.counters()) if (counters.historyKey === name) counters.addTo(now)
    const series = new Series(now, this.#options, false)
    this.#named.set(name, series)
    this.#others.delete(name)
    return series
  }

  /** Removes names that no longer have counters. Names with a viewer stay. */
  #forget(known: ReadonlySet<string>, interval: number): void {
    for (const name of this.#others.keys()) if (!known.has(name)) this.#others.delete(name)
    for (const [name, series] of this.#named) {
      if (known.has(name)) continue
      for (const listener of series.listeners) listener(interval, undefined)
      if (series.listeners.size > 0) continue
      this.#named.delete(name)
      if (series.rings !== undefined) this.#kept -= 1
    }
  }
}

interface Span {
  readonly from: number
  readonly until: number
}
