// Sends SIGSTOP to a replica for 15 s: its sockets stay open and are silent. The other replicas detect this by their pings and
// continue. Requests that the balancer gave to this replica wait. After SIGCONT, its tunnels and links are closed and its
// routes are old. It must recover by itself, and must not report that it is ready before it has lines again.

import { isIdempotent, overlaps, wasCutBy, wasLeftUncertain } from '../incident.ts'
import type { Scene } from '../scene.ts'
import { untilLinesGone } from './until-lines-gone.ts'

const FROZEN_MS = 15_000
/** "Noticed by both ends within 10 s", and some time for the poll, ms. */
const NOTICED_MS = 10_500

export async function replicaFrozen(scene: Scene): Promise<void> {
  const { cluster, balancer, windows } = scene
  const replica = scene.anyReplica()
  const { child } = replica.process
  scene.setWell(replica, false)
  const fromMs = scene.now()
  let unlistedAtMs = Number.POSITIVE_INFINITY
  let wholeAtMs = Number.POSITIVE_INFINITY
  scene.begins({
    name: `SIGSTOP ${replica.name}`,
    fromMs,
    mayBeStale: (name, sentAtMs, endedAtMs) =>
      name === replica.name && endedAtMs >= fromMs && sentAtMs <= wholeAtMs,
    excuse: failure => {
      const { asked } = failure
      if (asked.replica === replica.name && overlaps(failure, fromMs, unlistedAtMs)) {
        return 'given to the replica that was frozen'
      }
      if (wasCutBy(failure, fromMs, NOTICED_MS)) {
        windows.add('replicaFrozenStreams', asked.endedAtMs - fromMs)
        return 'a partial response through the replica that was frozen'
      }
      const uncertain = !isIdempotent(failure) && wasLeftUncertain(failure, fromMs, fromMs + NOTICED_MS)
      return uncertain ? 'not repeatable, through the replica that was frozen' : undefined
    },
  })
  const unlisted = balancer.untilHealth(replica.name, false).then(() => {
    unlistedAtMs = scene.now()
  })
  child.signal('SIGSTOP')
  try {
    const frozen = scene.pause(FROZEN_MS, FROZEN_MS)
    await untilLinesGone(scene, replica)
    windows.add('replicaFrozenLines', scene.now() - fromMs)
    await Promise.all([frozen, unlisted])
  } finally {
    child.signal('SIGCONT')
  }
  const thawedAtMs = scene.now()
  await balancer.untilHealth(replica.name, true)
  await cluster.settled()
  wholeAtMs = scene.now()
  scene.setWell(replica, true)
  windows.add('replicaReturned', wholeAtMs - thawedAtMs)
}
