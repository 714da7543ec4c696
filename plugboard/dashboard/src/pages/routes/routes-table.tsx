// The table of the routes: the columns, and the traffic of the routes on the screen.

import { useMemo } from 'preact/hooks'
import type { RouteBody } from '../../../../admin/api-types.ts'
import { CopyButton } from '../../parts/copy-button.tsx'
import { may, session } from '../../session/session.ts'
import { hrefOf } from '../../shell/address.ts'
import { type Column, DataTable } from '../../tables/data-table.tsx'
import { urlOfMount } from './mount-url.ts'
import { type RouteTrafficReader, useRouteTraffic } from './route-traffic.ts'
import { ErrorsCell, LastRequestCell, RateCell, TimeCell } from './route-traffic-cells.tsx'
import { RuleChips } from './rule-chips.tsx'

export function RoutesTable(props: {
  rows: readonly RouteBody[]
  selected: string | undefined
  onOpen: (route: RouteBody) => void
  onEnd: () => void
}) {
  const traffic = useRouteTraffic()
  const showsTraffic = may('status:read')
  const columns = useMemo(() => columnsOf(traffic, showsTraffic), [traffic, showsTraffic])
  return (
    <DataTable
      label="Routes"
      rows={props.rows}
      keyOf={idOf}
      selected={props.selected}
      onOpen={props.onOpen}
      onEnd={props.onEnd}
      onVisible={showsTraffic ? traffic.show : undefined}
      columns={columns}
    />
  )
}

export const idOf = ({ id }: RouteBody): string => id

const columnsOf = (traffic: RouteTrafficReader, showsTraffic: boolean): readonly Column<RouteBody>[] => [
  { name: 'Mount', width: '230px', cell: route => <MountLink route={route} /> },
  {
    name: 'Service',
    width: '130px',
    cell: ({ service }) =>
      service === null ? (
        <span class="soft">–</span>
      ) : (
        <a href={hrefOf(`/services/${service}`)} title={service}>
          {service}
        </a>
      ),
  },
  { name: 'Rules', width: '150px', cell: ({ options }) => <RuleChips options={options} /> },
  ...(showsTraffic ? trafficColumns(traffic) : []),
  {
    name: 'Last request',
    width: '115px',
    cell: route => <LastRequestCell route={route} numbers={traffic.numbersOf(route.id)} />,
  },
  {
    name: 'Claimed by',
    width: '120px',
    cell: ({ lastTelephone, claimedBy }) => claimedBy && (lastTelephone ?? 'a telephone'),
  },
]

const trafficColumns = (traffic: RouteTrafficReader): readonly Column<RouteBody>[] => [
  {
    name: 'Requests',
    width: '130px',
    align: 'end',
    cell: ({ id }) => <RateCell numbers={traffic.numbersOf(id)} />,
  },
  {
    name: '5xx',
    width: '80px',
    align: 'end',
    cell: ({ id }) => <ErrorsCell numbers={traffic.numbersOf(id)} />,
  },
  {
    name: 'p95',
    width: '75px',
    align: 'end',
    cell: ({ id }) => <TimeCell numbers={traffic.numbersOf(id)} />,
  },
]

/** Opens the mount in a new tab. A mount with a wildcard has no single URL. */
function MountLink({ route }: { route: RouteBody }) {
  const url = urlOfMount(route, session.value?.plugboardUrl ?? '')
  return (
    <span class="with-copy">
      {url === undefined ? (
        <span class="mono" title={route.mount}>
          {route.mount}
        </span>
      ) : (
        <a class="mono" href={url} title={url} target="_blank" rel="noreferrer">
          {route.mount}
        </a>
      )}
      <CopyButton text={url ?? route.mount} />
    </span>
  )
}
