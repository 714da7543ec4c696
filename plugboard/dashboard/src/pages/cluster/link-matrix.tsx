// The links between the replicas: a row is the view of one replica of all others. A link has a cell for each of its ends, because only
// one end may be able to dial.

import type { ReplicaLinkBody, ReplicaStateBody } from '../../../../admin/api-types.ts'
import { duration, milliseconds } from '../../parts/format.ts'
import { DataTable } from '../../tables/data-table.tsx'

type Health = 'good' | 'warn' | 'bad'

/** With more replicas, the columns have the numbers of the rows, and healthy cells have only the round trip. */
const MAX_NAMED = 6

export function LinkMatrix({ ids, states }: { ids: readonly string[]; states: readonly ReplicaStateBody[] }) {
  if (ids.length < 2)
    return <p class="soft">This Plugboard has one replica. The page shows links when there are more.</p>
  const stateOf = new Map(states.map(state => [state.id, state]))
  const isShort = ids.length > MAX_NAMED
  return (
    <section class="stack" aria-label="Links">
      <h2>Links between replicas</h2>
      <p class="soft small">
        A row is the view of one replica. A cell has the round trip, the rest of the lease, and the changes by
        which the other replica is behind.
        {isShort && ' The columns have the numbers of the rows.'}
      </p>
      <DataTable
        label="Links by replica"
        rows={ids}
        keyOf={id => id}
        columns={[
          {
            name: 'From',
            isPinned: true,
            cell: id => (
              <>
                {isShort && `${ids.indexOf(id) + 1} `}
                <strong>{id}</strong>
              </>
            ),
          },
          ...ids.map((to, index) => ({
            name: isShort ? String(index + 1) : to,
            cell: (id: string) => (
              <Cell
                from={stateOf.get(id)}
                id={to}
                to={stateOf.get(to)}
                isSelf={to === id}
                isShort={isShort}
              />
            ),
          })),
        ]}
      />
    </section>
  )
}

/** `from`, `to`: undefined when the replica sent no state. */
function Cell(props: {
  from: ReplicaStateBody | undefined
  id: string
  to: ReplicaStateBody | undefined
  isSelf: boolean
  isShort: boolean
}) {
  const { from, id, to, isSelf, isShort } = props
  if (isSelf) return <span class="soft">–</span>
  if (from === undefined) return <span class="soft">no state</span>
  const link = from.links.find(({ replicaId }) => replicaId === id)
  const behind = behindOf(from, to, link)
  const health = healthOf(link, behind)
  const lease = link && `lease ${link.leaseMs === 0 ? 'expired' : duration(link.leaseMs / 1000)}`
  const details = [
    lease,
    link?.link === 'accepted' && 'cannot dial',
    behind > 0 && `${behind} behind`,
  ].filter(text => typeof text === 'string')
  return (
    <div class="link-state" data-health={health} title={[titleOf(from.id, id, link), ...details].join(', ')}>
      {link === undefined || link.link === 'none' ? 'no link' : milliseconds(link.rttMs)}
      {(!isShort || health !== 'good') && <div class="small">{details.join(' · ')}</div>}
    </div>
  )
}

/** A report over the link is up to a second old, so the state of the other replica decides, if it sent one. */
function behindOf(
  { appliedSequence }: ReplicaStateBody,
  to: ReplicaStateBody | undefined,
  link: ReplicaLinkBody | undefined,
): number {
  return Math.max(0, appliedSequence - (to?.appliedSequence ?? link?.appliedSequence ?? appliedSequence))
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
