// The subsets of a service with their share of the requests, the errors and p95 of both sides, and the state of the guard. A slider
// changes a share: a dry run checks the policy while it moves, and Apply writes it.

import { useEffect, useState } from 'preact/hooks'
import type { ServiceBody, ServiceProcessesBody } from '../../../../admin/api-types.ts'
import { ApiError, request } from '../../api/request.ts'
import { showMessage } from '../../forms/action.tsx'
import { Chip } from '../../parts/chip.tsx'
import { count, milliseconds, percent } from '../../parts/format.ts'
import { may } from '../../session/session.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { type Side, sidesOf } from './sides.ts'

const WAIT_MS = 300

interface SubsetRules {
  readonly name: string
  readonly percent?: number
}

export function Canary({ service, live }: { service: ServiceBody; live: ServiceProcessesBody }) {
  const subsets = subsetsOf(service)
  if (subsets.length === 0) return null
  return (
    <div class="card stack">
      <h3>Subsets</h3>
      <DataTable
        label="Subsets"
        rows={sidesOf(live)}
        keyOf={({ subset }) => subset ?? ''}
        columns={[
          { name: 'Side', isWide: true, cell: ({ subset }) => subset ?? 'other processes' },
          { name: 'Processes', align: 'end', cell: ({ processes }) => count(processes) },
          { name: 'Requests (1 min)', align: 'end', cell: ({ requests }) => count(requests) },
          { name: 'Errors', align: 'end', cell: side => <Errors side={side} /> },
          { name: 'p95', align: 'end', cell: ({ p95Ms }) => milliseconds(p95Ms) },
          { name: 'Guard', cell: ({ subset }) => <Guard subset={subset} live={live} /> },
        ]}
      />
      {subsets.map(subset => (
        <ShareSlider key={`${subset.name} ${service.version}`} subset={subset} service={service} />
      ))}
    </div>
  )
}

const subsetsOf = ({ policy }: ServiceBody): readonly SubsetRules[] =>
  Array.isArray(policy.subsets) ? (policy.subsets as readonly SubsetRules[]) : []

function Errors({ side: { requests, errors } }: { side: Side }) {
  if (requests === 0) return <span class="soft">–</span>
  return <span class={errors > 0 ? 'bad' : undefined}>{percent(errors / requests)}</span>
}

/** The states of the guard that are not the usual one, by replica. */
function Guard({ subset, live }: { subset: string | null; live: ServiceProcessesBody }) {
  const stops = live.replicas.flatMap(({ replicaId, subsets }) =>
    subsets
      .filter(each => each.subset === subset && each.state !== 'serving')
      .map(each => ({ replicaId, ...each })),
  )
  if (subset === null) return null
  if (stops.length === 0) return <Chip tone="good">open</Chip>
  return (
    <span class="row">
      {stops.map(({ replicaId, state, currentPercent }) => (
        <Chip key={replicaId} tone={state === 'stopped' ? 'bad' : 'warn'}>
          {state} on {replicaId}: {currentPercent} %
        </Chip>
      ))}
    </span>
  )
}

function ShareSlider({
  subset: { name, percent: stored = 0 },
  service,
}: {
  subset: SubsetRules
  service: ServiceBody
}) {
  const [share, setShare] = useState(stored)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const isChanged = share !== stored
  const write = (dryRun: boolean): Promise<unknown> =>
    request('PATCH', `/v1/services/${service.id}`, {
      query: { dryRun: dryRun || undefined },
      ifMatch: `"${service.version}"`,
      body: {
        policy: {
          subsets: subsetsOf(service).map(each => (each.name === name ? { ...each, percent: share } : each)),
        },
      },
    })
  useEffect(() => {
    setProblem(undefined)
    if (!isChanged) return
    let isGone = false
    const timer = setTimeout(async () => {
      const found = await problemOf(() => write(true))
      if (!isGone) setProblem(found)
    }, WAIT_MS)
    return () => {
      isGone = true
      clearTimeout(timer)
    }
    // Only a move of the slider starts the check.
  }, [share])
  const id = `share-${name}`
  return (
    <div class="stack">
      <div class="row">
        <label for={id}>{name}</label>
        <input
          id={id}
          class="share"
          type="range"
          min={0}
          max={100}
          step={1}
          value={share}
          disabled={!may('services:write')}
          aria-valuetext={`${share} percent`}
          onInput={event => setShare(event.currentTarget.valueAsNumber)}
        />
        <b class="number">{share} %</b>
        {isChanged && (
          <>
            <button
              type="button"
              class="primary"
              disabled={problem !== undefined}
              onClick={async () => {
                const found = await problemOf(() => write(false))
                setProblem(found)
                if (found === undefined) showMessage(`${name} gets ${share} % of the requests.`)
              }}
            >
              Apply
            </button>
            <button type="button" onClick={() => setShare(stored)}>
              Cancel
            </button>
            <span class="soft">now {stored} %</span>
          </>
        )}
      </div>
      {problem !== undefined && (
        <div class="notice" data-tone="bad" role="alert">
          {problem}
        </div>
      )}
    </div>
  )
}

async function problemOf(write: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await write()
    return undefined
  } catch (error) {
    if (!(error instanceof ApiError)) return String(error)
    return [error.message, ...error.culprits.map(({ detail }) => detail)].join(' ')
  }
}
