// The services with the state of their inspector.

import type { ServiceBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { Empty } from '../../parts/empty.tsx'
import { QueryNotice } from '../../parts/page-head.tsx'
import { hrefOf, useAddress } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { TextFilter } from '../../tables/text-filter.tsx'
import { useList } from '../../tables/use-list.ts'
import { InspectionSwitch } from './inspection-switch.tsx'

export function InspectedServices() {
  const { filter, setFilters, go } = useAddress()
  const q = filter('q')
  const list = useList<ServiceBody>('/v1/services', { q }, changeCount)
  return (
    <div class="stack">
      <p class="soft">
        The inspector keeps requests and their responses in memory, with masked secrets, for at most 24 hours.
        Choose a service.
      </p>
      <search class="filters">
        <TextFilter label="Search" value={q} onChange={text => setFilters({ q: text })} />
      </search>
      <QueryNotice query={list.first} />
      {list.first.data !== undefined && list.rows.length === 0 && (
        <Empty
          title={q === '' ? 'No service yet' : 'No service matches the search'}
          commands={q === '' ? ['npx --no plugboard service add shop'] : []}
        />
      )}
      {list.rows.length > 0 && (
        <DataTable
          label="Services"
          rows={list.rows}
          keyOf={({ id }) => id}
          onOpen={({ name }) => go(`/traffic/inspector/${name}`)}
          onEnd={list.loadMore}
          columns={[
            {
              name: 'Service',
              isWide: true,
              cell: ({ name }) => <a href={hrefOf(`/traffic/inspector/${name}`)}>{name}</a>,
            },
            { name: 'Inspector', cell: service => <InspectionSwitch service={service} /> },
          ]}
        />
      )}
    </div>
  )
}
