// The connected telephones, with one row for each tunnel.

import type { ListedTelephone, MissingReplicas } from '../../../admin/api-types.ts'
import { useQuery } from '../api/use-query.ts'
import { Chip } from '../parts/chip.tsx'
import { milliseconds } from '../parts/format.ts'
import { MissingReplicasNotice, QueryNotice } from '../parts/page-head.tsx'
import { TimeAgo } from '../parts/time-ago.tsx'
import { DataTable } from '../tables/data-table.tsx'
import type { ListPage } from '../tables/use-list.ts'
import type { ViewProps } from './plugboard-element.tsx'

const ROWS = 100
/** Time between two reads, ms. No event reports new round trips and stream counts. */
const EVERY_MS = 5000

interface TelephonePage extends ListPage<ListedTelephone> {
  readonly missingReplicas: MissingReplicas
}

export function TelephonesView({ source, service }: ViewProps) {
  const query = useQuery<TelephonePage>(
    `telephones ${service ?? ''}`,
    signal => source.get('/v1/telephones', { service, limit: ROWS }, signal),
    { on: source.changes, everyMs: EVERY_MS },
  )
  const { data } = query
  return (
    <>
      {source.state.value.name === 'live' && <QueryNotice query={query} />}
      <MissingReplicasNotice missing={data?.missingReplicas} />
      {data !== undefined && data.items.length === 0 && (
        <div class="notice" part="notice">
          No telephone is connected.
        </div>
      )}
      {data !== undefined && data.items.length > 0 && (
        <DataTable
          label="Tunnels of telephones"
          rows={data.items}
          keyOf={({ id }) => id}
          columns={[
            { name: 'Telephone', isWide: true, cell: ({ name }) => <strong>{name}</strong> },
            {
              name: 'Services',
              isWide: true,
              cell: tunnel => (
                <span class="row">
                  {tunnel.services.map(each => (
                    <Chip key={each.service} tone={each.health === 'down' ? 'bad' : 'good'}>
                      {each.service}
                      {each.health === 'down' && ': down'}
                    </Chip>
                  ))}
                </span>
              ),
            },
            { name: 'Replica', cell: ({ replicaId }) => replicaId },
            { name: 'Since', cell: ({ connectedAt }) => <TimeAgo time={connectedAt} /> },
            { name: 'RTT', align: 'end', cell: ({ rttMs }) => milliseconds(rttMs) },
            { name: 'Streams', align: 'end', cell: ({ streams }) => streams },
          ]}
        />
      )}
      {data?.next != null && (
        <div class="notice small" part="notice">
          The first {ROWS} tunnels. The dashboard shows all of them.
        </div>
      )}
    </>
  )
}
