// The cells with the traffic of a service in the list: requests per second with their course, and the part with 5xx, in the last five
// minutes. Only the first services of the list have them, so that a page with many services sends few requests.

import { useTraffic } from '../../charts/use-traffic.ts'
import { percent, rate } from '../../parts/format.ts'
import { Sparkline } from '../../parts/sparkline.tsx'

/** Services with traffic in the list. The live stream of a page has at most 100 services. */
export const SHOWN_TRAFFIC = 25
/** Seconds of one point of the line. */
const STEP = 10
/** Seconds of the shown rate. */
const RECENT = 60

export function ServiceTrafficCells({ name }: { name: string }) {
  const { columns } = useTraffic('5 min', name)
  const seconds = columns.success.map((_, index) => {
    const classes = [columns.success, columns.redirect, columns.clientError, columns.serverError]
    const known = classes.flatMap(list => list[index] ?? [])
    return known.length === 0 ? null : sumOf(known)
  })
  const requests = sumOf(seconds)
  const failed = sumOf(columns.serverError)
  return (
    <span class="row one-line">
      <Sparkline values={steps(seconds)} />
      <span>{rate(sumOf(seconds.slice(-RECENT)) / RECENT)}</span>
      {failed > 0 && <span class="bad">{percent(failed / Math.max(1, requests))} 5xx</span>}
    </span>
  )
}

function steps(seconds: readonly (number | null)[]): (number | null)[] {
  return Array.from({ length: Math.floor(seconds.length / STEP) }, (_, index) => {
    const part = seconds.slice(index * STEP, (index + 1) * STEP)
    return part.every(value => value === null) ? null : sumOf(part)
  })
}

const sumOf = (values: readonly (number | null)[]): number =>
  values.reduce<number>((sum, value) => sum + (value ?? 0), 0)
