// The traffic of a time range for charts: the history of the API, continued by the live points of each second.

import { useContext, useEffect, useMemo, useState } from 'preact/hooks'
import type { TrafficSeriesBody } from '../../../admin/api-types.ts'
import type { TrafficPoint } from '../../../observe/traffic/traffic-point.ts'
import type { LiveTraffic } from '../api/live-traffic.ts'
import { type QueryState, useQuery } from '../api/use-query.ts'
import { TrafficSourceContext } from './traffic-source.ts'

export const RANGES = {
  '5 min': { resolution: 1, points: 300 },
  '10 min': { resolution: 1, points: 600 },
  '2 h': { resolution: 10, points: 720 },
  '24 h': { resolution: 60, points: 1440 },
} as const
export type Range = keyof typeof RANGES

/** The lists of the API without the times that it does not have. */
export type TrafficColumns = Pick<TrafficSeriesBody, (typeof COLUMNS)[number]>
const COLUMNS = [
  'success',
  'redirect',
  'clientError',
  'serverError',
  'requestBytes',
  'responseBytes',
  'p50Ms',
  'p95Ms',
  'p99Ms',
  'waitMs',
  'tunnelMs',
  'backendMs',
] as const

export interface Traffic {
  /** Seconds since 1970. */
  readonly times: readonly number[]
  readonly columns: TrafficColumns
  /** Seconds of an interval: counts divided by it are rates. */
  readonly resolution: number
  readonly query: QueryState<TrafficSeriesBody>
}

/** `service`: its name; undefined for all requests. */
export function useTraffic(range: Range, service?: string): Traffic {
  const { resolution, points } = RANGES[range]
  const source = useContext(TrafficSourceContext)
  if (source === undefined) throw new Error('A chart needs a TrafficSourceContext around it.')
  const { live } = source
  const query = useQuery<TrafficSeriesBody>(
    `traffic ${range} ${service ?? ''}`,
    signal => source.get('/v1/traffic', { resolution, points, service }, signal),
    // Live seconds continue the finest resolution.
    { everyMs: resolution === 1 ? undefined : resolution * 1000 },
  )
  useEffect(() => (service === undefined ? undefined : live.want([service])), [live, service])
  const second = useSecond(live, resolution === 1)
  return useMemo(() => {
    const { times, columns } = merged(query.data, resolution, points, service ?? '', live)
    return { times, columns, resolution, query }
    // `second` stands for the live points
  }, [query, resolution, points, service, live, second])
}

/** Renders the component each second, while `isLive`. */
export function useSecond(live: LiveTraffic, isLive = true): number {
  const [second, setSecond] = useState(0)
  useEffect(() => (isLive ? live.seconds.subscribe(value => setSecond(value)) : undefined), [live, isLive])
  return second
}

function merged(
  data: TrafficSeriesBody | undefined,
  resolution: number,
  points: number,
  service: string,
  traffic: LiveTraffic,
) {
  const newest = Math.floor(Date.now() / 1000 / resolution) - 1
  const first = newest - points + 1
  const known = data === undefined ? 0 : Date.parse(data.from) / 1000 / resolution
  const live = resolution === 1 ? traffic.between(service, first, newest + 1) : []
  const valueAt = (name: (typeof COLUMNS)[number], index: number): number | null => {
    const stored = data?.resolution === resolution ? data[name][first + index - known] : undefined
    if (stored !== null && stored !== undefined) return stored
    const point = live[index]
    return point === undefined ? null : (FROM_POINT[name](point) ?? null)
  }
  const indexes = Array.from({ length: points }, (_, index) => index)
  const columns = Object.fromEntries(
    COLUMNS.map(name => [name, indexes.map(index => valueAt(name, index))]),
  ) as unknown as TrafficColumns
  return { times: indexes.map(index => (first + index) * resolution), columns }
}

const FROM_POINT: Readonly<Record<(typeof COLUMNS)[number], (point: TrafficPoint) => number | undefined>> = {
  success: ({ classes }) => classes[0],
  redirect: ({ classes }) => classes[1],
  clientError: ({ classes }) => classes[2],
  serverError: ({ classes }) => classes[3],
  requestBytes: point => point.requestBytes,
  responseBytes: point => point.responseBytes,
  p50Ms: ({ quantiles }) => quantiles?.[0],
  p95Ms: ({ quantiles }) => quantiles?.[1],
  p99Ms: ({ quantiles }) => quantiles?.[2],
  waitMs: ({ parts }) => parts?.[0],
  tunnelMs: ({ parts }) => parts?.[1],
  backendMs: ({ parts }) => parts?.[2],
}
