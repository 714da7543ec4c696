// The telephone processes of a service on all replicas, with the decisions of the policy now.

import type { ServiceProcessBody, ServiceProcessesBody } from '../../../../admin/api-types.ts'
import { lineCount } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { Empty } from '../../parts/empty.tsx'
import { clockTime, count, milliseconds } from '../../parts/format.ts'
import { MissingReplicasNotice, QueryNotice } from '../../parts/page-head.tsx'
import { hrefOf } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'

const EVERY_MS = 2000
const TONES: Readonly<Record<ServiceProcessBody['state'], Tone>> = {
  serving: 'good',
  half_open: 'warn',
  ejected: 'bad',
  down: 'bad',
  unreachable: 'bad',
  draining: 'warn',
}

export function Processes({ service }: { service: string }) {
  const query = useQuery<ServiceProcessesBody>(
    `processes ${service}`,
    signal => get(`/v1/services/${service}/processes`, {}, signal),
    { on: lineCount, everyMs: EVERY_MS },
  )
  const { data } = query
  if (data === undefined) return <QueryNotice query={query} />
  const next = new Set(data.replicas.flatMap(({ picks }) => picks.flatMap(({ instance }) => instance ?? [])))
  return (
    <div class="stack">
      <QueryNotice query={query} />
      <MissingReplicasNotice missing={data.missingReplicas} />
      <p class="soft">
        Balancing: <b>{data.balancing}</b>. {count(data.total)} processes.
      </p>
      {data.items.length === 0 ? (
        <Empty
          title="No telephone offers this service"
          commands={[`npx --no telephone http 3000 --service ${service}`]}
        />
      ) : (
        <DataTable
          label="Processes"
          rows={data.items}
          keyOf={({ instance }) => instance}
          columns={[
            {
              name: 'Telephone',
              isWide: true,
              cell: ({ telephone, instance, version }) => (
                <span class="row">
                  <a href={hrefOf(`/telephones/${encodeURIComponent(telephone)}`)}>{telephone}</a>
                  {version !== '' && <Chip>{version}</Chip>}
                  {next.has(instance) && <Chip tone="accent">next</Chip>}
                </span>
              ),
            },
            {
              name: 'State',
              cell: process => (
                <Chip tone={TONES[process.state]} title={reasonOf(process)}>
                  {process.state.replace('_', ' ')}
                </Chip>
              ),
            },
            { name: 'Subset', cell: ({ subset }) => subset },
            { name: 'Weight', align: 'end', cell: ({ weight }) => weight },
            { name: 'Response', align: 'end', cell: ({ responseMs }) => milliseconds(responseMs) },
            { name: 'Streams', align: 'end', cell: ({ streams }) => count(streams) },
            {
              name: 'Share',
              align: 'end',
              cell: ({ sharePercent }) => (sharePercent === null ? '–' : `${sharePercent} %`),
            },
            {
              name: 'Errors',
              align: 'end',
              cell: ({ errors, requests }) => (
                <span class={errors > 0 ? 'bad' : undefined}>
                  {count(errors)} of {count(requests)}
                </span>
              ),
            },
            { name: 'On', cell: ({ replicas }) => replicas.map(({ replicaId }) => replicaId).join(' ') },
          ]}
        />
      )}
      {data.replicas.map(({ replicaId, breaker, subsets, waiting, medianMs }) => (
        <div key={replicaId} class="row">
          <span class="soft">{replicaId}</span>
          <span>median {milliseconds(medianMs)}</span>
          {waiting.queue + waiting.hold > 0 && (
            <Chip tone="warn">{waiting.queue + waiting.hold} waiting</Chip>
          )}
          {breaker !== null && breaker.state !== 'closed' && <Chip tone="bad">breaker {breaker.state}</Chip>}
          {subsets.map(subset => (
            <Chip key={subset.subset} tone={subset.state === 'serving' ? 'plain' : 'bad'}>
              {subset.subset}: {subset.currentPercent ?? 0} %
              {subset.state === 'serving' ? '' : ` (${subset.state})`}
            </Chip>
          ))}
        </div>
      ))}
    </div>
  )
}

/** Returns the reasons of the ejections of a process, for a title. */
function reasonOf({ replicas }: ServiceProcessBody): string {
  return replicas
    .flatMap(({ replicaId, ejection }) => {
      if (ejection === null) return []
      const last = ejection.failures.at(-1)
      const failure = last === undefined ? '' : `, last: ${last.failure} at ${clockTime(last.at)}`
      return [`${replicaId}: ${ejection.reason.replaceAll('_', ' ')}${failure}`]
    })
    .join('\n')
}
