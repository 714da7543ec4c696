// The traffic of one service, or of all, in an interval: a point of a chart. Points of several replicas, or of several intervals, are
// merged. Quantiles of a merged point are estimates, because a point has three of them and not the durations themselves. The
// dashboard uses this file too, so it imports nothing.

export interface TrafficPoint {
  /** Requests that ended in the interval: 1xx and 2xx, 3xx, 4xx, 5xx. */
  readonly classes: readonly [number, number, number, number]
  readonly requestBytes: number
  readonly responseBytes: number
  /** Times to the head of the response, ms. Null: no response head was sent in the interval. */
  readonly quantiles: readonly [p50: number, p95: number, p99: number] | null
  /** Mean times of a request, ms: the wait for a line, the tunnel, the backend. Null: as above. */
  readonly parts: readonly [wait: number, tunnel: number, backend: number] | null
}

export const NO_TRAFFIC: TrafficPoint = {
  classes: [0, 0, 0, 0],
  requestBytes: 0,
  responseBytes: 0,
  quantiles: null,
  parts: null,
}

/**
 * A point as viewers and other replicas receive it: four classes, bytes of requests, and bytes of responses. A point with times has three
 * quantiles and three parts after them.
 */
export type WirePoint =
  | [number, number, number, number, number, number]
  | [number, number, number, number, number, number, number, number, number, number, number, number]

export function wirePoint({
  classes,
  requestBytes,
  responseBytes,
  quantiles,
  parts,
}: TrafficPoint): WirePoint {
  const counts = [
    rounded(classes[0]),
    rounded(classes[1]),
    rounded(classes[2]),
    rounded(classes[3]),
    Math.round(requestBytes),
    Math.round(responseBytes),
  ] as const
  if (quantiles === null || parts === null) return [...counts]
  const [p50, p95, p99] = quantiles
  const [wait, tunnel, backend] = parts
  return [
    ...counts,
    rounded(p50),
    rounded(p95),
    rounded(p99),
    rounded(wait),
    rounded(tunnel),
    rounded(backend),
  ]
}

export function pointOfWire(wire: WirePoint): TrafficPoint {
  const [ok, redirect, client, server, requestBytes, responseBytes] = wire
  const counts = { classes: [ok, redirect, client, server] as const, requestBytes, responseBytes }
  if (wire.length === 6) return { ...counts, quantiles: null, parts: null }
  return { ...counts, quantiles: [wire[6], wire[7], wire[8]], parts: [wire[9], wire[10], wire[11]] }
}

/** Returns the points of consecutive intervals for another replica. Null: the replica has none for the interval. */
export function wirePoints(points: readonly (TrafficPoint | undefined)[]): (WirePoint | null)[] {
  return points.map(point => (point === undefined ? null : wirePoint(point)))
}

export function pointsOfWire(points: readonly (WirePoint | null)[]): (TrafficPoint | undefined)[] {
  return points.map(point => (point === null ? undefined : pointOfWire(point)))
}

const rounded = (value: number): number => Math.round(value * 100) / 100

/** Returns the point of several intervals or replicas together. Each mean and each quantile counts by its requests. */
export function mergePoints(points: readonly TrafficPoint[]): TrafficPoint {
  const [first, second] = points
  if (first === undefined) return NO_TRAFFIC
  if (second === undefined) return first
  const sum = (of: (point: TrafficPoint) => number): number =>
    points.reduce((total, point) => total + of(point), 0)
  const timed = points.flatMap(({ classes, quantiles, parts }) => {
    const weight = classes[0] + classes[1] + classes[2] + classes[3]
    return quantiles === null || parts === null || weight === 0 ? [] : [{ weight, quantiles, parts }]
  })
  const weight = timed.reduce((total, each) => total + each.weight, 0)
  const mean = (part: 0 | 1 | 2): number =>
    timed.reduce((total, each) => total + each.weight * each.parts[part], 0) / weight
  return {
    classes: [
      sum(({ classes }) => classes[0]),
      sum(({ classes }) => classes[1]),
      sum(({ classes }) => classes[2]),
      sum(({ classes }) => classes[3]),
    ],
    requestBytes: sum(point => point.requestBytes),
    responseBytes: sum(point => point.responseBytes),
    quantiles:
      weight === 0
        ? null
        : [mixedQuantile(timed, 0.5), mixedQuantile(timed, 0.95), mixedQuantile(timed, 0.99)],
    parts: weight === 0 ? null : [mean(0), mean(1), mean(2)],
  }
}

/** Returns the point of one of `count` equal intervals. */
export function dividePoint(point: TrafficPoint, count: number): TrafficPoint {
  if (count === 1) return point
  const { classes, requestBytes, responseBytes } = point
  return {
    ...point,
    classes: [classes[0] / count, classes[1] / count, classes[2] / count, classes[3] / count],
    requestBytes: requestBytes / count,
    responseBytes: responseBytes / count,
  }
}

interface Weighted {
  readonly weight: number
  readonly quantiles: readonly [number, number, number]
}

/** Returns the value below which `rank` of all requests are. Bisection over the sum of the distributions of the points. */
function mixedQuantile(points: readonly Weighted[], rank: number): number {
  const total = points.reduce((sum, { weight }) => sum + weight, 0)
  let low = 0
  let high = Math.max(...points.map(({ quantiles }) => quantiles[2]))
  if (points.reduce((sum, each) => sum + each.weight * shareBelow(each.quantiles, high), 0) < rank * total)
    return high
  for (let step = 0; step < 30; step += 1) {
    const middle = (low + high) / 2
    const below = points.reduce((sum, each) => sum + each.weight * shareBelow(each.quantiles, middle), 0)
    if (below < rank * total) low = middle
    else high = middle
  }
  return high
}

/** Returns the share of requests that took at most `ms`, from three quantiles: linear between them. */
function shareBelow([p50, p95, p99]: readonly [number, number, number], ms: number): number {
  if (ms >= p99) return 0.99
  if (ms >= p95) return between(ms, p95, p99, 0.95, 0.99)
  if (ms >= p50) return between(ms, p50, p95, 0.5, 0.95)
  return between(ms, 0, p50, 0, 0.5)
}

const between = (value: number, low: number, high: number, from: number, to: number): number =>
  high <= low ? to : from + ((value - low) / (high - low)) * (to - from)
