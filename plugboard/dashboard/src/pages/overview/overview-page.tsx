// The traffic now, the last changes, and the checks that need attention.

import { useState } from 'preact/hooks'
import type { ChangeBody, StatusBody } from '../../../../admin/api-types.ts'
import { anyChange, changeCount } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import type { ChartMark } from '../../charts/time-chart.tsx'
import { TrafficCharts } from '../../charts/traffic-charts.tsx'
import { RANGES, type Range, type Traffic, useTraffic } from '../../charts/use-traffic.ts'
import { Choice } from '../../forms/choice.tsx'
import { count, milliseconds, percent, rate } from '../../parts/format.ts'
import { PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { may } from '../../session/session.ts'
import { useAddress } from '../../shell/address.ts'
import { ChangeDialog } from '../changes/change-dialog.tsx'
import { changeText } from '../changes/change-text.ts'
import { LastChanges } from './last-changes.tsx'
import { NeedsAttention } from './needs-attention.tsx'
import { Newcomer } from './newcomer.tsx'

const RANGE_NAMES = Object.keys(RANGES) as Range[]

export function OverviewPage() {
  const [range, setRange] = useState<Range>('5 min')
  const [opened, setOpened] = useState<ChangeBody | undefined>(undefined)
  const traffic = useTraffic(range)
  const { go } = useAddress()
  const status = useQuery<StatusBody>('status', signal => get('/v1/status', {}, signal), {
    on: anyChange,
    everyMs: 5000,
  })
  const changes = useQuery<readonly ChangeBody[]>('overview changes', loadChanges, { on: changeCount })
  const marks: ChartMark[] = (changes.data ?? []).map(change => ({
    id: String(change.sequence),
    at: Date.parse(change.at) / 1000,
    text: changeText(change),
  }))
  return (
    <>
      <PageHead title="Overview">
        <Figures traffic={traffic} status={status.data} />
        <span class="spring" />
        <Choice label="Time range" names={RANGE_NAMES} selected={range} onSelect={setRange} />
      </PageHead>
      <div class="stack">
        <QueryNotice query={status} />
        <QueryNotice query={traffic.query} />
        {traffic.query.data !== undefined && <Newcomer hasTraffic={hasRequest(traffic)} />}
        <TrafficCharts
          traffic={traffic}
          marks={marks}
          onMark={id => setOpened(changes.data?.find(({ sequence }) => String(sequence) === id))}
        />
        <div class="cards">
          <NeedsAttention />
          <LastChanges
            changes={(changes.data ?? []).slice(0, 8)}
            onOpen={setOpened}
            onAll={() => go('/changes')}
          />
        </div>
      </div>
      {opened !== undefined && <ChangeDialog change={opened} onClose={() => setOpened(undefined)} />}
    </>
  )
}

const MARKS = 100

async function loadChanges(signal: AbortSignal): Promise<readonly ChangeBody[]> {
  if (!may('changes:read')) return []
  return (await get<{ items: readonly ChangeBody[] }>('/v1/changes', { limit: MARKS }, signal)).items
}

/** True when the charts have a request. */
function hasRequest({ columns }: Traffic): boolean {
  return CLASSES.some(name => columns[name].some(value => value !== null && value > 0))
}

const CLASSES = ['success', 'redirect', 'clientError', 'serverError'] as const

/** The figures of the last 10 seconds, or of one interval when it is longer. */
function Figures({ traffic, status }: { traffic: Traffic; status: StatusBody | undefined }) {
  const { columns, resolution } = traffic
  const intervals = Math.max(1, Math.round(10 / resolution))
  const sum = (name: 'success' | 'redirect' | 'clientError' | 'serverError'): number =>
    columns[name].slice(-intervals).reduce<number>((total, value) => total + (value ?? 0), 0)
  const failed = sum('serverError')
  const all = failed + sum('success') + sum('redirect') + sum('clientError')
  const p95 = columns.p95Ms.findLast(value => value !== null)
  return (
    <div class="row soft number">
      <span>{rate(all / (intervals * resolution))}</span>
      <span class={failed > 0 ? 'bad' : undefined}>{percent(all === 0 ? 0 : failed / all)} failed</span>
      <span>p95 {milliseconds(p95)}</span>
      {status !== undefined && (
        <>
          <span>{count(status.streams)} open streams</span>
          <span>
            {count(status.routes)} routes · {count(status.services)} services · {count(status.tunnels)}{' '}
            tunnels
          </span>
        </>
      )}
    </div>
  )
}
