// The audit log: each change with its author, its difference and its undo. A change has its own address.

import { useRoute } from 'preact-iso'
import type { ChangeBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Drawer } from '../../parts/drawer.tsx'
import { Empty } from '../../parts/empty.tsx'
import { count } from '../../parts/format.ts'
import { PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { TimeAgo } from '../../parts/time-ago.tsx'
import { useAddress } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { type ListPage, useList } from '../../tables/use-list.ts'
import { actorText, useActorNames } from './actor.ts'
import { ChangeDetails } from './change-details.tsx'
import { ChangeFilters, useChangeFilters } from './change-filters.tsx'
import { changeText, diffOf, rowName } from './change-text.ts'

export function ChangesPage() {
  const { params } = useRoute()
  const { go } = useAddress()
  const filters = useChangeFilters()
  const list = useList<ChangeBody>('/v1/changes', filters, changeCount)
  const names = useActorNames()
  const isFiltered = Object.values(filters).some(value => value !== '')
  return (
    <>
      <PageHead title="Changes" />
      <ChangeFilters filters={filters} />
      <div class="stack">
        <QueryNotice query={list.first} />
        {list.first.data !== undefined && list.rows.length === 0 && (
          <Empty
            title={isFiltered ? 'No change matches the filters' : 'No change yet'}
            commands={isFiltered ? [] : ['npx --no plugboard route add shop.localhost --service web']}
          >
            <p>
              {isFiltered
                ? 'Remove a filter, or wait: new changes appear here.'
                : 'Each change of a route, a service, a token or a key appears here with its author.'}
            </p>
          </Empty>
        )}
        {list.rows.length > 0 && (
          <DataTable
            label="Changes"
            rows={list.rows}
            keyOf={({ sequence }) => String(sequence)}
            selected={params.sequence}
            onOpen={({ sequence }) => go(`/changes/${sequence}`)}
            onEnd={list.loadMore}
            columns={[
              { name: 'Change', width: '80px', align: 'end', cell: ({ sequence }) => sequence },
              { name: 'When', width: '110px', cell: ({ at }) => <TimeAgo time={at} /> },
              { name: 'Action', width: '90px', cell: ({ action }) => action },
              { name: 'Kind', width: '130px', cell: ({ entity }) => entity.replace('_', ' ') },
              {
                name: 'Row',
                width: '290px',
                cell: change => <span title={rowName(change)}>{rowName(change)}</span>,
              },
              {
                name: 'Fields',
                width: '70px',
                align: 'end',
                cell: ({ before, after }) => count(diffOf(before, after).length),
              },
              {
                name: 'Actor',
                width: '220px',
                cell: ({ actor }) => <span title={actor}>{actorText(actor, names)}</span>,
              },
            ]}
          />
        )}
        {list.hasMore && (
          <div>
            <button type="button" onClick={list.loadMore}>
              Load older changes
            </button>
          </div>
        )}
      </div>
      {params.sequence !== undefined && (
        <OpenedChange
          key={params.sequence}
          sequence={params.sequence}
          listed={list.rows.find(({ sequence }) => String(sequence) === params.sequence)}
          onClose={() => go('/changes')}
        />
      )}
    </>
  )
}

/** `listed`: the change, when the list has it. */
function OpenedChange(props: { sequence: string; listed: ChangeBody | undefined; onClose: () => void }) {
  const { sequence, listed, onClose } = props
  const query = useQuery<ChangeBody | undefined>(`change ${sequence}`, async signal => {
    const before = Number(sequence) + 1
    const page = await get<ListPage<ChangeBody>>('/v1/changes', { before, limit: 1 }, signal)
    return page.items.find(item => String(item.sequence) === sequence)
  })
  const change = listed ?? query.data
  return (
    <Drawer title={change === undefined ? 'Change' : changeText(change)} label="Change" onClose={onClose}>
      {change !== undefined && <ChangeDetails change={change} onUndone={onClose} />}
      {change === undefined && <QueryNotice query={query} />}
      {change === undefined && query.error === undefined && !query.isLoading && (
        <p>The log has no change {sequence}. It keeps the newest changes only (the setting changesKept).</p>
      )}
    </Drawer>
  )
}
