// All checks of the doctor, the most harmful first, with the commands that correct each fault, and the page where a person corrects it.

import { useState } from 'preact/hooks'
import type { CheckBody, DoctorBody } from '../../../../admin/api-types.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { run } from '../../forms/action.tsx'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { CommandLine } from '../../parts/command-line.tsx'
import { copyText } from '../../parts/copy-text.ts'
import { PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { TimeAgo } from '../../parts/time-ago.tsx'
import { hrefOf } from '../../shell/address.ts'
import { commandsOf, pageOf, reportOf } from './check-text.ts'

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
          <ul class="card list" aria-label="Checks">
            {data.items.map(check => (
              <Check key={check.id} check={check} />
            ))}
          </ul>
        )}
      </div>
    </>
  )
}

function Check({ check: { id, state, detail, remedy } }: { check: CheckBody }) {
  const page = remedy === null ? undefined : pageOf(id)
  return (
    <li class="check" aria-label={id}>
      <span class="row">
        <Chip tone={TONES[state]}>{state}</Chip>
        <span class="mono">{id}</span>
        {page && <a href={hrefOf(page[0])}>{page[1]}</a>}
      </span>
      <p>{detail}</p>
      {remedy !== null && <p class="soft">→ {remedy}</p>}
      {commandsOf(remedy).map(command => (
        <CommandLine key={command} command={command} />
      ))}
    </li>
  )
}
