// The cells with the traffic of a service in the list: requests per second with their course, and the part with 5xx, in the last five
// minutes, and the time of the last request.

import { useEffect } from 'preact/hooks'
import type { ServiceBody } from '../../../../admin/api-types.ts'
import { useTraffic } from '../../charts/use-traffic.ts'
import { percent, rate } from '../../parts/format.ts'
import { LastRequest, newestRequest } from '../../parts/last-request.tsx'
import { Sparkline } from '../../parts/sparkline.tsx'
import type { ShownServices } from './shown-services.ts'

/** Seconds of one point of the line. */
const STEP = 10
/** Seconds of the shown rate. */
const RECENT = 60

interface CellProps {
  readonly service: ServiceBody
  readonly shown: ShownServices
}

export function TrafficCell({ service: { name }, shown }: CellProps) {
  return shown.names.value.has(name) ? (
    <Traffic name={name} shown={shown} />
  ) : (
    <span class="soft" title="The traffic of rows in view is read when the list stops moving.">
      –
    </span>
  )
}

export function LastRequestCell({ service: { name, lastRequestAt }, shown }: CellProps) {
  return <LastRequest recordedAt={lastRequestAt} seenAt={shown.seen.value.get(name)} />
}

function Traffic({ name, shown }: { name: string; shown: ShownServices }) {
  const { columns, times, query } = useTraffic('5 min', name)
  const seconds = columns.success.map((_, index) => {
    const classes = [columns.success, columns.redirect, columns.clientError, columns.serverError]
    const known = classes.flatMap(list => list[index] ?? [])
    return known.length === 0 ? null : sumOf(known)
  })
  const requests = sumOf(seconds)
  const failed = sumOf(columns.serverError)
  const newest = newestRequest(seconds, (times[0] ?? 0) * 1000, 1000)
  const isKnown = query.data !== undefined
  useEffect(() => {
    if (isKnown) shown.see(name, newest)
  }, [shown, name, newest, isKnown])
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
