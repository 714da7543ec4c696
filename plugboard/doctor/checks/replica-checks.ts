// The checks of the cluster: links between replicas, disagreements, and changes that a replica has not applied.

import type { ReplicaBody } from '../../admin/api-types.ts'
import { counted, type Finding, failed, listed, ok, unknown, warning } from '../finding.ts'

const SHOW =
  'Run "plugboard replica list", and check the network between the peer ports (peerListen, peerUrl, clusterSecret).'
/** Changes that a replica may lack for a moment, between two polls of the change log. */
const USUAL_LAG = 10

export function checkLinks(replicas: readonly ReplicaBody[]): Finding {
  const others = replicas.filter(({ self }) => !self)
  if (others.length === 0) return ok('This replica is alone.')
  const lost = others.filter(({ state }) => state === 'lost')
  if (lost.length > 0)
    return failed(
      `This replica has lost ${counted(lost.length, 'replica')}: ${listed(lost.map(({ id }) => id))}.`,
      SHOW,
    )
  // The distance in changes has a check of its own.
  const faulty = others.flatMap(({ id, disagreements }) => {
    const [first] = disagreements.filter(text => !text.startsWith('It is '))
    return first === undefined ? [] : [{ id, first }]
  })
  const [example] = faulty
  if (example === undefined) return ok(`${counted(others.length, 'other replica')} and this one agree.`)
  return warning(
    `${counted(faulty.length, 'replica')} ${faulty.length === 1 ? 'disagrees' : 'disagree'} with this one: ${listed(faulty.map(({ id }) => id))}. ${example.id}: ${example.first}`,
    SHOW,
  )
}

/** `latest`: the newest change in the database; undefined while it is unavailable. `notified`: false when notifications are lost. */
export function checkChanges(
  replicas: readonly ReplicaBody[],
  latest: number | undefined,
  notified: boolean,
): Finding {
  if (latest === undefined) {
    return unknown(
      'The newest change is unknown while the database is unavailable. All replicas serve the routes in memory.',
    )
  }
  const behind = replicas.filter(
    ({ appliedSequence, state }) =>
      state !== 'lost' && appliedSequence !== null && latest - appliedSequence > USUAL_LAG,
  )
  const [first] = behind
  if (first !== undefined) {
    return failed(
      `${counted(behind.length, 'replica')} ${behind.length === 1 ? 'lacks' : 'lack'} changes: ${listed(behind.map(({ id }) => id))}. ${first.id} is ${latest - (first.appliedSequence ?? 0)} changes behind.`,
      'Read the log of the replica for "database" and "changes". Check its connection to the database, and restart it when it stays behind.',
    )
  }
  if (!notified) {
    return warning(
      'Notifications of changes do not arrive, so changes are found by polling every 2 s.',
      'Give Plugboard a direct connection to Postgres, or a pooler in session mode.',
    )
  }
  return ok(`All replicas have applied change ${latest}, or are a few changes behind.`)
}
