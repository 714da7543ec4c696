// The requests of all replicas as they end, the last failures, and the explanation of one.

import { useState } from 'preact/hooks'
import { useRoute } from 'preact-iso'
import type { RequestBody } from '../../../../admin/api-types.ts'
import { Drawer } from '../../parts/drawer.tsx'
import { Empty } from '../../parts/empty.tsx'
import { QueryNotice } from '../../parts/page-head.tsx'
import { useAddress } from '../../shell/address.ts'
import { LiveBar } from '../../tables/live-bar.tsx'
import { useList } from '../../tables/use-list.ts'
import { useLiveRows } from '../../tables/use-live-rows.ts'
import { Explanation } from './explanation.tsx'
import { RequestFilters, useRequestFilters } from './request-filters.tsx'
import { RequestTable } from './request-table.tsx'
import { TrafficHead } from './traffic-head.tsx'

export function TrafficPage() {
  const { params } = useRoute()
  const { filter, go } = useAddress()
  const filters = useRequestFilters()
  // A request of the live list may have no explanation. Its line is then all that is known.
  const [line, setLine] = useState<RequestBody | undefined>(undefined)
  const view = filter('view') === 'failures' ? 'failures' : 'live'
  const List = view === 'live' ? LiveRequests : Failures
  return (
    <>
      <TrafficHead view={view} />
      <RequestFilters filters={filters} />
      <List
        filters={filters}
        selected={params.id}
        onOpen={request => {
          setLine(request)
          go(`/traffic/${request.requestId}`)
        }}
      />
      {params.id !== undefined && (
        <Drawer key={params.id} title="Request" label="Request" onClose={() => go('/traffic')}>
          <Explanation id={params.id} line={line?.requestId === params.id ? line : undefined} />
        </Drawer>
      )}
    </>
  )
}

interface ListProps {
  readonly filters: Readonly<Record<string, string>>
  readonly selected: string | undefined
  readonly onOpen: (request: RequestBody) => void
}

const keyOf = ({ requestId, at }: RequestBody): string => `${requestId} ${at}`

function LiveRequests({ filters, ...table }: ListProps) {
  const [isPaused, setPaused] = useState(false)
  const live = useLiveRows<RequestBody>({
    path: '/v1/requests/stream',
    query: filters,
    event: 'request',
    keyOf,
    isPaused,
  })
  return (
    <div class="stack">
      <LiveBar noun="request" live={live} isPaused={isPaused} onPause={setPaused} />
      {live.rows.length === 0 && live.isOpen && (
        <Empty title="Waiting for requests">
          <p>
            Requests that match the filters appear here when they end. Earlier failures are in the view
            "Failed or slow".
          </p>
        </Empty>
      )}
      {live.rows.length > 0 && <RequestTable rows={live.rows} keyOf={keyOf} {...table} />}
    </div>
  )
}

function Failures({ filters, ...table }: ListProps) {
  const list = useList<RequestBody>('/v1/requests', filters)
  return (
    <div class="stack">
      <div class="row">
        <button type="button" onClick={list.first.reload}>
          Read again
        </button>
        <span class="soft">
          Each replica keeps its last 5,000 requests that failed, were slow or were retried.
        </span>
      </div>
      <QueryNotice query={list.first} />
      {list.first.data !== undefined && list.rows.length === 0 && (
        <Empty title="No failed or slow request matches the filters">
          <p>A restart of a replica deletes its list. The view "Live" shows all requests as they end.</p>
        </Empty>
      )}
      {list.rows.length > 0 && (
        <RequestTable rows={list.rows} keyOf={keyOf} onEnd={list.loadMore} {...table} />
      )}
    </div>
  )
}
