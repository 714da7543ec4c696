// The services without a line that takes requests, with the reason.

import type { OutagesBody } from '../../../../admin/api-types.ts'
import { anyChange } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'

/** Returns the reason by the name of the service. */
export function useOutages(): ReadonlyMap<string, string> {
  const query = useQuery<OutagesBody>('outages', signal => get('/v1/outages', {}, signal), {
    on: anyChange,
  })
  return new Map(query.data?.items.map(outage => [outage.service, outage.reason.replaceAll('_', ' ')]))
}
