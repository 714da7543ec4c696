// The process that the policy would pick for the next request, on each replica, and what keeps requests waiting.

import type { ServiceProcessesBody } from '../../../../admin/api-types.ts'
import { Chip } from '../../parts/chip.tsx'
import { milliseconds } from '../../parts/format.ts'
import { DataTable } from '../../tables/data-table.tsx'

type Replica = ServiceProcessesBody['replicas'][number]

export function NextRequest({ live: { balancing, replicas } }: { live: ServiceProcessesBody }) {
  return (
    <div class="stack">
      <h3>
        The next request, by <code>{balancing}</code>
      </h3>
      <DataTable
        label="The next request"
        rows={replicas}
        keyOf={({ replicaId }) => replicaId}
        columns={[
          { name: 'Replica', cell: ({ replicaId }) => replicaId },
          { name: 'Goes to', isWide: true, cell: replica => <Picks replica={replica} /> },
          { name: 'Median', align: 'end', cell: ({ medianMs }) => milliseconds(medianMs) },
          { name: 'Now', cell: replica => <Now replica={replica} /> },
        ]}
      />
    </div>
  )
}

const Picks = ({ replica: { picks } }: { replica: Replica }) => (
  <span class="row">
    {picks.map(({ subset, telephone, refusal }) => (
      <span key={subset ?? ''}>
        {subset !== null && <span class="soft">{subset}: </span>}
        {telephone ?? <span class="bad">{refusal?.replaceAll('_', ' ')}</span>}
      </span>
    ))}
  </span>
)

function Now({ replica: { waiting, breaker } }: { replica: Replica }) {
  const waits = waiting.queue + waiting.hold
  return (
    <span class="row">
      {waits > 0 && <Chip tone="warn">{waits} waiting</Chip>}
      {breaker !== null && breaker.state !== 'closed' && (
        <Chip tone="bad">breaker {breaker.state.replace('_', ' ')}</Chip>
      )}
    </span>
  )
}
