// The links between the replicas: a row is the view of one replica of all others. A link has a cell for each of its ends, because only
// one end may be able to dial.

import type { ReplicaLinkBody, ReplicaStateBody } from '../../../../admin/api-types.ts'
import { duration, milliseconds } from '../../parts/format.ts'
import { DataTable } from '../../tables/data-table.tsx'

type Health = 'good' | 'warn' | 'bad'

export function LinkMatrix({ ids, states }: { ids: readonly string[]; states: readonly ReplicaStateBody[] }) {
  if (ids.length < 2)
    return <p class="soft">This Plugboard has one replica. The page shows links when there are more.</p>
  const stateOf = new Map(states.map(state => [state.id, state]))
  return (
    <section class="stack" aria-label="Links">
      <h2>Links between replicas</h2>
      <p class="soft small">
        A row is the view of one replica. A cell has the round trip, the rest of the lease, and the changes by
        which the other replica is behind.
      </p>
      <DataTable
        label="Links by replica"
        rows={ids}
        keyOf={id => id}
        columns={[
          { name: 'From', isPinned: true, cell: id => <strong>{id}</strong> },
          ...ids.map(to => ({
            name: to,
            cell: (id: string) => <Cell state={stateOf.get(id)} to={to} isSelf={to === id} />,
          })),
        ]}
      />
    </section>
  )
}

function Cell(props: { state: ReplicaStateBody | undefined; to: string; isSelf: boolean }) {
  const { state, to, isSelf } = props
  if (isSelf) return <span class="soft">–</span>
  if (state === undefined) return <span class="soft">no state</span>
  const link = state.links.find(({ replicaId }) => replicaId === to)
  const behind = behindOf(state, link)
  return (
    <div class="link-state" data-health={healthOf(link, behind)} title={titleOf(state.id, to, link)}>
      {link === undefined || link.link === 'none' ? 'no link' : milliseconds(link.rttMs)}
      <div class="small">
        {link !== undefined && `lease ${link.leaseMs === 0 ? 'expired' : duration(link.leaseMs / 1000)}`}
        {link?.link === 'accepted' && ' · cannot dial'}
        {behind > 0 && ` · ${behind} behind`}
      </div>
    </div>
  )
}

/** The report of the other replica is up to a second old, so a difference of one second is not shown as a lag for long. */
function behindOf({ appliedSequence }: ReplicaStateBody, link: ReplicaLinkBody | undefined): number {
  return Math.max(0, appliedSequence - (link?.appliedSequence ?? appliedSequence))
}

function healthOf(link: ReplicaLinkBody | undefined, behind: number): Health {
  if (link === undefined || link.link === 'none' || link.leaseMs === 0) return 'bad'
  return link.link === 'accepted' || behind > 0 ? 'warn' : 'good'
}

const LINKS: Readonly<Record<ReplicaLinkBody['link'], string>> = {
  open: 'has dialled',
  accepted: 'cannot dial, but is reached by',
  none: 'has no link to',
}
const titleOf = (id: string, to: string, link: ReplicaLinkBody | undefined): string =>
  link === undefined ? `${id} does not know ${to}` : `${id} ${LINKS[link.link]} ${to}`
