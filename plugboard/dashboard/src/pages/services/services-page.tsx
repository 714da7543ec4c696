// All services, and the drawer of one.

import { useRoute } from 'preact-iso'
import type { ServiceBody } from '../../../../admin/api-types.ts'
import { anyChange } from '../../api/live.ts'
import { Chip } from '../../parts/chip.tsx'
import { Empty } from '../../parts/empty.tsx'
import { count } from '../../parts/format.ts'
import { PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { hrefOf, useAddress } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { TextFilter } from '../../tables/text-filter.tsx'
import { type ListPage, useList } from '../../tables/use-list.ts'
import { ServiceDrawer } from './service-drawer.tsx'
import { LastRequestCell, TrafficCell } from './service-traffic-cells.tsx'
import { useShownServices } from './shown-services.ts'
import { useOutages } from './use-outages.ts'

interface ServicePage extends ListPage<ServiceBody> {
  readonly total: number
}

export function ServicesPage() {
  const { params } = useRoute()
  const { filter, setFilters, go } = useAddress()
  const q = filter('q')
  const list = useList<ServiceBody, ServicePage>('/v1/services', { q }, anyChange)
  const outages = useOutages()
  const shown = useShownServices()
  return (
    <>
      <PageHead title="Services">
        {list.first.data !== undefined && <span class="soft number">{count(list.first.data.total)}</span>}
      </PageHead>
      <div class="filters">
        <TextFilter label="Search" value={q} onChange={text => setFilters({ q: text })} />
      </div>
      <QueryNotice query={list.first} />
      {list.first.data !== undefined && list.rows.length === 0 && (
        <Empty
          title={q === '' ? 'No service yet' : 'No service matches the search'}
          commands={q === '' ? ['npx --no telephone http 3000 --service web --mount web.localhost'] : []}
        />
      )}
      {list.rows.length > 0 && (
        <DataTable
          label="Services"
          rows={list.rows}
          keyOf={({ id }) => id}
          selected={list.rows.find(({ name }) => name === params.name)?.id}
          onOpen={({ name }) => go(`/services/${name}`)}
          onEnd={list.loadMore}
          onVisible={shown.show}
          columns={[
            {
              name: 'Service',
              width: '240px',
              cell: ({ name }) => <strong title={name}>{name}</strong>,
            },
            {
              name: 'State',
              width: '150px',
              cell: ({ name, routes }) => {
                const outage = outages.get(name)
                if (outage !== undefined) return <Chip tone="bad">{outage}</Chip>
                // The list of outages has only services with routes.
                return routes === 0 ? <Chip>no route</Chip> : <Chip tone="good">served</Chip>
              },
            },
            {
              name: 'Traffic (5 min)',
              width: '220px',
              cell: service => <TrafficCell service={service} shown={shown} />,
            },
            {
              name: 'Routes',
              width: '70px',
              align: 'end',
              cell: ({ name, routes }) => <a href={hrefOf(`/routes?service=${name}`)}>{count(routes)}</a>,
            },
            {
              name: 'Policy',
              width: '200px',
              cell: ({ policy }) => (
                <span class="row" title={Object.keys(policy).join(', ')}>
                  {Object.keys(policy).map(key => (
                    <Chip key={key}>{key}</Chip>
                  ))}
                </span>
              ),
            },
            {
              name: 'Last request',
              width: '120px',
              cell: service => <LastRequestCell service={service} shown={shown} />,
            },
          ]}
        />
      )}
      {params.name !== undefined && (
        <ServiceDrawer key={params.name} name={params.name} onClose={() => go('/services')} />
      )}
    </>
  )
}
