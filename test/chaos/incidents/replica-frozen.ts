// SIGSTOP to a replica for 15 s: its sockets stay open and say nothing. The others find out by their pings and go on;
// what the balancer had given to it waits. Thawed, it finds its tunnels and links dead and its routes old, has to come
// back by itself, and must not say that it is ready before it has lines again.

import { isIdempotent, overlaps, wasCutBy, wasLeftUncertain } from '../incident.ts'
import type { Scene } from '../scene.ts'
import { untilLinesGone } from './until-lines-gone.ts'

const FROZEN_MS = 15_000
/** "Noticed by both ends within 10 s", and a little for the look at it, ms. */
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
        return 'half an answer through the replica that was frozen'
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
