// A time as its distance from now, such as "5 min ago". The text is updated; its title has the full time.

import { signal } from '@preact/signals'
import { ago, fullTime } from './format.ts'

const TICK_MS = 5000
let timer: ReturnType<typeof setInterval> | undefined
/** The time of the last tick. All texts share one timer, which runs while there are texts. */
const now = signal(Date.now(), {
  watched() {
    timer = setInterval(() => {
      if (!document.hidden) now.value = Date.now()
    }, TICK_MS)
  },
  unwatched: () => clearInterval(timer),
})

export function TimeAgo({ time }: { time: string | null }) {
  if (time === null) return <span class="soft">never</span>
  return (
    <time dateTime={time} title={fullTime(time)}>
      {ago(time, Math.max(now.value, Date.now()))}
    </time>
  )
}
