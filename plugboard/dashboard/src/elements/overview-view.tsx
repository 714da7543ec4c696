// The traffic of all services, or of one.

import type { StatusBody } from '../../../admin/api-types.ts'
import { useQuery } from '../api/use-query.ts'
import { Figures } from '../charts/figures.tsx'
import { TrafficCharts } from '../charts/traffic-charts.tsx'
import { RANGES, type Range, useTraffic } from '../charts/use-traffic.ts'
import { QueryNotice } from '../parts/page-head.tsx'
import type { ViewProps } from './plugboard-element.tsx'

const STATUS_MS = 5000
const NAMES = Object.keys(RANGES) as Range[]

/** `text`: `5m`, `10m`, `2h` or `24h`. */
export const rangeOf = (text: string | undefined): Range =>
  NAMES.find(name => name.replace(' ', '').replace('min', 'm') === text) ?? '5 min'

export function OverviewView({ source, service, range }: ViewProps) {
  const traffic = useTraffic(rangeOf(range), service)
  const status = useQuery<StatusBody>('status', signal => source.get('/v1/status', {}, signal), {
    on: source.changes,
    everyMs: STATUS_MS,
  })
  // The frame shows the state of the connection, which is the cause of most errors.
  const isLive = source.state.value.name === 'live'
  return (
    <>
      <div class="card" part="card">
        <Figures traffic={traffic} status={service === undefined ? status.data : undefined} />
      </div>
      {isLive && <QueryNotice query={traffic.query} />}
      <TrafficCharts traffic={traffic} />
    </>
  )
}
