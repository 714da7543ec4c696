// The replicas: their state, the links between them, the lines of services, and their disagreements.

import type { ReplicaBody, ReplicasBody } from '../../../../admin/api-types.ts'
import { anyChange, watchedReplicas } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { count, duration, milliseconds } from '../../parts/format.ts'
import { MissingReplicasNotice, PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { TimeAgo } from '../../parts/time-ago.tsx'
import { hrefOf } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'

const EVERY_MS = 2000
const TONES: Readonly<Record<ReplicaBody['state'], Tone>> = { ready: 'good', leaving: 'warn', lost: 'bad' }

export function ClusterPage() {
  const query = useQuery<ReplicasBody>('replicas', signal => get('/v1/replicas', {}, signal), {
    on: anyChange,
    everyMs: EVERY_MS,
  })
  const { data } = query
  const disagreements =
    data?.items.flatMap(({ id, disagreements: all }) => all.map(text => `${id}: ${text}`)) ?? []
  const ids = data?.items.map(({ id }) => id) ?? []
  return (
    <>
      <PageHead title="Cluster">
        {data !== undefined && <span class="soft number">{count(data.items.length)}</span>}
      </PageHead>
      <div class="stack">
        <QueryNotice query={query} />
        <MissingReplicasNotice missing={data?.missingReplicas} />
        {disagreements.map(text => (
          <div key={text} class="notice" data-tone="warn">
            {text}
          </div>
        ))}
        {data !== undefined && (
          <DataTable
            label="Replicas"
            rows={data.items}
            keyOf={({ id }) => id}
            columns={[
              {
                name: 'Replica',
                isWide: true,
                cell: ({ id, self }) => (
                  <span class="row">
                    <strong>{id}</strong> {self && <Chip tone="accent">serves this page</Chip>}
                  </span>
                ),
              },
              { name: 'State', cell: ({ state }) => <Chip tone={TONES[state]}>{state}</Chip> },
              { name: 'Version', cell: ({ version }) => version },
              { name: 'Started', cell: ({ startedAt }) => <TimeAgo time={startedAt} /> },
              { name: 'Link', cell: ({ self, link }) => (self ? '–' : (link ?? 'none')) },
              { name: 'Round trip', align: 'end', cell: ({ rttMs }) => milliseconds(rttMs) },
              {
                name: 'Lease',
                align: 'end',
                cell: ({ leaseMs }) => (leaseMs === null ? '–' : duration(leaseMs / 1000)),
              },
              { name: 'Tunnels', align: 'end', cell: ({ tunnels }) => count(tunnels) },
              { name: 'Lines', align: 'end', cell: ({ lines }) => count(lines) },
              { name: 'Streams', align: 'end', cell: ({ streams }) => count(streams) },
              { name: 'Forwarded', align: 'end', cell: ({ forwardedStreams }) => count(forwardedStreams) },
              { name: 'Change', align: 'end', cell: ({ appliedSequence }) => appliedSequence ?? '–' },
              { name: 'Address', cell: ({ address }) => <span class="mono">{address}</span> },
            ]}
          />
        )}
        {watchedReplicas.value.missing.length > 0 && (
          <div class="notice" data-tone="warn">
            The live charts lack the data of{' '}
            {watchedReplicas.value.missing.map(({ id, reason }) => `${id} (${reason})`).join(', ')}.
          </div>
        )}
        {data !== undefined && data.lines.length > 0 && (
          <section class="stack" aria-label="Lines">
            <h2>Lines of services</h2>
            <DataTable
              label="Lines of services by replica"
              rows={data.lines}
              keyOf={({ service }) => service}
              columns={[
                {
                  name: 'Service',
                  isWide: true,
                  cell: ({ service }) => <a href={hrefOf(`/services/${service}`)}>{service}</a>,
                },
                ...ids.map(id => ({
                  name: id,
                  align: 'end' as const,
                  cell: ({ replicas }: ReplicasBody['lines'][number]) => count(replicas[id] ?? 0),
                })),
              ]}
            />
          </section>
        )}
      </div>
    </>
  )
}
