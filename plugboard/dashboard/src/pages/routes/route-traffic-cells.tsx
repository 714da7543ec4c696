// The cells with the traffic of a route: requests per second with their course, the part with 5xx, and p95.

import type { ReadonlySignal } from '@preact/signals'
import type { RouteBody } from '../../../../admin/api-types.ts'
import { milliseconds, percent, rate } from '../../parts/format.ts'
import { LastRequest } from '../../parts/last-request.tsx'
import { Sparkline } from '../../parts/sparkline.tsx'
import type { RouteNumbers } from './route-traffic.ts'

const SECONDS = 10
/** Intervals of the shown rate: the last minute. */
const RECENT = 6
const NOT_COUNTED =
  'This route is not among the busiest ones, so a replica counts it together with others. The setting metricsRoutes adds routes.'

const NotKnown = ({ numbers }: { numbers: RouteNumbers }) => (
  <span class="soft" title={numbers === 'unknown' ? undefined : NOT_COUNTED}>
    –
  </span>
)

export function RateCell({ numbers }: { numbers: ReadonlySignal<RouteNumbers> }) {
  const { value } = numbers
  if (value === 'unknown' || !value.counted) return <NotKnown numbers={value} />
  const recent = value.requests.slice(-RECENT).filter(each => each !== null)
  const perSecond = sumOf(recent) / (Math.max(1, recent.length) * SECONDS)
  return (
    <span class="rate">
      <Sparkline values={value.requests} />
      {rate(perSecond)}
    </span>
  )
}

export function ErrorsCell({ numbers }: { numbers: ReadonlySignal<RouteNumbers> }) {
  const { value } = numbers
  if (value === 'unknown' || !value.counted) return <NotKnown numbers={value} />
  const all = sumOf(value.requests)
  if (all === 0) return <span class="soft">–</span>
  const failed = sumOf(value.serverErrors)
  return <span class={failed > 0 ? 'bad' : undefined}>{percent(failed / all)}</span>
}

export function TimeCell({ numbers }: { numbers: ReadonlySignal<RouteNumbers> }) {
  const { value } = numbers
  if (value === 'unknown' || !value.counted) return <NotKnown numbers={value} />
  return <span class={value.p95Ms === null ? 'soft' : undefined}>{milliseconds(value.p95Ms)}</span>
}

export function LastRequestCell(props: { route: RouteBody; numbers: ReadonlySignal<RouteNumbers> }) {
  const { value } = props.numbers
  const seenAt = value === 'unknown' ? undefined : value.newestAt
  return <LastRequest recordedAt={props.route.lastRequestAt} seenAt={seenAt} />
}

const sumOf = (values: readonly (number | null)[]): number =>
  values.reduce<number>((sum, value) => sum + (value ?? 0), 0)
