// The telephone processes of a service on all replicas, with the decisions of the policy now, and the actions of operators.

import { useState } from 'preact/hooks'
import type { ServiceBody, ServiceProcessBody, ServiceProcessesBody } from '../../../../admin/api-types.ts'
import { anyChange } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { Empty } from '../../parts/empty.tsx'
import { clockTime, count, milliseconds } from '../../parts/format.ts'
import { MissingReplicasNotice, QueryNotice } from '../../parts/page-head.tsx'
import { may } from '../../session/session.ts'
import { hrefOf } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { Canary } from './canary.tsx'
import { NextRequest } from './next-request.tsx'
import { effectOf } from './override-text.ts'
import { ProcessDialog } from './process-dialog.tsx'
import { useRoundTrips } from './use-round-trips.ts'

const EVERY_MS = 2000
const TONES: Readonly<Record<ServiceProcessBody['state'], Tone>> = {
  serving: 'good',
  half_open: 'warn',
  ejected: 'bad',
  down: 'bad',
  unreachable: 'bad',
  draining: 'warn',
}

export function Processes({ name, service }: { name: string; service: ServiceBody | undefined }) {
  const query = useQuery<ServiceProcessesBody>(
    `processes ${name}`,
    signal => get(`/v1/services/${encodeURIComponent(name)}/processes`, {}, signal),
    { on: anyChange, everyMs: EVERY_MS },
  )
  const roundTrips = useRoundTrips(name)
  const [steered, setSteered] = useState<string | undefined>(undefined)
  const { data } = query
  if (data === undefined) return <QueryNotice query={query} />
  const next = new Set(data.replicas.flatMap(({ picks }) => picks.flatMap(({ instance }) => instance ?? [])))
  const process = data.items.find(({ instance }) => instance === steered)
  return (
    <div class="stack">
      <QueryNotice query={query} />
      <MissingReplicasNotice missing={data.missingReplicas} />
      {data.items.length === 0 ? (
        <Empty
          title="No telephone offers this service"
          commands={[`npx --no telephone http 3000 --service ${name}`]}
        />
      ) : (
        <DataTable
          label="Processes"
          rows={data.items}
          keyOf={({ instance }) => instance}
          columns={[
            {
              name: 'Telephone',
              cell: ({ telephone, instance }) => (
                <span class="row">
                  <a href={hrefOf(`/telephones/${encodeURIComponent(telephone)}`)}>{telephone}</a>
                  {next.has(instance) && <Chip tone="accent">next</Chip>}
                </span>
              ),
            },
            { name: 'State', cell: each => <State process={each} /> },
            ...(may('services:write')
              ? [
                  {
                    name: 'Action',
                    cell: ({ instance, telephone }: ServiceProcessBody) => (
                      <button
                        type="button"
                        aria-label={`Steer ${telephone}`}
                        onClick={() => setSteered(instance)}
                      >
                        Steer
                      </button>
                    ),
                  },
                ]
              : []),
            { name: 'Weight', align: 'end', cell: each => <Weight process={each} /> },
            { name: 'Cost', align: 'end', cell: ({ replicas }) => milliseconds(lowest(replicas, 'costMs')) },
            { name: 'Response', align: 'end', cell: ({ responseMs }) => milliseconds(responseMs) },
            { name: 'Streams', align: 'end', cell: ({ streams }) => count(streams) },
            { name: 'Share', align: 'end', cell: ({ sharePercent }) => `${sharePercent} %` },
            {
              name: 'Errors',
              align: 'end',
              cell: ({ errors, requests }) => (
                <span class={errors > 0 ? 'bad' : undefined}>
                  {count(errors)} of {count(requests)}
                </span>
              ),
            },
            {
              name: 'Version',
              cell: ({ version }) => <span class="one-line">{version || '–'}</span>,
            },
            { name: 'Subset', cell: ({ subset }) => subset ?? <span class="soft">–</span> },
            { name: 'RTT', align: 'end', cell: ({ instance }) => milliseconds(roundTrips.get(instance)) },
            { name: 'Tunnels on', cell: tunnelsOn },
          ]}
        />
      )}
      {service !== undefined && <Canary service={service} live={data} />}
      {data.items.length > 0 && <NextRequest live={data} />}
      {process !== undefined && (
        <ProcessDialog service={name} process={process} onClose={() => setSteered(undefined)} />
      )}
    </div>
  )
}

/** The state and the override. The title lists replicas with another state. */
function State({ process }: { process: ServiceProcessBody }) {
  const state = process.state.replace('_', ' ')
  const whole = process.override === null ? '' : effectOf(process.override)
  const effect = whole.startsWith(`${state} `) ? whole.slice(state.length + 1) : whole
  return (
    <span class="row">
      <Chip tone={TONES[process.state]} title={reasonOf(process)}>
        {state}
      </Chip>
      {effect !== '' && <span class="soft">{effect}</span>}
    </span>
  )
}

function Weight({ process: { weight, override, replicas } }: { process: ServiceProcessBody }) {
  const starts = replicas.flatMap(({ slowStartPercent }) => slowStartPercent ?? [])
  const title = starts.length === 0 ? undefined : `slow start: ${Math.min(...starts)} %`
  const set = override?.weight ?? null
  return (
    <span title={title}>
      {set ?? weight}
      {set !== null && <span class="soft"> of {weight}</span>}
    </span>
  )
}

function lowest(replicas: ServiceProcessBody['replicas'], field: 'costMs'): number | null {
  const values = replicas.flatMap(replica => replica[field] ?? [])
  return values.length === 0 ? null : Math.min(...values)
}

const tunnelsOn = ({ replicas }: ServiceProcessBody): string =>
  [...new Set(replicas.flatMap(each => each.tunnelsOn))].join(' ')

/** Returns the states on the replicas, and the reasons of ejections, for a title. */
function reasonOf({ replicas }: ServiceProcessBody): string {
  return replicas
    .map(({ replicaId, state, ejection }) => {
      const last = ejection?.failures.at(-1)
      const failure = last === undefined ? '' : `, last: ${last.failure} at ${clockTime(last.at)}`
      const reason = ejection === null ? '' : ` (${ejection.reason.replaceAll('_', ' ')}${failure})`
      return `${replicaId}: ${state.replace('_', ' ')}${reason}`
    })
    .join('\n')
}
