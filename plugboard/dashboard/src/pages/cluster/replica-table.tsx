// One row for each replica: its readiness with the reason, and the use of its machine. A replica that sent no state has a row from the
// view of the others.

import type { ClusterStatusBody, ReplicaBody, ReplicaStateBody } from '../../../../admin/api-types.ts'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { bytes, count, duration, milliseconds } from '../../parts/format.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { byName } from './by-name.ts'

interface ReplicaRow {
  readonly id: string
  readonly known: ReplicaBody | undefined
  /** Undefined: the replica sent no state. */
  readonly state: ReplicaStateBody | undefined
}

/** A value from here on is a warning: a share of the limit, percent, and ms. */
const HIGH_MEMORY = 0.8
const HIGH_CPU_PERCENT = 90
const HIGH_DELAY_MS = 100

export function ReplicaTable(props: { status: ClusterStatusBody; known: readonly ReplicaBody[] }) {
  const { status, known } = props
  const states = new Map(status.items.map(state => [state.id, state]))
  const knownById = new Map(known.map(replica => [replica.id, replica]))
  const ids = new Set([...states.keys(), ...knownById.keys()])
  const rows = [...ids]
    .sort(byName)
    .map((id): ReplicaRow => ({ id, known: knownById.get(id), state: states.get(id) }))
  return (
    <DataTable
      label="Replicas"
      rows={rows}
      keyOf={({ id }) => id}
      columns={[
        {
          name: 'Replica',
          isWide: true,
          cell: ({ id, known: replica, state }) => (
            <>
              <span class="row">
                <strong>{id}</strong> {state?.self === true && <Chip tone="accent">serves this page</Chip>}
              </span>
              <span class="mono soft small">{replica?.address}</span>
            </>
          ),
        },
        { name: 'State', isWide: true, cell: row => <Readiness {...row} /> },
        { name: 'Version', cell: ({ known: replica, state }) => state?.version ?? replica?.version },
        { name: 'Up', align: 'end', cell: ({ known: replica, state }) => upTime(state ?? replica) },
        { name: 'Memory', align: 'end', cell: ({ state }) => <Memory state={state} /> },
        {
          name: 'CPU',
          align: 'end',
          cell: ({ state }) => (
            <Figure
              isHigh={(state?.process.cpuPercent ?? 0) >= HIGH_CPU_PERCENT}
              text={state && `${Math.round(state.process.cpuPercent)} %`}
              title="100 % is one core. Node runs the code of a replica on one core."
            />
          ),
        },
        {
          name: 'Loop delay',
          align: 'end',
          cell: ({ state }) => (
            <Figure
              isHigh={(state?.process.eventLoopDelayMs ?? 0) >= HIGH_DELAY_MS}
              text={state && milliseconds(state.process.eventLoopDelayMs)}
              title="99 % of the waits for the event loop were shorter, in the last 10 s."
            />
          ),
        },
        {
          name: 'Tunnels',
          align: 'end',
          cell: ({ known: replica, state }) => count(state?.tunnels ?? replica?.tunnels ?? 0),
        },
        {
          name: 'Streams',
          align: 'end',
          cell: ({ known: replica, state }) => count(state?.streams ?? replica?.streams ?? 0),
        },
        {
          name: 'Change',
          align: 'end',
          cell: ({ known: replica, state }) => state?.appliedSequence ?? replica?.appliedSequence ?? '–',
        },
      ]}
    />
  )
}

const PHASES: Readonly<Record<NonNullable<ReplicaStateBody['phase']>, readonly [Tone, string]>> = {
  ready: ['good', ''],
  loading: ['warn', 'It starts. It has no routes yet, or its public port is not open.'],
  recovering: ['warn', 'It was suspended, and waits until its tunnels and links have responded.'],
  draining: ['warn', 'It stops. It finishes open requests, and accepts no new ones.'],
}

function Readiness({ known, state }: ReplicaRow) {
  if (state === undefined) {
    const isLost = known?.state === 'lost'
    return (
      <>
        <Chip tone={isLost ? 'bad' : 'warn'}>{known?.state ?? 'unknown'}</Chip>
        <div class="soft small">
          {isLost
            ? 'Its lease has expired and there is no link to it. Its lines take no requests.'
            : 'It did not send its state.'}
        </div>
      </>
    )
  }
  const [tone, reason] = state.phase === null ? (['plain', ''] as const) : PHASES[state.phase]
  const problems = [
    reason,
    state.isMemoryShort ? 'It has little memory left, and refuses new requests.' : '',
    state.isDatabaseReachable ? '' : 'It cannot reach the database. It serves with the routes in its memory.',
  ].filter(text => text !== '')
  return (
    <>
      <Chip tone={state.isMemoryShort ? 'bad' : tone}>{state.phase ?? 'unknown'}</Chip>
      {problems.map(text => (
        <div key={text} class="soft small">
          {text}
        </div>
      ))}
    </>
  )
}

const upTime = (replica: { readonly startedAt: string | null } | undefined): string =>
  typeof replica?.startedAt === 'string' ? duration((Date.now() - Date.parse(replica.startedAt)) / 1000) : '–'

function Memory({ state }: { state: ReplicaStateBody | undefined }) {
  if (state === undefined) return <>–</>
  const { memoryBytes, memoryLimitBytes } = state.process
  const share = memoryBytes / memoryLimitBytes
  return (
    <Figure
      isHigh={share >= HIGH_MEMORY}
      text={bytes(memoryBytes)}
      title={`${Math.round(share * 100)} % of ${bytes(memoryLimitBytes)}`}
    />
  )
}

const Figure = (props: { isHigh: boolean; text: string | undefined; title: string }) => (
  <span class={props.isHigh ? 'bad' : undefined} title={props.title}>
    {props.text ?? '–'}
  </span>
)
