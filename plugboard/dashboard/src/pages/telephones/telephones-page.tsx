// The connected telephones, by name, with their tunnels, services and tokens. A telephone that connects appears at once: its lines are
// events of the live connection.

import { useRoute } from 'preact-iso'
import type { ListedTelephone, MissingReplicas, TunnelHistoryBody } from '../../../../admin/api-types.ts'
import { anyChange } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Drawer } from '../../parts/drawer.tsx'
import { Empty } from '../../parts/empty.tsx'
import { milliseconds } from '../../parts/format.ts'
import { MissingReplicasNotice, PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { TimeAgo } from '../../parts/time-ago.tsx'
import { may } from '../../session/session.ts'
import { hrefOf, useAddress } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { TextFilter } from '../../tables/text-filter.tsx'
import { type ListPage, useList } from '../../tables/use-list.ts'
import { endsText } from './reason-text.ts'
import { ServiceChips } from './service-chips.tsx'
import { telephonesOf, tunnelTexts } from './telephone.ts'
import { TelephoneDetails } from './telephone-details.tsx'
import { TokenLeft } from './token-left.tsx'

interface TelephonePage extends ListPage<ListedTelephone> {
  readonly missingReplicas: MissingReplicas
}

export function TelephonesPage() {
  const { params } = useRoute()
  const { filter, setFilters, go } = useAddress()
  const service = filter('service')
  const list = useList<ListedTelephone, TelephonePage>('/v1/telephones', { service }, anyChange)
  const history = useQuery<TunnelHistoryBody>(
    'tunnel ends',
    signal => get('/v1/telephones/history', {}, signal),
    { on: anyChange },
  )
  const telephones = telephonesOf(list.rows)
  const ends = history.data?.ends ?? {}
  return (
    <>
      <PageHead title="Telephones">
        <span class="spring" />
        {may('tokens:write') && (
          <a class="button" href={hrefOf('/access?new=token')}>
            Issue a token
          </a>
        )}
      </PageHead>
      <div class="filters">
        <TextFilter label="Service" value={service} onChange={text => setFilters({ service: text })} />
      </div>
      <div class="stack">
        <QueryNotice query={list.first} />
        <MissingReplicasNotice missing={list.first.data?.missingReplicas} />
        {list.first.data !== undefined && telephones.length === 0 && (
          <Empty
            title={service === '' ? 'No telephone is connected' : `No telephone serves ${service}`}
            commands={['npx --no telephone http 3000 --mount app.localhost']}
          />
        )}
        {telephones.length > 0 && (
          <DataTable
            label="Telephones"
            rows={telephones}
            keyOf={({ name }) => name}
            selected={params.name}
            onOpen={({ name }) => go(`/telephones/${encodeURIComponent(name)}`)}
            onEnd={list.loadMore}
            columns={[
              { name: 'Name', cell: ({ name }) => <strong>{name}</strong> },
              { name: 'Services', isWide: true, cell: ({ tunnels }) => <ServiceChips tunnels={tunnels} /> },
              {
                name: 'Tunnels',
                cell: ({ tunnels }) =>
                  tunnelTexts(tunnels).map(text => (
                    <div key={text} class="one-line">
                      {text}
                    </div>
                  )),
              },
              { name: 'Since', cell: ({ connectedAt }) => <TimeAgo time={connectedAt} /> },
              {
                name: 'Token expires in',
                align: 'end',
                cell: ({ tokenExpiresAt }) => <TokenLeft until={tokenExpiresAt} />,
              },
              {
                name: 'Lost tunnels',
                cell: ({ name }) => (Object.hasOwn(ends, name) ? endsText(ends[name] ?? {}) : '–'),
              },
              { name: 'RTT', align: 'end', cell: ({ rttMs }) => milliseconds(rttMs) },
              { name: 'Streams', align: 'end', cell: ({ streams }) => streams },
              { name: 'Agent', cell: ({ agent }) => agent },
            ]}
          />
        )}
      </div>
      {params.name !== undefined && list.first.data !== undefined && (
        <Drawer key={params.name} title={params.name} label="Telephone" onClose={() => go('/telephones')}>
          <TelephoneDetails
            name={params.name}
            telephone={telephones.find(({ name }) => name === params.name)}
          />
        </Drawer>
      )}
    </>
  )
}
