// The replicas with their state, and their disagreements.

import type { ReplicaBody, ReplicasBody } from '../../../admin/api-types.ts'
import { useQuery } from '../api/use-query.ts'
import { Chip, type Tone } from '../parts/chip.tsx'
import { count, milliseconds } from '../parts/format.ts'
import { MissingReplicasNotice, QueryNotice } from '../parts/page-head.tsx'
import { TimeAgo } from '../parts/time-ago.tsx'
import { DataTable } from '../tables/data-table.tsx'
import type { ViewProps } from './plugboard-element.tsx'

const EVERY_MS = 5000
const TONES: Readonly<Record<ReplicaBody['state'], Tone>> = { ready: 'good', leaving: 'warn', lost: 'bad' }

export function ClusterView({ source }: ViewProps) {
  const query = useQuery<ReplicasBody>('replicas', signal => source.get('/v1/replicas', {}, signal), {
    on: source.changes,
    everyMs: EVERY_MS,
  })
  const { data } = query
  return (
    <>
      {source.state.value.name === 'live' && <QueryNotice query={query} />}
      <MissingReplicasNotice missing={data?.missingReplicas} />
      {data?.items
        .flatMap(({ id, disagreements }) => disagreements.map(text => `${id}: ${text}`))
        .map(text => (
          <div key={text} class="notice" part="notice" data-tone="warn">
            {text}
          </div>
        ))}
      {data !== undefined && (
        <DataTable
          label="Replicas"
          rows={data.items}
          keyOf={({ id }) => id}
          columns={[
            { name: 'Replica', isWide: true, cell: ({ id }) => <strong>{id}</strong> },
            { name: 'State', cell: ({ state }) => <Chip tone={TONES[state]}>{state}</Chip> },
            { name: 'Version', cell: ({ version }) => version },
            { name: 'Started', cell: ({ startedAt }) => <TimeAgo time={startedAt} /> },
            { name: 'RTT', align: 'end', cell: ({ rttMs }) => milliseconds(rttMs) },
            { name: 'Tunnels', align: 'end', cell: ({ tunnels }) => count(tunnels) },
            { name: 'Lines', align: 'end', cell: ({ lines }) => count(lines) },
            { name: 'Streams', align: 'end', cell: ({ streams }) => count(streams) },
          ]}
        />
      )}
    </>
  )
}
