// Turns the inspector of a service on for a time, or off.

import { useState } from 'preact/hooks'
import type { ServiceBody } from '../../../../admin/api-types.ts'
import { run } from '../../forms/action.tsx'
import { Chip } from '../../parts/chip.tsx'
import { duration, fullTime } from '../../parts/format.ts'
import { may } from '../../session/session.ts'
import { inspectedUntil, setInspection } from './inspection.ts'

/** The longest capture is 24 h from now by the clock of Plugboard, which can differ from that of the browser. */
const DURATIONS = [
  [15, '15 min'],
  [60, '1 h'],
  [240, '4 h'],
  [720, '12 h'],
] as const

export function InspectionSwitch({ service }: { service: ServiceBody }) {
  const [minutes, setMinutes] = useState<number>(DURATIONS[1][0])
  const until = inspectedUntil(service)
  const set = (duration: number, done: string) => run(() => setInspection(service, duration), done)
  return (
    <div class="row">
      {until === undefined ? (
        <Chip>off</Chip>
      ) : (
        <Chip tone="good" title={`Until ${fullTime(until)}`}>
          on, {duration((until - Date.now()) / 1000)} left
        </Chip>
      )}
      {may('services:write') && until !== undefined && (
        <button type="button" onClick={() => set(0, `The inspector of ${service.name} is off.`)}>
          Turn off
        </button>
      )}
      {may('services:write') && until === undefined && (
        <>
          <select
            class="short"
            aria-label={`Duration of the capture of ${service.name}`}
            value={minutes}
            onChange={event => setMinutes(Number(event.currentTarget.value))}
          >
            {DURATIONS.map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
          <button
            type="button"
            class="primary"
            onClick={() => set(minutes, `The inspector of ${service.name} captures exchanges.`)}
          >
            Turn on
          </button>
        </>
      )}
    </div>
  )
}
