// The rate limits with their decisions, and the keys that have used the largest part of each limit.

import type { LimitPageBody, LimitRowBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Chip } from '../../parts/chip.tsx'
import { Empty } from '../../parts/empty.tsx'
import { count, duration } from '../../parts/format.ts'
import { MissingReplicasNotice, PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { hrefOf } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'

const EVERY_MS = 2000

export function LimitsPage() {
  const query = useQuery<LimitPageBody>('limits', signal => get('/v1/limits', {}, signal), {
    on: changeCount,
    everyMs: EVERY_MS,
  })
  const { data } = query
  const old = data?.shares.filter(({ state, ageMs }) => state !== 'open' || (ageMs ?? 0) > 2000) ?? []
  return (
    <>
      <PageHead title="Limits" />
      <div class="stack">
        <QueryNotice query={query} />
        <MissingReplicasNotice missing={data?.missingReplicas} />
        {old.map(({ replicaId, peerId, state, ageMs }) => (
          <div key={`${replicaId} ${peerId}`} class="notice" data-tone="warn">
            {replicaId} has no recent counts of {peerId}:{' '}
            {state === 'open' ? `they are ${duration((ageMs ?? 0) / 1000)} old` : state}. It counts alone.
          </div>
        ))}
        {data !== undefined && data.items.length === 0 && (
          <Empty
            title="No limit yet"
            commands={['npx --no plugboard service set web --limit per-client:100/1m']}
          />
        )}
        {data !== undefined && data.items.length > 0 && (
          <DataTable
            label="Limits"
            rows={data.items}
            keyOf={limit => `${limit.route?.id ?? limit.service} ${limit.name}`}
            columns={[
              {
                name: 'Limit',
                isWide: true,
                cell: ({ name, enforce }) => (
                  <span class="row">
                    <strong>{name}</strong> {!enforce && <Chip tone="warn">not enforced</Chip>}
                  </span>
                ),
              },
              {
                name: 'Of',
                isWide: true,
                cell: ({ route, service }) =>
                  route === null ? (
                    <a href={hrefOf(`/services/${service}`)}>{service}</a>
                  ) : (
                    <a href={hrefOf(`/routes/${route.id}`)}>{route.mount}</a>
                  ),
              },
              { name: 'Quota', align: 'end', cell: limit => quotaOf(limit) },
              { name: 'Admitted', align: 'end', cell: ({ admitted }) => count(admitted) },
              {
                name: 'Rejected',
                align: 'end',
                cell: ({ rejected }) => (
                  <span class={rejected > 0 ? 'bad' : undefined}>{count(rejected)}</span>
                ),
              },
              { name: 'Would reject', align: 'end', cell: ({ wouldReject }) => count(wouldReject) },
              { name: 'Keys', align: 'end', cell: ({ keys }) => count(keys) },
              {
                name: 'Fullest keys',
                isWide: true,
                cell: ({ hottestKeys }) => (
                  <span class="row">
                    {hottestKeys.slice(0, 3).map(({ key, usedPercent }) => (
                      <Chip key={key} tone={usedPercent >= 90 ? 'bad' : usedPercent >= 60 ? 'warn' : 'plain'}>
                        <span class="mono">{key}</span> {usedPercent} %
                      </Chip>
                    ))}
                  </span>
                ),
              },
            ]}
          />
        )}
      </div>
    </>
  )
}

const quotaOf = ({ limit, windowSeconds }: LimitRowBody): string =>
  `${count(limit)} / ${duration(windowSeconds)}`
