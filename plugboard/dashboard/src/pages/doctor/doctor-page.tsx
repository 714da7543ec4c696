// All checks of the doctor, the most harmful first, with the step that corrects each fault.

import { useState } from 'preact/hooks'
import type { CheckBody, DoctorBody } from '../../../../admin/api-types.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { run } from '../../forms/action.tsx'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { copyText } from '../../parts/copy-text.ts'
import { PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { TimeAgo } from '../../parts/time-ago.tsx'
import { DataTable } from '../../tables/data-table.tsx'

const TONES: Readonly<Record<CheckBody['state'], Tone>> = {
  failed: 'bad',
  warning: 'warn',
  unknown: 'plain',
  ok: 'good',
}

export function DoctorPage() {
  const [isCopied, setCopied] = useState(false)
  const query = useQuery<DoctorBody>('doctor page', signal => get('/v1/doctor', {}, signal))
  const { data } = query
  return (
    <>
      <PageHead title="Doctor">
        {data !== undefined && (
          <span class="soft">
            checked <TimeAgo time={data.checkedAt} />
          </span>
        )}
        <span class="spring" />
        {data !== undefined && (
          <button
            type="button"
            onClick={async () => {
              setCopied(await run(() => copyText(reportOf(data))))
            }}
          >
            {isCopied ? 'Copied' : 'Copy report'}
          </button>
        )}
        <button type="button" class="primary" disabled={query.isLoading} onClick={query.reload}>
          {query.isLoading ? 'Checking…' : 'Check again'}
        </button>
      </PageHead>
      <div class="stack">
        <QueryNotice query={query} />
        {data !== undefined && (
          <DataTable
            label="Checks"
            rows={data.items}
            keyOf={({ id }) => id}
            columns={[
              { name: 'State', cell: ({ state }) => <Chip tone={TONES[state]}>{state}</Chip> },
              { name: 'Check', cell: ({ id }) => <span class="mono">{id}</span> },
              {
                name: 'Result',
                isWide: true,
                cell: ({ detail, remedy }) => (
                  <>
                    {detail}
                    {remedy !== null && <div class="soft">→ {remedy}</div>}
                  </>
                ),
              },
            ]}
          />
        )}
      </div>
    </>
  )
}

/** Returns the report as text. The checks contain no secrets. */
function reportOf({ replicaId, version, node, checkedAt, items }: DoctorBody): string {
  return [
    `Plugboard ${version}, Node ${node}, replica ${replicaId}, ${checkedAt}`,
    ...items.flatMap(({ state, id, detail, remedy }) => [
      `${state.padEnd(8)} ${id}: ${detail}`,
      ...(remedy === null ? [] : [`         → ${remedy}`]),
    ]),
    '',
  ].join('\n')
}
