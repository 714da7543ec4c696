// The round-trip times of the tunnels of a service.

import type { TelephonePageBody } from '../../../../admin/api-types.ts'
import { lineCount } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'

const EVERY_MS = 10_000

/** Returns the shortest time of each process, by its id, ms. */
export function useRoundTrips(service: string): ReadonlyMap<string, number> {
  const query = useQuery<TelephonePageBody>(
    `round trips ${service}`,
    signal => get('/v1/telephones', { service, limit: 500 }, signal),
    { on: lineCount, everyMs: EVERY_MS },
  )
  const times = new Map<string, number>()
  for (const { instance, rttMs } of query.data?.items ?? []) {
    if (rttMs !== null) times.set(instance, Math.min(rttMs, times.get(instance) ?? rttMs))
  }
  return times
}
