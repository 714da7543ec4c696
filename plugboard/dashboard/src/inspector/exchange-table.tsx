// A table of exchanges, one line for each.

import type { ExchangeSummaryBody } from '../../../admin/api-types.ts'
import { Chip } from '../parts/chip.tsx'
import { bytes, clockTime, milliseconds } from '../parts/format.ts'
import { StatusChip } from '../parts/status-chip.tsx'
import { DataTable } from '../tables/data-table.tsx'

export function ExchangeTable(props: {
  rows: readonly ExchangeSummaryBody[]
  /** The id of the opened exchange. */
  selected: string | undefined
  onOpen: (id: string) => void
  onEnd?: () => void
}) {
  const { rows, selected, onOpen, onEnd } = props
  return (
    <DataTable
      label="Exchanges"
      rows={rows}
      keyOf={({ id }) => id}
      selected={selected}
      onOpen={({ id }) => onOpen(id)}
      onEnd={onEnd}
      columns={[
        { name: 'Time', cell: ({ request }) => <span class="number">{clockTime(request.at)}</span> },
        { name: 'Status', cell: ({ request }) => <StatusChip status={request.status} code={request.code} /> },
        { name: 'Method', cell: ({ request }) => request.method },
        {
          name: 'Path',
          isWide: true,
          cell: ({ request, open, replayOf }) => (
            <span class="row">
              <span class="mono break">{request.path}</span>
              {open && <Chip tone="accent">open</Chip>}
              {replayOf !== null && <Chip tone="accent">replay</Chip>}
            </span>
          ),
        },
        { name: 'Duration', align: 'end', cell: ({ request }) => milliseconds(request.durationMs) },
        { name: 'Response', align: 'end', cell: ({ request }) => bytes(request.bytesOut) },
        { name: 'Telephone', cell: ({ request }) => request.telephoneId },
        { name: 'Replica', cell: ({ request }) => request.replicaId },
      ]}
    />
  )
}
