// The requests of all replicas as they end, the last failures, and the explanation of one.

import { useState } from 'preact/hooks'
import { useRoute } from 'preact-iso'
import type { RequestBody } from '../../../../admin/api-types.ts'
import { Choice } from '../../forms/choice.tsx'
import { Drawer } from '../../parts/drawer.tsx'
import { clockTime, count, milliseconds } from '../../parts/format.ts'
import { PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { StatusChip } from '../../parts/status-chip.tsx'
import { useAddress } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { TextFilter } from '../../tables/text-filter.tsx'
import { useList } from '../../tables/use-list.ts'
import { Explanation } from './explanation.tsx'
import { useLiveLog } from './use-live-log.ts'

const FILTERS = [
  ['service', 'Service'],
  ['route', 'Mount'],
  ['status', 'Status, such as 5xx,404'],
  ['telephone', 'Telephone'],
  ['path', 'Path, such as /api'],
] as const
type View = 'live' | 'failures'

export function TrafficPage() {
  const { params } = useRoute()
  const { filter, setFilters, go } = useAddress()
  const view: View = filter('view') === 'failures' ? 'failures' : 'live'
  const filters = Object.fromEntries(FILTERS.map(([name]) => [name, filter(name)]))
  return (
    <>
      <PageHead title="Traffic">
        <span class="spring" />
        <Choice
          label="View"
          names={['live', 'failures'] as const}
          selected={view}
          onSelect={name => setFilters({ view: name === 'live' ? '' : name })}
        />
      </PageHead>
      <div class="filters">
        {FILTERS.map(([name, label]) => (
          <TextFilter
            key={name}
            label={label}
            value={filter(name)}
            onChange={value => setFilters({ [name]: value })}
          />
        ))}
      </div>
      {view === 'live' ? (
        <LiveLog filters={filters} selected={params.id} onOpen={id => go(`/traffic/${id}`)} />
      ) : (
        <Failures filters={filters} selected={params.id} onOpen={id => go(`/traffic/${id}`)} />
      )}
      {params.id !== undefined && (
        <Drawer key={params.id} title="Request" label="Request" onClose={() => go('/traffic')}>
          <Explanation id={params.id} />
        </Drawer>
      )}
    </>
  )
}

interface ListProps {
  readonly filters: Readonly<Record<string, string>>
  readonly selected: string | undefined
  readonly onOpen: (id: string) => void
}

function LiveLog({ filters, selected, onOpen }: ListProps) {
  const [isPaused, setPaused] = useState(false)
  const log = useLiveLog(filters, isPaused)
  return (
    <div class="stack">
      <div class="row">
        <button type="button" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          {isPaused ? 'Continue' : 'Pause'}
        </button>
        <span class="soft" role="status">
          {log.problem ??
            `${count(log.rows.length)} requests${log.dropped > 0 ? `, ${count(log.dropped)} not shown` : ''}`}
        </span>
      </div>
      {log.rows.length === 0 && log.problem === undefined && (
        <p class="soft">Requests that match the filters appear here when they end.</p>
      )}
      {log.rows.length > 0 && <Requests rows={log.rows} selected={selected} onOpen={onOpen} />}
    </div>
  )
}

function Failures({ filters, selected, onOpen }: ListProps) {
  const list = useList<RequestBody>('/v1/requests', filters)
  return (
    <div class="stack">
      <QueryNotice query={list.first} />
      {list.first.data !== undefined && list.rows.length === 0 && (
        <p class="soft">No failed or slow request matches the filters.</p>
      )}
      {list.rows.length > 0 && (
        <Requests rows={list.rows} selected={selected} onOpen={onOpen} onEnd={list.loadMore} />
      )}
    </div>
  )
}

function Requests(props: {
  rows: readonly RequestBody[]
  selected: string | undefined
  onOpen: (id: string) => void
  onEnd?: () => void
}) {
  const { rows, selected, onOpen, onEnd } = props
  return (
    <DataTable
      label="Requests"
      rows={rows}
      keyOf={({ requestId, at }) => `${requestId} ${at}`}
      selected={
        rows
          .map(({ requestId, at }) => [requestId, `${requestId} ${at}`])
          .find(([id]) => id === selected)?.[1]
      }
      onOpen={({ requestId }) => onOpen(requestId)}
      onEnd={onEnd}
      columns={[
        { name: 'Time', cell: ({ at }) => <span class="number">{clockTime(at)}</span> },
        { name: 'Status', cell: ({ status, code }) => <StatusChip status={status} code={code} /> },
        { name: 'Method', cell: ({ method }) => method },
        { name: 'URL', isWide: true, cell: ({ host, path }) => <span class="mono">{host + path}</span> },
        { name: 'Duration', align: 'end', cell: ({ durationMs }) => milliseconds(durationMs) },
        { name: 'Service', cell: ({ service }) => service },
        { name: 'Telephone', cell: ({ telephoneId }) => telephoneId },
        { name: 'Replica', cell: ({ replicaId }) => replicaId },
      ]}
    />
  )
}
