// The checks of the doctor that failed or warn, the most harmful first.

import type { DoctorBody } from '../../../../admin/api-types.ts'
import { lineCount } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Chip } from '../../parts/chip.tsx'
import { QueryNotice } from '../../parts/page-head.tsx'
import { hrefOf } from '../../shell/address.ts'

const EVERY_MS = 30_000
const SHOWN = 6

export function NeedsAttention() {
  const doctor = useQuery<DoctorBody>('doctor', signal => get('/v1/doctor', {}, signal), {
    on: lineCount,
    everyMs: EVERY_MS,
  })
  const problems = (doctor.data?.items ?? []).filter(({ state }) => state === 'failed' || state === 'warning')
  return (
    <section class="card" aria-label="Needs attention">
      <header>
        <h2>Needs attention</h2>
        <span class="spring" />
        <a href={hrefOf('/doctor')}>All checks</a>
      </header>
      <QueryNotice query={doctor} />
      {doctor.data !== undefined && problems.length === 0 && <p class="soft">No failures and no warnings.</p>}
      <ul class="list">
        {problems.slice(0, SHOWN).map(({ id, state, detail }) => (
          <li key={id}>
            <Chip tone={state === 'failed' ? 'bad' : 'warn'}>{state}</Chip>
            <span class="spring">{detail}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}
