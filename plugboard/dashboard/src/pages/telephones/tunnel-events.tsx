// The last connects and disconnects of a telephone on all replicas.

import type { TunnelHistoryBody } from '../../../../admin/api-types.ts'
import { anyChange } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { fullTime } from '../../parts/format.ts'
import { QueryNotice } from '../../parts/page-head.tsx'
import { reasonText } from './reason-text.ts'

export function TunnelEvents({ name }: { name: string }) {
  const query = useQuery<TunnelHistoryBody>(
    `tunnel history ${name}`,
    signal => get('/v1/telephones/history', { name }, signal),
    { on: anyChange },
  )
  return (
    <section class="card" aria-label="History">
      <header>
        <h3>History</h3>
      </header>
      <QueryNotice query={query} />
      {query.data?.items.length === 0 && (
        <p class="soft">No replica has seen this telephone since its start.</p>
      )}
      <ul class="list">
        {query.data?.items.map(({ at, kind, tunnelId, replicaId, reason, detail }) => (
          <li key={`${tunnelId} ${kind}`}>
            <time class="soft small" dateTime={at}>
              {fullTime(at)}
            </time>
            <span class="spring">
              {kind === 'connected' ? 'connected to' : 'disconnected from'} {replicaId}
              {reason !== null && (
                <div class="small">
                  {reasonText(reason)}
                  {detail !== null && <span class="soft">: {detail}</span>}
                </div>
              )}
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}
