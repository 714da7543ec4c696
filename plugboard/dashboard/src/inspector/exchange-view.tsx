// One exchange: its summary, its times, the failed attempts, the request and the response.

import type { ComponentChildren } from 'preact'
import type { ExchangeBody } from '../../../admin/api-types.ts'
import { AttemptList } from '../parts/attempt-list.tsx'
import { Chip } from '../parts/chip.tsx'
import { fullTime } from '../parts/format.ts'
import { TimingBar } from '../parts/timing-bar.tsx'
import { RequestView, ResponseView } from './message-view.tsx'

/** `children`: actions, such as the export. */
export function ExchangeView({
  exchange,
  children,
}: {
  exchange: ExchangeBody
  children?: ComponentChildren
}) {
  const { request, received, sent, interim, attempts, open, replayOf } = exchange
  return (
    <div class="stack">
      <p class="row soft">
        {fullTime(request.at)}
        {request.telephoneId !== undefined && <span>· {request.telephoneId}</span>}
        <span>· {request.replicaId}</span>
        <span>· {request.remoteAddress}</span>
        {open && <Chip tone="accent">open</Chip>}
        {replayOf !== null && <Chip tone="accent">replay</Chip>}
      </p>
      {children}
      <TimingBar request={request} />
      <AttemptList attempts={attempts} />
      <RequestView received={received} />
      <ResponseView sent={sent} interim={interim} />
    </div>
  )
}
