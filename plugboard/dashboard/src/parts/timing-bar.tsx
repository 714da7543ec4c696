// A bar with the parts of the duration of a request.

import type { RequestBody } from '../../../admin/api-types.ts'
import { milliseconds } from './format.ts'

/** `headMs` begins with the last attempt, or at the end of the request body. */
export function TimingBar({ request }: { request: RequestBody }) {
  const { durationMs, headMs, backendMs } = request
  if (headMs === undefined || durationMs <= 0) return <p class="soft">Duration: {milliseconds(durationMs)}</p>
  const parts: (readonly [name: string, ms: number, color: string])[] = [
    ['Plugboard: waiting, retries, bodies', durationMs - headMs, 'var(--chart-2)'],
    // An older Telephone does not measure its backend.
    ...(backendMs === undefined
      ? [['tunnel and backend', headMs, 'var(--chart-1)'] as const]
      : ([
          ['tunnel', headMs - backendMs, 'var(--chart-1)'],
          ['backend', backendMs, 'var(--chart-5)'],
        ] as const)),
  ]
  return (
    <div>
      <div class="timing" aria-hidden="true">
        {parts.map(([name, ms, color]) => (
          <span key={name} style={{ width: `${(Math.max(0, ms) / durationMs) * 100}%`, background: color }} />
        ))}
      </div>
      <p class="timing-legend soft small">
        {parts.map(([name, ms, color]) => (
          <span key={name}>
            <i style={{ background: color }} /> {name} {milliseconds(Math.max(0, ms))}
          </span>
        ))}
        <span>total {milliseconds(durationMs)}</span>
      </p>
    </div>
  )
}
