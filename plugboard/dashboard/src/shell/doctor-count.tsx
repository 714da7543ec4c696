// The number of checks that failed or warn, beside the link to the Doctor.

import type { DoctorBody } from '../../../admin/api-types.ts'
import { get } from '../api/request.ts'
import { useQuery } from '../api/use-query.ts'

/** The checks measure for a second and ask the database, so they run seldom. */
const EVERY_MS = 60_000

export function DoctorCount() {
  const { data } = useQuery<DoctorBody>('doctor count', signal => get('/v1/doctor', {}, signal), {
    everyMs: EVERY_MS,
  })
  const problems = data?.items.filter(({ state }) => state === 'failed' || state === 'warning') ?? []
  if (problems.length === 0) return null
  return (
    <span class="count">
      {problems.length}
      <span class="hidden-text"> checks failed or warn</span>
    </span>
  )
}
