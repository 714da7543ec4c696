// The drawer of one exchange: its messages, its replay, and its comparison with another exchange.

import { useState } from 'preact/hooks'
import type {
  ExchangeBody,
  ExchangeSummaryBody,
  ReplayedBody,
  ServiceProcessesBody,
} from '../../../../admin/api-types.ts'
import { get, getText, request } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { run } from '../../forms/action.tsx'
import { ExchangeView } from '../../inspector/exchange-view.tsx'
import { ReplayForm } from '../../inspector/replay-form.tsx'
import { ResponseDiffView } from '../../inspector/response-diff-view.tsx'
import { copyText } from '../../parts/copy-text.ts'
import { Drawer, Tabs } from '../../parts/drawer.tsx'
import { QueryNotice } from '../../parts/page-head.tsx'
import { saveFile } from '../../parts/save-file.ts'
import { may } from '../../session/session.ts'
import { hrefOf, useAddress } from '../../shell/address.ts'
import { ExchangeComparison } from './exchange-comparison.tsx'

const TABS = [
  ['exchange', 'Exchange'],
  ['replay', 'Replay'],
  ['compare', 'Compare'],
] as const

export function ExchangeDrawer(props: {
  id: string
  service: string
  /** Exchanges of the same service, for the comparison. */
  others: readonly ExchangeSummaryBody[]
  hrefOfExchange: (id: string) => string
  onClose: () => void
}) {
  const { id, service, others, hrefOfExchange, onClose } = props
  const { filter, setFilters } = useAddress()
  const tab = TABS.find(([name]) => name === filter('tab'))?.[0] ?? 'exchange'
  // A WebSocket is complete only after its end.
  const isOpen = others.find(each => each.id === id)?.open ?? false
  const query = useQuery<ExchangeBody>(`exchange ${id} ${isOpen}`, signal =>
    get(`/v1/exchanges/${encodeURIComponent(id)}`, {}, signal),
  )
  const exchange = query.data
  return (
    <Drawer
      title={exchange === undefined ? 'Exchange' : `${exchange.request.method} ${exchange.request.path}`}
      label="Exchange"
      onClose={onClose}
    >
      <Tabs
        names={TABS}
        selected={tab}
        onSelect={name => setFilters({ tab: name === 'exchange' ? '' : name })}
      />
      <QueryNotice query={query} />
      {exchange !== undefined && tab === 'exchange' && (
        <ExchangeView exchange={exchange}>
          <Actions exchange={exchange} />
        </ExchangeView>
      )}
      {exchange !== undefined && tab === 'replay' && (
        <Replay exchange={exchange} service={service} hrefOfExchange={hrefOfExchange} />
      )}
      {exchange !== undefined && tab === 'compare' && (
        <ExchangeComparison
          exchange={exchange}
          others={others}
          selected={filter('with') || (exchange.replayOf ?? '')}
          onSelect={other => setFilters({ with: other })}
        />
      )}
    </Drawer>
  )
}

function Actions({ exchange: { id, request: line } }: { exchange: ExchangeBody }) {
  const path = `/v1/exchanges/${id}`
  return (
    <div class="row">
      <button
        type="button"
        onClick={() =>
          run(async () => copyText(await getText(path, { format: 'curl' })), 'Copied, without masked values.')
        }
      >
        Copy as curl
      </button>
      <button
        type="button"
        onClick={() =>
          run(async () => saveFile(`${id}.har`, await getText(path, { format: 'har' }), 'application/json'))
        }
      >
        Download HAR
      </button>
      <button type="button" onClick={() => run(() => copyText(location.href), 'Copied the link.')}>
        Copy link
      </button>
      {line.status >= 400 && (
        <a class="button" href={hrefOf(`/traffic/${line.requestId}`)}>
          Explain
        </a>
      )}
    </div>
  )
}

function Replay(props: { exchange: ExchangeBody; service: string; hrefOfExchange: (id: string) => string }) {
  const { exchange, service, hrefOfExchange } = props
  const [result, setResult] = useState<ReplayedBody | undefined>(undefined)
  const processes = useQuery<ServiceProcessesBody>(`processes ${service}`, signal =>
    get(`/v1/services/${encodeURIComponent(service)}/processes`, {}, signal),
  )
  if (!may('traffic:replay'))
    return <p class="soft">Your API key lacks the scope traffic:replay, so it cannot replay requests.</p>
  const telephones = [...new Set(processes.data?.items.map(({ telephone }) => telephone))].sort()
  return (
    <div class="stack">
      <ReplayForm
        exchange={exchange}
        telephones={telephones}
        onReplay={async edits => {
          const path = `/v1/exchanges/${exchange.id}/replay`
          setResult((await request<ReplayedBody>('POST', path, { body: edits })).body)
        }}
      />
      {result !== undefined && (
        <section class="card stack" aria-label="Result of the replay" aria-live="polite">
          <p class="row">
            <strong>{result.exchange.sent?.status ?? 'No response'}</strong>
            <span class="soft">from {result.exchange.request.telephoneId ?? 'Plugboard'}</span>
            <a href={hrefOfExchange(result.exchange.id)}>Open the new exchange</a>
          </p>
          {result.leftOut.length > 0 && (
            <p class="soft">Left out, because they are masked: {result.leftOut.join(', ')}.</p>
          )}
          <ResponseDiffView diff={result.diff} />
        </section>
      )}
    </div>
  )
}
