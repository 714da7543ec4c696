// The exchange of counts between replicas, with the age of the last counts.

import type { LimitPageBody } from '../../../../admin/api-types.ts'
import { Chip } from '../../parts/chip.tsx'
import { milliseconds } from '../../parts/format.ts'
import { DataTable } from '../../tables/data-table.tsx'

/** Counts arrive each second. Older counts are late. */
const LATE_MS = 2000

type Share = LimitPageBody['shares'][number]

export function LimitShares({ shares }: { shares: readonly Share[] }) {
  if (shares.length === 0) return null
  return (
    <div class="stack">
      <h2>Shared counts of replicas</h2>
      {shares.some(isLate) && (
        <div class="notice" data-tone="warn">
          Replicas without recent counts of each other count alone, so clients get up to the whole quota on
          each of them. The Cluster page shows the links.
        </div>
      )}
      <DataTable
        label="Shared counts of replicas"
        rows={shares}
        keyOf={({ replicaId, peerId }) => `${replicaId} ${peerId}`}
        columns={[
          { name: 'Replica', cell: ({ replicaId }) => replicaId },
          { name: 'Counts of', cell: ({ peerId }) => peerId },
          {
            name: 'State',
            cell: share => <Chip tone={isLate(share) ? 'warn' : 'good'}>{STATES[share.state]}</Chip>,
          },
          { name: 'Age', align: 'end', cell: ({ ageMs }) => milliseconds(ageMs) },
        ]}
      />
    </div>
  )
}

const isLate = ({ state, ageMs }: Share): boolean => state !== 'open' || (ageMs ?? 0) > LATE_MS

const STATES: Readonly<Record<Share['state'], string>> = {
  open: 'shared',
  closed: 'not shared',
  unsupported: 'older version',
}
