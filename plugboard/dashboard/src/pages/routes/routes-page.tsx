// All routes: search, the tester, and the drawer of one route.

import { useState } from 'preact/hooks'
import { useRoute } from 'preact-iso'
import type { RouteBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { Empty } from '../../parts/empty.tsx'
import { count } from '../../parts/format.ts'
import { PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { TimeAgo } from '../../parts/time-ago.tsx'
import { may } from '../../session/session.ts'
import { hrefOf, useAddress } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { TextFilter } from '../../tables/text-filter.tsx'
import { type ListPage, useList } from '../../tables/use-list.ts'
import { NewRoute } from './new-route.tsx'
import { RouteDrawer } from './route-drawer.tsx'
import { RouteTester } from './route-tester.tsx'
import { RuleChips } from './rule-chips.tsx'

const SORTS = [
  ['mount', 'by mount'],
  ['-updatedAt', 'last changed first'],
  ['-lastRequestAt', 'last used first'],
] as const

interface RoutePage extends ListPage<RouteBody> {
  readonly total: number
}

export function RoutesPage() {
  const { params } = useRoute()
  const { filter, setFilters, go } = useAddress()
  const [isAdding, setAdding] = useState(false)
  const query = { q: filter('q'), service: filter('service'), sort: filter('sort') }
  const list = useList<RouteBody, RoutePage>('/v1/routes', query, changeCount)
  const isFiltered = query.q !== '' || query.service !== ''
  return (
    <>
      <PageHead title="Routes">
        {list.first.data !== undefined && <span class="soft number">{count(list.first.data.total)}</span>}
        <span class="spring" />
        {may('routes:write') && (
          <button type="button" class="primary" onClick={() => setAdding(true)}>
            Add a route
          </button>
        )}
      </PageHead>
      <RouteTester url={filter('url')} onUrl={url => setFilters({ url })} />
      <div class="filters">
        <TextFilter label="Search" value={query.q} onChange={q => setFilters({ q })} />
        <TextFilter label="Service" value={query.service} onChange={service => setFilters({ service })} />
        <select
          aria-label="Order"
          value={query.sort}
          onChange={event => setFilters({ sort: event.currentTarget.value })}
        >
          {SORTS.map(([value, text]) => (
            <option key={value} value={value === 'mount' ? '' : value}>
              {text}
            </option>
          ))}
        </select>
      </div>
      <QueryNotice query={list.first} />
      {list.first.data !== undefined && list.rows.length === 0 && (
        <Empty
          title={isFiltered ? 'No route matches the filters' : 'No route yet'}
          commands={isFiltered ? [] : ['npx --no plugboard route add shop.localhost --service web']}
        />
      )}
      {list.rows.length > 0 && (
        <DataTable
          label="Routes"
          rows={list.rows}
          keyOf={({ id }) => id}
          selected={params.id}
          onOpen={({ id }) => go(`/routes/${id}`)}
          onEnd={list.loadMore}
          columns={[
            {
              name: 'Mount',
              isWide: true,
              cell: route => <MountLink route={route} />,
            },
            {
              name: 'Service',
              cell: ({ service }) =>
                service === null ? (
                  <span class="soft">–</span>
                ) : (
                  <a href={hrefOf(`/services/${service}`)}>{service}</a>
                ),
            },
            { name: 'Rules', isWide: true, cell: ({ options }) => <RuleChips options={options} /> },
            {
              name: 'Claimed by',
              cell: ({ lastTelephone, claimedBy }) => claimedBy && (lastTelephone ?? 'a telephone'),
            },
            { name: 'Last request', cell: ({ lastRequestAt }) => <TimeAgo time={lastRequestAt} /> },
          ]}
        />
      )}
      {params.id !== undefined && (
        <RouteDrawer key={params.id} id={params.id} onClose={() => go('/routes')} />
      )}
      {isAdding && <NewRoute onClose={() => setAdding(false)} onAdded={id => go(`/routes/${id}`)} />}
    </>
  )
}

/** A mount with a host that a browser can open is a link. */
function MountLink({ route: { mount, host } }: { route: RouteBody }) {
  if (host.includes('*')) return <span class="mono">{mount}</span>
  return (
    <a class="mono" href={`//${mount}`} target="_blank" rel="noreferrer">
      {mount}
    </a>
  )
}
