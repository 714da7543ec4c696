// The reason why a request failed, and the next step.

import type { ExplanationBody } from '../../../../admin/api-types.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Chip } from '../../parts/chip.tsx'
import { fullTime, milliseconds } from '../../parts/format.ts'
import { MissingReplicasNotice, QueryNotice } from '../../parts/page-head.tsx'
import { StatusChip } from '../../parts/status-chip.tsx'
import { hrefOf } from '../../shell/address.ts'

export function Explanation({ id }: { id: string }) {
  const query = useQuery<ExplanationBody>(`explain ${id}`, signal => get(`/v1/requests/${id}`, {}, signal))
  const { data } = query
  if (query.error?.status === 404) {
    return (
      <p>
        No replica has the details of this request. Each replica keeps its last 5,000 requests that failed,
        were slow or were retried.
      </p>
    )
  }
  if (data === undefined) return <QueryNotice query={query} />
  const { request, attempts, lines } = data
  return (
    <div class="stack">
      <p class="row">
        <StatusChip status={request.status} code={request.code} />
        <span class="mono">
          {request.method} {request.host}
          {request.path}
        </span>
      </p>
      {data.meaning !== null && <p>{data.meaning}</p>}
      {data.next.length > 0 && (
        <section class="notice" data-tone="warn" aria-label="What to do">
          <h3>What to do</h3>
          <ul>
            {data.next.map(step => (
              <li key={step}>{step}</li>
            ))}
          </ul>
        </section>
      )}
      <Timing request={request} />
      <dl class="details">
        <dt>When</dt>
        <dd>{fullTime(request.at)}</dd>
        <dt>Route</dt>
        <dd>
          {request.route === undefined ? (
            '–'
          ) : (
            <a href={hrefOf(`/routes/${request.route}`)}>{request.mount}</a>
          )}
        </dd>
        <dt>Service</dt>
        <dd>
          {request.service === undefined ? (
            '–'
          ) : (
            <a href={hrefOf(`/services/${request.service}`)}>{request.service}</a>
          )}
        </dd>
        <dt>Telephone</dt>
        <dd>{request.telephoneId ?? '–'}</dd>
        <dt>Client</dt>
        <dd class="mono">{request.remoteAddress}</dd>
        <dt>Replica</dt>
        <dd>{request.replicaId}</dd>
        <dt>Request id</dt>
        <dd class="mono">{request.requestId}</dd>
        {request.traceId !== undefined && (
          <>
            <dt>Trace</dt>
            <dd class="mono">{request.traceId}</dd>
          </>
        )}
      </dl>
      {attempts.length > 0 && (
        <section aria-label="Failed attempts">
          <h3>Failed attempts</h3>
          <ul class="list">
            {attempts.map((attempt, index) => (
              <li key={index}>
                <span class="number soft">{milliseconds(attempt.afterMs)}</span>
                <span>{attempt.telephone}</span>
                <Chip tone="bad">{attempt.cause ?? attempt.code}</Chip>
                <span class="spring">{attempt.detail}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {lines !== null && (
        <p class="soft">
          At that moment, {lines.serving} of {lines.total} lines of the service could take requests.
        </p>
      )}
      <MissingReplicasNotice missing={data.missingReplicas} />
    </div>
  )
}

/** A bar with the parts of the duration. `headMs` begins with the last attempt, or at the end of the request body. */
function Timing({ request }: { request: ExplanationBody['request'] }) {
  const { durationMs, headMs, backendMs } = request
  if (headMs === undefined || durationMs <= 0) return <p class="soft">Duration: {milliseconds(durationMs)}</p>
  const parts = [
    ['tunnel', headMs - (backendMs ?? 0), 'var(--chart-1)'],
    ['backend', backendMs ?? 0, 'var(--chart-5)'],
    ['waiting, retries, bodies', durationMs - headMs, 'var(--chart-2)'],
  ] as const
  return (
    <div>
      <div class="timing" aria-hidden="true">
        {parts.map(([name, ms, color]) => (
          <span key={name} style={{ width: `${(Math.max(0, ms) / durationMs) * 100}%`, background: color }} />
        ))}
      </div>
      <p class="soft small">
        {parts.map(([name, ms]) => `${name} ${milliseconds(Math.max(0, ms))}`).join(' · ')} · total{' '}
        {milliseconds(durationMs)}
      </p>
    </div>
  )
}
