// The number of lines of each service on each replica.

import type { ReplicasBody } from '../../../../admin/api-types.ts'
import { count } from '../../parts/format.ts'
import { hrefOf } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'

export function ServiceLines({ lines, ids }: { lines: ReplicasBody['lines']; ids: readonly string[] }) {
  return (
    <section class="stack" aria-label="Lines">
      <h2>Lines of services</h2>
      {lines.length === 0 ? (
        <p class="soft">No service has a line. A line is a tunnel that serves a service.</p>
      ) : (
        <DataTable
          label="Lines of services by replica"
          rows={lines}
          keyOf={({ service }) => service}
          columns={[
            {
              name: 'Service',
              isWide: true,
              cell: ({ service }) => <a href={hrefOf(`/services/${service}`)}>{service}</a>,
            },
            ...ids.map(id => ({
              name: id,
              align: 'end' as const,
              cell: ({ replicas }: ReplicasBody['lines'][number]) => count(replicas[id] ?? 0),
            })),
          ]}
        />
      )}
    </section>
  )
}
