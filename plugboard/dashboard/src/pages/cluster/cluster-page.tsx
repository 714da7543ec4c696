// The replicas: their state, the links between them, the lines of services, certificates, and the differences between replicas.

import type { ClusterStatusBody, ReplicasBody } from '../../../../admin/api-types.ts'
import { anyChange } from '../../api/live.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { count } from '../../parts/format.ts'
import { MissingReplicasNotice, PageHead, QueryNotice } from '../../parts/page-head.tsx'
import { byName } from './by-name.ts'
import { Certificates } from './certificates.tsx'
import { LinkMatrix } from './link-matrix.tsx'
import { ReplicaTable } from './replica-table.tsx'
import { ServiceLines } from './service-lines.tsx'

const EVERY_MS = 2000

export function ClusterPage() {
  const status = useQuery<ClusterStatusBody>('cluster', signal => get('/v1/cluster/status', {}, signal), {
    on: anyChange,
    everyMs: EVERY_MS,
  })
  const replicas = useQuery<ReplicasBody>('replicas', signal => get('/v1/replicas', {}, signal), {
    on: anyChange,
    everyMs: EVERY_MS,
  })
  const { data } = status
  const ids = (replicas.data?.items.map(({ id }) => id) ?? []).sort(byName)
  return (
    <>
      <PageHead title="Cluster">
        {ids.length > 0 && <span class="soft number">{count(ids.length)}</span>}
      </PageHead>
      <div class="stack">
        <QueryNotice query={status} />
        <MissingReplicasNotice missing={data?.missingReplicas} />
        <Disagreements texts={data?.disagreements ?? []} />
        {data !== undefined && <ReplicaTable status={data} known={replicas.data?.items ?? []} />}
        {data !== undefined && ids.length > 0 && <LinkMatrix ids={ids} states={data.items} />}
        {replicas.data !== undefined && <ServiceLines lines={replicas.data.lines} ids={ids} />}
        {data !== undefined && <Certificates certificates={data.certificates} />}
      </div>
    </>
  )
}

function Disagreements({ texts }: { texts: readonly string[] }) {
  if (texts.length === 0) return null
  return (
    <section class="notice" data-tone="warn" aria-label="Disagreements">
      <h2>Differences between replicas</h2>
      <ul>
        {texts.map(text => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </section>
  )
}
