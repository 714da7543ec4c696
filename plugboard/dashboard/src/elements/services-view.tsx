// The services with their state, their lines and their traffic of this moment.

import { useEffect } from 'preact/hooks'
import type { OutagesBody, ReplicasBody } from '../../../admin/api-types.ts'
import { mergePoints } from '../../../observe/traffic/traffic-point.ts'
import { useQuery } from '../api/use-query.ts'
import { useSecond } from '../charts/use-traffic.ts'
import { Chip } from '../parts/chip.tsx'
import { count, milliseconds, percent, rate } from '../parts/format.ts'
import { MissingReplicasNotice, QueryNotice } from '../parts/page-head.tsx'
import { DataTable } from '../tables/data-table.tsx'
import type { ViewProps } from './plugboard-element.tsx'

/** Time between two reads, ms. Without the scope changes:read, no event reports a new route. */
const EVERY_MS = 5000
/** The figures are those of this time, s. */
const SECONDS = 10
/** The largest number of services in one stream. */
const MAX_LIVE = 100

export function ServicesView({ source, service: only }: ViewProps) {
  const { live, changes } = source
  const replicas = useQuery<ReplicasBody>('replicas', signal => source.get('/v1/replicas', {}, signal), {
    on: changes,
    everyMs: EVERY_MS,
  })
  const outages = useQuery<OutagesBody>('outages', signal => source.get('/v1/outages', {}, signal), {
    on: changes,
    everyMs: EVERY_MS,
  })
  const reasons = new Map(
    outages.data?.items.map(({ service, reason }) => [service, reason.replaceAll('_', ' ')]),
  )
  const lines = new Map(
    replicas.data?.lines.map(each => [
      each.service,
      Object.values(each.replicas).reduce((sum, n) => sum + n, 0),
    ]),
  )
  const names = [...new Set([...lines.keys(), ...reasons.keys()])]
    .filter(name => only === undefined || name === only)
    .sort()
  const wanted = names.slice(0, MAX_LIVE).join()
  useEffect(() => (wanted === '' ? undefined : live.want(wanted.split(','))), [live, wanted])
  useSecond(live)
  const now = Math.floor(Date.now() / 1000)
  const rows = names.map(name => {
    const points = live.between(name, now - SECONDS, now).filter(point => point !== undefined)
    const merged = mergePoints(points)
    const requests = merged.classes.reduce((sum, n) => sum + n, 0)
    return {
      name,
      requests,
      failed: merged.classes[3],
      p95Ms: merged.quantiles?.[1],
      lines: lines.get(name) ?? 0,
    }
  })
  const isLoaded = replicas.data !== undefined && outages.data !== undefined
  return (
    <>
      {source.state.value.name === 'live' && (
        <QueryNotice query={replicas.error === undefined ? outages : replicas} />
      )}
      <MissingReplicasNotice missing={replicas.data?.missingReplicas} />
      {isLoaded && rows.length === 0 && (
        <div class="notice" part="notice">
          No service has a line or a route.
        </div>
      )}
      {rows.length > 0 && (
        <DataTable
          label="Services"
          rows={rows}
          keyOf={({ name }) => name}
          columns={[
            { name: 'Service', isWide: true, cell: ({ name }) => <strong>{name}</strong> },
            {
              name: 'State',
              cell: ({ name }) => {
                const reason = reasons.get(name)
                return <Chip tone={reason === undefined ? 'good' : 'bad'}>{reason ?? 'served'}</Chip>
              },
            },
            { name: 'Lines', align: 'end', cell: row => count(row.lines) },
            { name: 'Requests', align: 'end', cell: ({ requests }) => rate(requests / SECONDS) },
            {
              name: 'Failed',
              align: 'end',
              cell: ({ failed, requests }) => (
                <span class={failed > 0 ? 'bad' : undefined}>
                  {percent(requests === 0 ? 0 : failed / requests)}
                </span>
              ),
            },
            { name: 'p95', align: 'end', cell: ({ p95Ms }) => milliseconds(p95Ms) },
          ]}
        />
      )}
    </>
  )
}
