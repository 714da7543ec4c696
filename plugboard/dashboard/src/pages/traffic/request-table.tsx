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
        { name: 'Time', width: '80px', cell: ({ at }) => <span class="number">{clockTime(at)}</span> },
        {
          name: 'Status',
          width: '195px',
          cell: ({ status, code }) => <StatusChip status={status} code={code} />,
        },
        { name: 'Method', width: '78px', cell: ({ method }) => method },
        { name: 'URL', width: '235px', cell: ({ host, path }) => <Text text={host + path} isMono /> },
        {
          name: 'Duration',
          width: '84px',
          align: 'end',
          cell: ({ durationMs }) => milliseconds(durationMs),
        },
        { name: 'Service', width: '130px', cell: ({ service }) => <Text text={service} /> },
        { name: 'Telephone', width: '105px', cell: ({ telephoneId }) => <Text text={telephoneId} /> },
        { name: 'Replica', width: '95px', cell: ({ replicaId }) => <Text text={replicaId} /> },
      ]}
    />
  )
}

/** A long text is cut, so its title has all of it. */
const Text = ({ text, isMono = false }: { text: string | undefined; isMono?: boolean }) => (
  <span class={isMono ? 'mono' : undefined} title={text}>
    {text}
  </span>
)
