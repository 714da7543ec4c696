// A table of requests, one line for each.

import type { RequestBody } from '../../../../admin/api-types.ts'
import { clockTime, milliseconds } from '../../parts/format.ts'
import { StatusChip } from '../../parts/status-chip.tsx'
import { DataTable } from '../../tables/data-table.tsx'

export function RequestTable(props: {
  rows: readonly RequestBody[]
  keyOf: (request: RequestBody) => string
  /** The id of the opened request. */
  selected: string | undefined
  onOpen: (request: RequestBody) => void
  onEnd?: () => void
}) {
  const { rows, keyOf, selected, onOpen, onEnd } = props
  const opened = selected === undefined ? undefined : rows.find(({ requestId }) => requestId === selected)
  return (
    <DataTable
      label="Requests"
      rows={rows}
      keyOf={keyOf}
      selected={opened && keyOf(opened)}
      onOpen={onOpen}
      onEnd={onEnd}
      columns={[
        { name: 'Time', cell: ({ at }) => <span class="number">{clockTime(at)}</span> },
        { name: 'Status', cell: ({ status, code }) => <StatusChip status={status} code={code} /> },
        { name: 'Method', cell: ({ method }) => method },
        { name: 'URL', isWide: true, cell: ({ host, path }) => <span class="mono">{host + path}</span> },
        { name: 'Duration', align: 'end', cell: ({ durationMs }) => milliseconds(durationMs) },
        { name: 'Service', cell: ({ service }) => service },
        { name: 'Telephone', cell: ({ telephoneId }) => telephoneId },
        { name: 'Replica', cell: ({ replicaId }) => replicaId },
      ]}
    />
  )
}
