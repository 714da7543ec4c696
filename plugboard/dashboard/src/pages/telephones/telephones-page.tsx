// The connected telephones, by name, with their tunnels and services.

import { useRoute } from 'preact-iso'
import type { ListedTelephone, MissingReplicas } from '../../../../admin/api-types.ts'
import { anyChange } from '../../api/live.ts'
import { Chip } from '../../parts/chip.tsx'
import { Drawer } from '../../parts/drawer.tsx'
import { Empty } from '../../parts/empty.tsx'
import { fullTime, milliseconds } from '../../parts/format.ts'
import { MissingReplicasNotice, PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { TimeAgo } from '../../parts/time-ago.tsx'
import { hrefOf, useAddress } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { TextFilter } from '../../tables/text-filter.tsx'
import { type ListPage, useList } from '../../tables/use-list.ts'

interface TelephonePage extends ListPage<ListedTelephone> {
  readonly missingReplicas: MissingReplicas
}

/** One telephone with all its tunnels. */
interface Telephone {
  readonly name: string
  readonly tunnels: readonly ListedTelephone[]
}

export function TelephonesPage() {
  const { params } = useRoute()
  const { filter, setFilters, go } = useAddress()
  const service = filter('service')
  const list = useList<ListedTelephone, TelephonePage>('/v1/telephones', { service }, anyChange)
  const telephones = byName(list.rows)
  const opened = telephones.find(({ name }) => name === params.name)
  return (
    <>
      <PageHead title="Telephones" />
      <div class="filters">
        <TextFilter label="Service" value={service} onChange={text => setFilters({ service: text })} />
      </div>
      <div class="stack">
        <QueryNotice query={list.first} />
        <MissingReplicasNotice missing={list.first.data?.missingReplicas} />
        {list.first.data !== undefined && telephones.length === 0 && (
          <Empty
            title="No telephone is connected"
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
              { name: 'Name', isWide: true, cell: ({ name }) => <strong>{name}</strong> },
              { name: 'Services', isWide: true, cell: ({ tunnels }) => <ServiceChips tunnels={tunnels} /> },
              {
                name: 'Tunnels on',
                cell: ({ tunnels }) => tunnels.map(({ replicaId }) => replicaId).join(' '),
              },
              { name: 'Since', cell: ({ tunnels }) => <TimeAgo time={tunnels[0]?.connectedAt ?? null} /> },
              { name: 'RTT', align: 'end', cell: ({ tunnels }) => milliseconds(tunnels[0]?.rttMs) },
              {
                name: 'Streams',
                align: 'end',
                cell: ({ tunnels }) => tunnels.reduce((sum, { streams }) => sum + streams, 0),
              },
              { name: 'Agent', cell: ({ tunnels }) => tunnels[0]?.agent },
              {
                name: 'Address',
                cell: ({ tunnels }) => <span class="mono">{tunnels[0]?.remoteAddress}</span>,
              },
            ]}
          />
        )}
      </div>
      {params.name !== undefined && opened !== undefined && (
        <Drawer key={opened.name} title={opened.name} label="Telephone" onClose={() => go('/telephones')}>
          <Details telephone={opened} />
        </Drawer>
      )}
    </>
  )
}

function byName(tunnels: readonly ListedTelephone[]): Telephone[] {
  const groups = Map.groupBy(tunnels, ({ name }) => name)
  return [...groups].map(([name, all]) => ({ name, tunnels: all }))
}

function ServiceChips({ tunnels }: { tunnels: readonly ListedTelephone[] }) {
  const services = new Map(tunnels.flatMap(tunnel => tunnel.services).map(each => [each.service, each]))
  return (
    <span class="row">
      {[...services.values()].map(({ service, health, outage, ejections }) => {
        const isEjected = ejections.some(({ state }) => state === 'ejected')
        const tone = health === 'down' || isEjected ? 'bad' : 'good'
        return (
          <Chip key={service} tone={tone} title={outage?.detail ?? ''}>
            {service}
            {health === 'down' ? ': down' : isEjected ? ': ejected' : ''}
          </Chip>
        )
      })}
    </span>
  )
}

function Details({ telephone: { tunnels } }: { telephone: Telephone }) {
  return (
    <div class="stack">
      {tunnels.map(tunnel => (
        <section key={tunnel.id} class="card" aria-label={`Tunnel on ${tunnel.replicaId}`}>
          <header>
            <h3>Tunnel on {tunnel.replicaId}</h3>
          </header>
          <dl class="details">
            <dt>Connected</dt>
            <dd>{fullTime(tunnel.connectedAt)}</dd>
            <dt>From</dt>
            <dd class="mono">{tunnel.remoteAddress}</dd>
            <dt>Round trip</dt>
            <dd>{milliseconds(tunnel.rttMs)}</dd>
            <dt>Agent</dt>
            <dd>{tunnel.agent}</dd>
            <dt>Token</dt>
            <dd class="mono">{tunnel.tokenId}</dd>
            <dt>Tunnel id</dt>
            <dd class="mono">{tunnel.id}</dd>
          </dl>
          <ul class="list">
            {tunnel.services.map(({ service, mounts, weight, version, labels, health, outage }) => (
              <li key={service}>
                <a href={hrefOf(`/services/${service}`)}>{service}</a>
                <span class="spring soft small">
                  {[
                    ...mounts,
                    `weight ${weight}`,
                    version,
                    ...Object.entries(labels).map(([key, value]) => `${key}=${value}`),
                  ]
                    .filter(text => text !== '')
                    .join(' · ')}
                  {outage !== null && <div class="bad">{outage.detail}</div>}
                </span>
                <Chip tone={health === 'up' ? 'good' : 'bad'}>{health}</Chip>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  )
}
