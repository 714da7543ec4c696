// The rate limits with their decisions, live. A limit opens with its counts on each replica and its fullest keys.

import { useEffect, useState } from 'preact/hooks'
import { useRoute } from 'preact-iso'
import type { LimitPageBody, LimitRowBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { get, type Query } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Chip } from '../../parts/chip.tsx'
import { Empty } from '../../parts/empty.tsx'
import { count } from '../../parts/format.ts'
import { MissingReplicasNotice, PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { hrefOf, useAddress } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { TextFilter } from '../../tables/text-filter.tsx'
import { LimitDrawer } from './limit-drawer.tsx'
import { LimitShares } from './limit-shares.tsx'
import { ownerOf, pathOf, quotaOf } from './limit-text.ts'
import { UsedChip } from './used-chip.tsx'

const EVERY_MS = 2000

export function LimitsPage() {
  const { params } = useRoute()
  const { filter, setFilters, go } = useAddress()
  const filters = { service: filter('service'), route: filter('route') }
  const [pages, setPages] = useState(1)
  const query = useQuery<LimitPageBody>(
    `limits ${JSON.stringify(filters)}`,
    signal => readPages(filters, pages, signal),
    { on: changeCount, everyMs: EVERY_MS },
  )
  useEffect(() => {
    if (pages > 1) query.reload()
  }, [pages])
  const { data } = query
  const isFiltered = filters.service !== '' || filters.route !== ''
  const opened = data?.items.find(limit => ownerOf(limit) === params.of && limit.name === params.name)
  return (
    <>
      <PageHead title="Limits" />
      <search class="filters">
        <TextFilter label="Service" value={filters.service} onChange={service => setFilters({ service })} />
        <TextFilter
          label="Route: mount or id"
          placeholder="Route"
          value={filters.route}
          onChange={route => setFilters({ route })}
        />
      </search>
      <div class="stack">
        <QueryNotice query={query} />
        <MissingReplicasNotice missing={data?.missingReplicas} />
        {data !== undefined && data.items.length === 0 && (
          <Empty
            title={isFiltered ? 'No limit matches the filters' : 'No limit yet'}
            commands={[
              `npx --no plugboard service set ${filters.service || 'web'} --limit per-client:100/1m`,
            ]}
          >
            <p>A limit bounds the requests of each client, of each key, or of all of them together.</p>
          </Empty>
        )}
        {data !== undefined && data.items.length > 0 && (
          <LimitTable
            limits={data.items}
            selected={opened && pathOf(opened)}
            onOpen={limit => go(pathOf(limit))}
          />
        )}
        {data?.next != null && (
          <div>
            <button type="button" onClick={() => setPages(pages + 1)}>
              Show more limits
            </button>
          </div>
        )}
        {data !== undefined && <LimitShares shares={data.shares} />}
      </div>
      {params.of !== undefined && (
        <LimitDrawer
          key={`${params.of} ${params.name}`}
          name={params.name ?? ''}
          limit={opened}
          isLoading={data === undefined}
          onClose={() => go('/limits')}
        />
      )}
    </>
  )
}

/** Resolves with the first pages as one. */
async function readPages(filters: Query, pages: number, signal: AbortSignal): Promise<LimitPageBody> {
  let all = await get<LimitPageBody>('/v1/limits', filters, signal)
  for (let page = 1; page < pages && all.next !== null; page += 1) {
    const more = await get<LimitPageBody>('/v1/limits', { ...filters, cursor: all.next }, signal)
    all = { ...more, items: [...all.items, ...more.items] }
  }
  return all
}

function LimitTable(props: {
  limits: readonly LimitRowBody[]
  selected: string | undefined
  onOpen: (limit: LimitRowBody) => void
}) {
  const { limits, selected, onOpen } = props
  return (
    <DataTable
      label="Limits"
      rows={limits}
      keyOf={pathOf}
      selected={selected}
      onOpen={onOpen}
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
              <a class="mono" href={hrefOf(`/routes/${route.id}`)}>
                {route.mount}
              </a>
            ),
        },
        { name: 'Quota', align: 'end', cell: limit => quotaOf(limit) },
        { name: 'Admitted', align: 'end', cell: ({ admitted }) => count(admitted) },
        {
          name: 'Rejected',
          align: 'end',
          cell: ({ rejected }) => <span class={rejected > 0 ? 'bad' : undefined}>{count(rejected)}</span>,
        },
        {
          name: 'Would reject',
          align: 'end',
          cell: ({ wouldReject }) => (
            <span class={wouldReject > 0 ? 'warn' : undefined}>{count(wouldReject)}</span>
          ),
        },
        { name: 'Keys', align: 'end', cell: ({ keys }) => count(keys) },
        {
          name: 'Fullest key',
          align: 'end',
          cell: ({ hottestKeys: [hottest] }) =>
            hottest === undefined ? '–' : <UsedChip percent={hottest.usedPercent} />,
        },
      ]}
    />
  )
}
