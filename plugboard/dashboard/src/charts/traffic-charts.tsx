// The charts of the traffic of one service, or of all: requests by class, times, and bytes.

import type { ComponentChildren } from 'preact'
import { bytes, milliseconds, rate } from '../parts/format.ts'
import { type ChartLine, type ChartMark, TimeChart } from './time-chart.tsx'
import type { Traffic, TrafficColumns } from './use-traffic.ts'

interface TrafficChartsProps {
  readonly traffic: Traffic
  readonly marks?: readonly ChartMark[]
  readonly onMark?: (id: string) => void
}

type Name = keyof TrafficColumns

export function TrafficCharts({ traffic, marks = [], onMark }: TrafficChartsProps) {
  const { times, columns, resolution } = traffic
  const perSecond = (name: Name, label: string, color: ChartLine['color']): ChartLine => ({
    name: label,
    color,
    values: columns[name].map(value => (value === null ? null : value / resolution)),
  })
  const plain = (name: Name, label: string, color: ChartLine['color']): ChartLine => ({
    name: label,
    color,
    values: columns[name],
  })
  const shared = { times, marks, ...(onMark === undefined ? {} : { onMark }) }
  return (
    <div class="cards">
      <Card title="Requests" unit="per second, by status">
        <TimeChart
          {...shared}
          label="Requests per second by class of the status"
          isStacked
          format={rate}
          lines={[
            perSecond('serverError', '5xx', 4),
            perSecond('clientError', '4xx', 3),
            perSecond('redirect', '3xx', 2),
            perSecond('success', '2xx', 5),
          ]}
        />
      </Card>
      <Card title="Time to the response" unit="50 %, 95 % and 99 % of the requests are faster">
        <TimeChart
          {...shared}
          label="Time until the head of the response"
          format={milliseconds}
          lines={[plain('p50Ms', 'p50', 1), plain('p95Ms', 'p95', 3), plain('p99Ms', 'p99', 4)]}
        />
      </Card>
      <Card title="Where the time goes" unit="mean per request">
        <TimeChart
          {...shared}
          label="Mean times in Plugboard, in the tunnel and in the backend"
          isStacked
          format={milliseconds}
          lines={[
            plain('waitMs', 'waiting in Plugboard', 6),
            plain('tunnelMs', 'tunnel', 1),
            plain('backendMs', 'backend', 5),
          ]}
        />
      </Card>
      <Card title="Bytes" unit="of bodies, per second">
        <TimeChart
          {...shared}
          label="Bytes of bodies per second"
          format={value => `${bytes(value)}/s`}
          lines={[perSecond('requestBytes', 'requests', 6), perSecond('responseBytes', 'responses', 1)]}
        />
      </Card>
    </div>
  )
}

function Card({ title, unit, children }: { title: string; unit: string; children: ComponentChildren }) {
  return (
    <section class="card" part="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span class="soft small">{unit}</span>
      </header>
      {children}
    </section>
  )
}
