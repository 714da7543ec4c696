// The reason why a request failed, and the next step.

import type { ExplanationBody, RequestBody } from '../../../../admin/api-types.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { AttemptList } from '../../parts/attempt-list.tsx'
import { fullTime } from '../../parts/format.ts'
import { MissingReplicasNotice, QueryNotice } from '../../parts/page-head.tsx'
import { StatusChip } from '../../parts/status-chip.tsx'
import { TimingBar } from '../../parts/timing-bar.tsx'
import { hrefOf } from '../../shell/address.ts'

/** `line`: the request, when the page has its line. */
export function Explanation({ id, line }: { id: string; line?: RequestBody | undefined }) {
  const query = useQuery<ExplanationBody>(`explain ${id}`, signal =>
    get(`/v1/requests/${encodeURIComponent(id)}`, {}, signal),
  )
  const { data } = query
  if (query.error?.status === 404) {
    return (
      <div class="stack">
        {line !== undefined && <RequestTitle request={line} />}
        {line !== undefined && <TimingBar request={line} />}
        {line !== undefined && <RequestDetails request={line} />}
        <p class="soft">
          No replica has an explanation of this request. Each replica keeps its last 5,000 requests that
          failed, were slow or were retried, until it restarts.
        </p>
      </div>
    )
  }
  if (data === undefined) return <QueryNotice query={query} />
  const { request, attempts, lines } = data
  return (
    <div class="stack">
      <RequestTitle request={request} />
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
      <TimingBar request={request} />
      <RequestDetails request={request} />
      <AttemptList attempts={attempts} />
      {lines !== null && (
        <p class="soft">
          At that moment, {lines.serving} of {lines.total} lines of the service could take requests.
        </p>
      )}
      <MissingReplicasNotice missing={data.missingReplicas} />
    </div>
  )
}

const RequestTitle = ({ request: { status, code, method, host, path } }: { request: RequestBody }) => (
  <p class="row">
    <StatusChip status={status} code={code} />
    <span class="mono break">
      {method} {host}
      {path}
    </span>
  </p>
)

function RequestDetails({ request }: { request: RequestBody }) {
  return (
    <dl class="details">
      <dt>When</dt>
      <dd>{fullTime(request.at)}</dd>
      <dt>Route</dt>
      <dd>
        {request.route === undefined ? '–' : <a href={hrefOf(`/routes/${request.route}`)}>{request.mount}</a>}
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
  )
}
