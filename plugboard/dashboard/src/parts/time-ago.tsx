// A time as its distance from now, such as "5 min ago". The text is updated; its title has the full time.

import { signal } from '@preact/signals'
import { ago, fullTime } from './format.ts'

const TICK_MS = 5000
/** The time of the last tick: all texts share one timer. */
const now = signal(Date.now())
setInterval(() => {
  if (!document.hidden) now.value = Date.now()
}, TICK_MS)

export function TimeAgo({ time }: { time: string | null }) {
  if (time === null) return <span class="soft">never</span>
  return (
    <time dateTime={time} title={fullTime(time)}>
      {ago(time, Math.max(now.value, Date.now()))}
    </time>
  )
}
