// Makes a point of a chart from the counters of an interval.

import { PART_BOUNDARIES } from '@vera-stack/shared/metrics/histogram.ts'
import { requestsOf, type TimeTotals, type TrafficTotals } from '../../metrics/traffic-totals.ts'
import { NO_TRAFFIC, type TrafficPoint } from './traffic-point.ts'

const MS = 1000

/** Returns the point of an interval with this traffic. */
export function pointOf(totals: TrafficTotals): TrafficPoint {
  if (requestsOf(totals) === 0 && totals.requestBytes === 0 && totals.responseBytes === 0) return NO_TRAFFIC
  const { classes, requestBytes, responseBytes, head, backend, wait } = totals
  const [ok = 0, redirect = 0, client = 0, server = 0] = classes
  const heads = countOf(head)
  const times = heads === 0 ? null : { heads, backends: countOf(backend) }
  const headMs = times === null ? 0 : (head.sum / heads) * MS
  // An older Telephone does not report the time of its backend. The whole time then counts as time of the backend.
  const backendMs =
    times === null ? 0 : times.backends === 0 ? headMs : Math.min(headMs, (backend.sum / times.backends) * MS)
  return {
    classes: [ok, redirect, client, server],
    requestBytes,
    responseBytes,
    quantiles:
      times === null
        ? null
        : [quantile(head, heads, 0.5), quantile(head, heads, 0.95), quantile(head, heads, 0.99)],
    parts: times === null ? null : [(wait.sum / heads) * MS, headMs - backendMs, backendMs],
  }
}

const countOf = ({ counts }: TimeTotals): number => counts.reduce((sum, count) => sum + count, 0)

/** Returns a quantile, ms: linear inside a bucket, as `histogram_quantile` of Prometheus. */
function quantile({ counts }: TimeTotals, count: number, rank: number): number {
  let left = rank * count
  for (let bucket = 0; bucket < PART_BOUNDARIES.length; bucket += 1) {
    const inside = counts[bucket] as number
    if (inside > 0 && left <= inside) {
      const low = bucket === 0 ? 0 : (PART_BOUNDARIES[bucket - 1] as number)
      return (low + ((PART_BOUNDARIES[bucket] as number) - low) * (left / inside)) * MS
    }
    left -= inside
  }
  return (PART_BOUNDARIES.at(-1) as number) * MS
}
