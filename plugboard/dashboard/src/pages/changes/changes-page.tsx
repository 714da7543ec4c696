// The audit log: each change with its author, its difference and its undo.

import { useState } from 'preact/hooks'
import type { ChangeBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { count } from '../../parts/format.ts'
import { PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { TimeAgo } from '../../parts/time-ago.tsx'
import { useAddress } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { TextFilter } from '../../tables/text-filter.tsx'
import { useList } from '../../tables/use-list.ts'
import { ChangeDialog } from './change-dialog.tsx'
import { diffOf, rowName } from './change-text.ts'

const ENTITIES = ['route', 'service', 'token', 'signing_key', 'admin_key'] as const

export function ChangesPage() {
  const { filter, setFilters } = useAddress()
  const [opened, setOpened] = useState<ChangeBody | undefined>(undefined)
  const filters = Object.fromEntries(
    ['entity', 'actor', 'route', 'service'].map(name => [name, filter(name)]),
  )
  const list = useList<ChangeBody>('/v1/changes', filters, changeCount)
  return (
    <>
      <PageHead title="Changes" />
      <div class="filters">
        <select
          aria-label="Kind of row"
          value={filter('entity')}
          onChange={event => setFilters({ entity: event.currentTarget.value })}
        >
          <option value="">all kinds</option>
          {ENTITIES.map(name => (
            <option key={name} value={name}>
              {name.replace('_', ' ')}
            </option>
          ))}
        </select>
        <TextFilter
          label="Route: mount or id"
          value={filter('route')}
          onChange={route => setFilters({ route })}
        />
        <TextFilter label="Service" value={filter('service')} onChange={service => setFilters({ service })} />
        <TextFilter label="Actor" value={filter('actor')} onChange={actor => setFilters({ actor })} />
      </div>
      <QueryNotice query={list.first} />
      {list.first.data !== undefined && list.rows.length === 0 && (
        <p class="soft">No change matches the filters.</p>
      )}
      {list.rows.length > 0 && (
        <DataTable
          label="Changes"
          rows={list.rows}
          keyOf={({ sequence }) => String(sequence)}
          onOpen={setOpened}
          onEnd={list.loadMore}
          columns={[
            { name: 'Change', align: 'end', cell: ({ sequence }) => sequence },
            { name: 'When', cell: ({ at }) => <TimeAgo time={at} /> },
            { name: 'Action', cell: ({ action }) => action },
            { name: 'Kind', cell: ({ entity }) => entity.replace('_', ' ') },
            { name: 'Row', isWide: true, cell: change => rowName(change) },
            {
              name: 'Fields',
              align: 'end',
              cell: ({ before, after }) => count(diffOf(before, after).length),
            },
            { name: 'Actor', isWide: true, cell: ({ actor }) => <span class="mono">{actor}</span> },
          ]}
        />
      )}
      {opened !== undefined && <ChangeDialog change={opened} onClose={() => setOpened(undefined)} />}
    </>
  )
}
