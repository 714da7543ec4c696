// The points of one service in one resolution: a ring of typed arrays, 30 bytes for each point. Times are kept in one byte each, on a
// logarithmic scale (within 4 %).

import { NO_TRAFFIC, type TrafficPoint } from './traffic-point.ts'

/** Counts of a point: four classes, bytes in two directions. */
const COUNTS = 6
/** Times of a point: three quantiles, three parts. */
const TIMES = 6
export const POINT_BYTES = COUNTS * Float32Array.BYTES_PER_ELEMENT + TIMES

/** The smallest time of the scale, ms. The largest one is about 20 minutes. */
const SMALLEST_MS = 0.05
const STEP = Math.log(1.07)
/** The byte of a point without times. */
const NONE = 0

export class TrafficRing {
  readonly #length: number
  readonly #counts: Float32Array
  readonly #times: Uint8Array
  /** The interval of the newest point. */
  #newest: number | undefined
  #oldest = 0

  /** `length`: the number of points that it holds. */
  constructor(length: number) {
    this.#length = length
    this.#counts = new Float32Array(length * COUNTS)
    this.#times = new Uint8Array(length * TIMES)
  }

  /** `interval`: the number of the interval since 1970. Intervals between the newest one and this one are without traffic. */
  set(interval: number, point: TrafficPoint): void {
    // After the wall clock was set back, the points of later intervals are wrong.
    if (this.#newest === undefined || interval < this.#newest) this.#oldest = interval
    else if (interval - this.#newest >= this.#length) this.#oldest = interval - this.#length + 1
    for (
      let skipped = Math.max(this.#oldest, (this.#newest ?? interval) + 1);
      skipped < interval;
      skipped += 1
    )
      this.#write(skipped, NO_TRAFFIC)
    this.#write(interval, point)
    this.#newest = interval
    this.#oldest = Math.max(this.#oldest, interval - this.#length + 1)
  }

  /** Returns the point of an interval; undefined when the ring does not cover it. */
  get(interval: number): TrafficPoint | undefined {
    if (this.#newest === undefined || interval > this.#newest || interval < this.#oldest) return undefined
    const at = (interval % this.#length) * COUNTS
    const [ok = 0, redirect = 0, client = 0, server = 0, requestBytes = 0, responseBytes = 0] =
      this.#counts.subarray(at, at + COUNTS)
    const from = (interval % this.#length) * TIMES
    const [p50 = 0, p95 = 0, p99 = 0, wait = 0, tunnel = 0, backend = 0] = this.#times.subarray(
      from,
      from + TIMES,
    )
    const hasTimes = p50 !== NONE
    return {
      classes: [ok, redirect, client, server],
      requestBytes,
      responseBytes,
      quantiles: hasTimes ? [milliseconds(p50), milliseconds(p95), milliseconds(p99)] : null,
      parts: hasTimes ? [milliseconds(wait), milliseconds(tunnel), milliseconds(backend)] : null,
    }
  }

  #write(interval: number, { classes, requestBytes, responseBytes, quantiles, parts }: TrafficPoint): void {
    const index = interval % this.#length
    this.#counts.set([...classes, requestBytes, responseBytes], index * COUNTS)
    const times = quantiles === null || parts === null ? [] : [...quantiles, ...parts].map(scaled)
    this.#times.fill(NONE, index * TIMES, (index + 1) * TIMES)
    this.#times.set(times, index * TIMES)
  }
}

/** 1: less than the smallest time. */
function scaled(ms: number): number {
  if (ms < SMALLEST_MS) return 1
  return Math.min(255, 2 + Math.round(Math.log(ms / SMALLEST_MS) / STEP))
}

const milliseconds = (byte: number): number => (byte <= 1 ? 0 : SMALLEST_MS * Math.exp((byte - 2) * STEP))
