// The traffic of this moment as text: rate, failures, time, and the counts of a replica.

import type { StatusBody } from '../../../admin/api-types.ts'
import { counted, milliseconds, percent, rate } from '../parts/format.ts'
import type { Traffic } from './use-traffic.ts'

/** The figures of the last 10 seconds, or of one interval when it is longer. */
export function Figures({ traffic, status }: { traffic: Traffic; status?: StatusBody | undefined }) {
  const { columns, resolution } = traffic
  const intervals = Math.max(1, Math.round(10 / resolution))
  const sum = (name: 'success' | 'redirect' | 'clientError' | 'serverError'): number =>
    columns[name].slice(-intervals).reduce<number>((total, value) => total + (value ?? 0), 0)
  const failed = sum('serverError')
  const all = failed + sum('success') + sum('redirect') + sum('clientError')
  const p95 = columns.p95Ms.findLast(value => value !== null)
  return (
    <div class="row soft number" part="figures">
      <span>{rate(all / (intervals * resolution))}</span>
      <span class={failed > 0 ? 'bad' : undefined}>{percent(all === 0 ? 0 : failed / all)} failed</span>
      <span>p95 {milliseconds(p95)}</span>
      {status !== undefined && (
        <>
          <span>{counted(status.streams, 'open stream')}</span>
          <span>
            {counted(status.routes, 'route')} · {counted(status.services, 'service')} ·{' '}
            {counted(status.tunnels, 'tunnel')}
          </span>
        </>
      )}
    </div>
  )
}
