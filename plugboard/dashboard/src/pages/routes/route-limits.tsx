// The limits that count the requests of a route: its own, and those of its service, with the use of the moment.

import type { LimitPageBody, LimitRowBody, RouteBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Chip } from '../../parts/chip.tsx'
import { count } from '../../parts/format.ts'
import { MissingReplicasNotice, QueryNotice } from '../../parts/page-head.tsx'
import { quotaOf } from '../limits/limit-text.ts'

const EVERY_MS = 2000

export function RouteLimits({ route: { id, service } }: { route: RouteBody }) {
  const own = useLimits(`limits of route ${id}`, { route: id })
  const shared = useLimits(`limits of service ${service}`, service === null ? undefined : { service })
  const items = [
    ...(own.data?.items ?? []),
    ...(shared.data?.items.filter(({ route }) => route === null) ?? []),
  ]
  const isRead = own.data !== undefined && (service === null || shared.data !== undefined)
  return (
    <div class="stack">
      <QueryNotice query={own} />
      <MissingReplicasNotice missing={own.data?.missingReplicas} />
      {isRead && items.length === 0 && (
        <p class="soft">
          No limit counts the requests of this route. Add "rateLimits" to its options as YAML.
        </p>
      )}
      {items.map(limit => (
        <Limit key={`${limit.route?.id} ${limit.name}`} limit={limit} />
      ))}
    </div>
  )
}

function useLimits(key: string, query: { route?: string; service?: string } | undefined) {
  return useQuery<LimitPageBody>(
    key,
    signal =>
      query === undefined
        ? Promise.resolve({ items: [], next: null, shares: [], missingReplicas: [] })
        : get('/v1/limits', query, signal),
    { on: changeCount, everyMs: EVERY_MS },
  )
}

function Limit({ limit }: { limit: LimitRowBody }) {
  const { name, route, enforce, admitted, rejected, wouldReject, hottestKeys } = limit
  return (
    <section class="card" aria-label={`Limit ${name}`}>
      <header>
        <h3>{name}</h3>
        <span class="soft">{route === null ? 'of the service' : 'of this route'}</span>
        {!enforce && <Chip tone="warn">not enforced</Chip>}
        <span class="spring" />
        <span class="number">{quotaOf(limit)}</span>
      </header>
      <p class="soft number">
        {count(admitted)} admitted,{' '}
        <span class={rejected > 0 ? 'bad' : undefined}>{count(rejected)} rejected</span>
        {wouldReject > 0 && `, ${count(wouldReject)} would be rejected`}
      </p>
      {hottestKeys.slice(0, 5).map(({ key, usedPercent }) => (
        <div key={key} class="use">
          <span class="mono">{key}</span>
          <meter
            min={0}
            max={100}
            high={90}
            low={60}
            optimum={0}
            value={usedPercent}
            aria-label={`Use of ${key}`}
          />
          <span class="number">{usedPercent} %</span>
        </div>
      ))}
    </section>
  )
}
