// The rest of the life of a token. A connected telephone renews its token when a third of the life is left.

import { duration, fullTime } from '../../parts/format.ts'

const SOON_MS = 86_400_000

export function TokenLeft({ until }: { until: string | null }) {
  if (until === null) return <>–</>
  const leftMs = Date.parse(until) - Date.now()
  return (
    <span class={leftMs <= 0 ? 'bad' : leftMs < SOON_MS ? 'warn' : undefined} title={fullTime(until)}>
      {leftMs <= 0 ? 'expired' : duration(leftMs / 1000)}
    </span>
  )
}
