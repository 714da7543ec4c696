// The time of the last request of a route or a service: the recorded one, or that of its traffic. The record is up to two minutes late.

import { TimeAgo } from './time-ago.tsx'

/** `seenAt`: the newest request in the traffic; null: the traffic has no request; undefined: the traffic is not known. */
export function LastRequest(props: { recordedAt: string | null; seenAt: string | null | undefined }) {
  const { recordedAt, seenAt } = props
  if (recordedAt === null && seenAt === undefined)
    return (
      <span class="soft" title="Plugboard records the time of a request up to two minutes later.">
        none recorded
      </span>
    )
  return <TimeAgo time={laterOf(recordedAt, seenAt ?? null)} />
}

/** Both are times of ISO 8601 in UTC. */
export function laterOf(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other
  return Date.parse(one) >= Date.parse(other) ? one : other
}

/** Returns the end of the newest interval with a request, and at most now. `from`: the start of the first interval, ms. */
export function newestRequest(
  requests: readonly (number | null)[],
  from: number,
  intervalMs: number,
  now = Date.now(),
): string | null {
  const index = requests.findLastIndex(value => value !== null && value > 0)
  return index === -1 ? null : new Date(Math.min(now, from + (index + 1) * intervalMs)).toISOString()
}
