// All routes: the tester, the search with its filters, and the drawer of one route.

import { useCallback, useState } from 'preact/hooks'
import { useRoute } from 'preact-iso'
import type { RouteBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { Empty } from '../../parts/empty.tsx'
import { count } from '../../parts/format.ts'
import { PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { may } from '../../session/session.ts'
import { useAddress } from '../../shell/address.ts'
import { FilterSelect } from '../../tables/filter-select.tsx'
import { TextFilter } from '../../tables/text-filter.tsx'
import { type ListPage, useList } from '../../tables/use-list.ts'
import { NewRoute } from './new-route.tsx'
import { RouteDrawer } from './route-drawer.tsx'
import { RouteTester } from './route-tester.tsx'
import { idOf, RoutesTable } from './routes-table.tsx'

const SORTS = [
  ['mount', 'by mount'],
  ['-mount', 'by mount, backwards'],
  ['-updatedAt', 'last changed first'],
  ['-lastRequestAt', 'last used first'],
  ['lastRequestAt', 'longest unused first'],
] as const
const RULES = [
  'access',
  'cors',
  'rateLimits',
  'redirect',
  'respond',
  'requestHeaders',
  'responseHeaders',
  'hsts',
  'stripMount',
  'allowHttp',
  'tenantHeader',
] as const
const STATES = [
  ['claimed', 'claimed by telephones'],
  ['created', 'created by people'],
  ['unused', 'without requests'],
] as const

interface RoutePage extends ListPage<RouteBody> {
  readonly total: number
}

/** A longer page needs fewer requests while a person scrolls through many routes. */
const PAGE_ROWS = 250

export function RoutesPage() {
  const { params } = useRoute()
  const { filter, setFilters, go } = useAddress()
  const [isAdding, setAdding] = useState(false)
  const filters = {
    q: filter('q'),
    service: filter('service'),
    rule: filter('rule'),
    state: filter('state'),
  }
  const query = { ...filters, sort: filter('sort') }
  const list = useList<RouteBody, RoutePage>('/v1/routes', query, changeCount, { pageRows: PAGE_ROWS, idOf })
  const isFiltered = Object.values(filters).some(value => value !== '')
  const open = useCallback(({ id }: RouteBody) => go(`/routes/${id}`), [go])
  const { data } = list.first
  return (
    <>
      <PageHead title="Routes">
        {data !== undefined && <span class="soft number">{countText(data.total, list.rows.length)}</span>}
        <span class="spring" />
        {may('routes:write') && (
          <button type="button" class="primary" onClick={() => setAdding(true)}>
            Add a route
          </button>
        )}
      </PageHead>
      <RouteTester />
      <div class="filters">
        <TextFilter label="Search" value={filters.q} onChange={q => setFilters({ q })} />
        <TextFilter label="Service" value={filters.service} onChange={service => setFilters({ service })} />
        <FilterSelect
          label="Rule"
          value={filters.rule}
          options={[['', 'all rules'], ...RULES.map(name => [name, name] as const)]}
          onChange={rule => setFilters({ rule })}
        />
        <FilterSelect
          label="State"
          value={filters.state}
          options={[['', 'all states'], ...STATES]}
          onChange={state => setFilters({ state })}
        />
        <FilterSelect
          label="Order"
          value={query.sort}
          options={SORTS.map(([value, text]) => [value === 'mount' ? '' : value, text])}
          onChange={sort => setFilters({ sort })}
        />
      </div>
      <QueryNotice query={list.first} />
      {data !== undefined && list.rows.length === 0 && (
        <Empty
          title={isFiltered ? 'No route matches the filters' : 'No route yet'}
          commands={isFiltered ? [] : ['npx --no plugboard route add shop.localhost --service web']}
        />
      )}
      {list.rows.length > 0 && (
        <RoutesTable rows={list.rows} selected={params.id} onOpen={open} onEnd={list.loadMore} />
      )}
      {params.id !== undefined && (
        <RouteDrawer key={params.id} id={params.id} onClose={() => go('/routes')} />
      )}
      {isAdding && <NewRoute onClose={() => setAdding(false)} onAdded={id => go(`/routes/${id}`)} />}
    </>
  )
}

const countText = (total: number, loaded: number): string =>
  loaded < total ? `${count(total)}, ${count(loaded)} loaded` : count(total)
