// The traffic now, the last changes, and the checks that need attention.

import { useState } from 'preact/hooks'
import type { ChangeBody, StatusBody } from '../../../../admin/api-types.ts'
import { anyChange, changeCount } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Figures } from '../../charts/figures.tsx'
import type { ChartMark } from '../../charts/time-chart.tsx'
import { TrafficCharts } from '../../charts/traffic-charts.tsx'
import { RANGES, type Range, type Traffic, useTraffic } from '../../charts/use-traffic.ts'
import { Choice } from '../../forms/choice.tsx'
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
