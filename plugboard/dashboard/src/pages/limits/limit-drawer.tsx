// One limit: its quota, its counts on each replica, and its fullest keys.

import type { LimitRowBody } from '../../../../admin/api-types.ts'
import { Drawer } from '../../parts/drawer.tsx'
import { count } from '../../parts/format.ts'
import { hrefOf } from '../../shell/address.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { amountOf, quotaOf } from './limit-text.ts'
import { UsedChip } from './used-chip.tsx'

export function LimitDrawer(props: {
  name: string
  /** Undefined: the list does not have it. */
  limit: LimitRowBody | undefined
  isLoading: boolean
  onClose: () => void
}) {
  const { name, limit, isLoading, onClose } = props
  return (
    <Drawer title={name} label="Limit" onClose={onClose}>
      {limit !== undefined ? (
        <Details limit={limit} />
      ) : (
        <p class="soft">
          {isLoading
            ? 'Loading…'
            : 'This limit is not in the list. It was removed, or the filters exclude it.'}
        </p>
      )}
    </Drawer>
  )
}

function Details({ limit }: { limit: LimitRowBody }) {
  const { route, service, burst, scope, enforce, hottestKeys, replicas } = limit
  return (
    <div class="stack">
      <dl class="details">
        {route !== null && (
          <>
            <dt>Route</dt>
            <dd>
              <a class="mono" href={hrefOf(`/routes/${route.id}`)}>
                {route.mount}
              </a>
            </dd>
          </>
        )}
        <dt>Service</dt>
        <dd>{service === null ? '–' : <a href={hrefOf(`/services/${service}`)}>{service}</a>}</dd>
        <dt>Quota</dt>
        <dd>{quotaOf(limit)}</dd>
        <dt>Burst</dt>
        <dd>{amountOf(burst, limit)}</dd>
        <dt>Counted</dt>
        <dd>{scope === 'cluster' ? 'over all replicas' : 'on each replica'}</dd>
        <dt>Enforced</dt>
        <dd>{enforce ? 'yes' : 'no: it counts, and rejects nothing'}</dd>
      </dl>
      <h3>Decisions since the start of each replica</h3>
      <DataTable
        label="Decisions on each replica"
        rows={[...replicas]}
        keyOf={({ replicaId }) => replicaId}
        columns={[
          { name: 'Replica', cell: ({ replicaId }) => replicaId },
          { name: 'Admitted', align: 'end', cell: ({ admitted }) => count(admitted) },
          { name: 'Rejected', align: 'end', cell: ({ rejected }) => count(rejected) },
          { name: 'Would reject', align: 'end', cell: ({ wouldReject }) => count(wouldReject) },
          { name: 'Keys', align: 'end', cell: ({ keys }) => count(keys) },
        ]}
      />
      <h3>Fullest keys</h3>
      {hottestKeys.length === 0 ? (
        <p class="soft">No key has used a part of its quota at the moment.</p>
      ) : (
        <>
          <p class="soft">
            A key is the hash of a client or of another value. Plugboard does not keep the values.
          </p>
          <DataTable
            label="Fullest keys"
            rows={[...hottestKeys]}
            keyOf={({ key }) => key}
            columns={[
              { name: 'Key', cell: ({ key }) => <span class="mono">{key}</span> },
              { name: 'Used', align: 'end', cell: ({ usedPercent }) => <UsedChip percent={usedPercent} /> },
              { name: 'Replica', cell: ({ replicaId }) => replicaId },
            ]}
          />
        </>
      )}
    </div>
  )
}
