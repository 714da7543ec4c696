// The captured exchanges of one service. New exchanges appear when they end.

import { useEffect, useState } from 'preact/hooks'
import type { ExchangePageBody, ExchangeSummaryBody, ServiceBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { ExchangeTable } from '../../inspector/exchange-table.tsx'
import { Empty } from '../../parts/empty.tsx'
import { MissingReplicasNotice, QueryNotice } from '../../parts/page-head.tsx'
import { hrefOf, useAddress } from '../../shell/address.ts'
import { LiveBar } from '../../tables/live-bar.tsx'
import { useList } from '../../tables/use-list.ts'
import { useLiveRows } from '../../tables/use-live-rows.ts'
import { RequestFilters, useRequestFilters } from '../traffic/request-filters.tsx'
import { ExchangeDrawer } from './exchange-drawer.tsx'
import { inspectedUntil } from './inspection.ts'
import { InspectionSwitch } from './inspection-switch.tsx'

const keyOf = ({ id }: ExchangeSummaryBody): string => id
/** The parts of the address that belong to the drawer. */
const OF_DRAWER = ['tab', 'with'] as const

export function ServiceExchanges({
  service: name,
  exchange,
}: {
  service: string
  exchange: string | undefined
}) {
  const { go } = useAddress()
  const servicePath = `/v1/services/${encodeURIComponent(name)}`
  const service = useQuery<ServiceBody>(`service ${name}`, signal => get(servicePath, {}, signal), {
    on: changeCount,
  })
  const filters = useRequestFilters('service')
  const [isPaused, setPaused] = useState(false)
  const path = `${servicePath}/exchanges`
  const list = useList<ExchangeSummaryBody, ExchangePageBody>(path, filters)
  const live = useLiveRows<ExchangeSummaryBody>({ path, query: filters, event: 'exchange', keyOf, isPaused })
  // The list has the exchanges that ended before the stream was open.
  useEffect(() => {
    if (live.opened > 0) list.first.reload()
  }, [live.opened])

  const rows = merged(live.rows, list.rows)
  const isOff = service.data !== undefined && inspectedUntil(service.data) === undefined
  const pathOf = (id: string): string => `/traffic/inspector/${name}/${id}`
  return (
    <div class="stack">
      <div class="row">
        <a href={hrefOf('/traffic/inspector')}>All services</a>
        <h2>{name}</h2>
        {service.data !== undefined && <InspectionSwitch service={service.data} />}
      </div>
      <QueryNotice query={service} />
      <RequestFilters filters={filters} />
      <LiveBar noun="exchange" live={{ ...live, rows }} isPaused={isPaused} onPause={setPaused} />
      <QueryNotice query={list.first} />
      <MissingReplicasNotice missing={list.first.data?.missingReplicas} />
      {list.first.data !== undefined && rows.length === 0 && (
        <Empty
          title={isOff ? 'The inspector of this service is off' : 'No exchange matches yet'}
          commands={isOff ? [`npx --no plugboard service set ${name} --inspect 30m`] : []}
        >
          <p>
            {isOff
              ? 'Turn it on, and send a request to the service.'
              : 'Send a request to the service. It appears here when it ends.'}
          </p>
        </Empty>
      )}
      {rows.length > 0 && (
        <ExchangeTable
          rows={rows}
          selected={exchange}
          onOpen={id => go(pathOf(id), OF_DRAWER)}
          onEnd={list.loadMore}
        />
      )}
      {exchange !== undefined && (
        <ExchangeDrawer
          key={exchange}
          id={exchange}
          service={name}
          others={rows}
          hrefOfExchange={id => hrefOf(pathOf(id))}
          onClose={() => go(`/traffic/inspector/${name}`, OF_DRAWER)}
        />
      )}
    </div>
  )
}

/** Returns each exchange once. A live one is newer than its row in the list. */
function merged(
  live: readonly ExchangeSummaryBody[],
  list: readonly ExchangeSummaryBody[],
): readonly ExchangeSummaryBody[] {
  const newer = new Map(live.map(row => [row.id, row]))
  const old = list.map(row => newer.get(row.id) ?? row)
  const listed = new Set(list.map(({ id }) => id))
  return [...live.filter(({ id }) => !listed.has(id)), ...old]
}
