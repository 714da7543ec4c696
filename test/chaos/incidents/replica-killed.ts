// Sends SIGKILL to a replica and starts it again after a short time. The replica loses the requests that are open at the kill,
// and the requests that the balancer sends to it until its next check. Requests at other replicas succeed, except partly sent
// responses.

import { neverStale, overlaps, wasCutBy, wasLeftUncertain } from '../incident.ts'
import type { Scene } from '../scene.ts'
import { untilLinesGone } from './until-lines-gone.ts'

/** Longer than the promised time: the windows check whether the promise was kept. */
const AFTERMATH_MS = 3000

/** `whole`: true to wait until the cluster is complete again, which is not possible without Postgres. */
export async function replicaKilled(scene: Scene, { whole = true } = {}): Promise<void> {
  const { balancer, windows } = scene
  const replica = scene.anyReplica()
  scene.setWell(replica, false)
  const fromMs = scene.now()
  let unlistedAtMs = Number.POSITIVE_INFINITY
  scene.begins({
    name: `SIGKILL ${replica.name}`,
    fromMs,
    mayBeStale: neverStale,
    excuse: failure => {
      const { asked } = failure
      if (asked.replica === replica.name && overlaps(failure, fromMs, unlistedAtMs)) {
        windows.add('replicaKilledBalancer', Math.max(0, asked.sentAtMs - fromMs))
        return 'given to the replica that was killed'
      }
      if (wasCutBy(failure, fromMs, AFTERMATH_MS)) {
        windows.add('replicaKilledStreams', asked.endedAtMs - fromMs)
        return 'a partial response through the replica that was killed'
      }
      return wasLeftUncertain(failure, fromMs, fromMs + AFTERMATH_MS)
        ? 'not repeatable, through the replica that was killed'
        : undefined
    },
  })
  const unlisted = balancer.untilHealth(replica.name, false).then(() => {
    unlistedAtMs = scene.now()
  })
  await Promise.all([
    replica.process.child.stop('SIGKILL'),
    untilLinesGone(scene, replica).then(() => windows.add('replicaKilledLines', scene.now() - fromMs)),
    unlisted,
  ])
  await scene.pause(200, 2000)
  const startedAtMs = scene.now()
  await replica.start()
  await balancer.untilHealth(replica.name, true)
  scene.setWell(replica, true)
  if (!whole) return
  await scene.cluster.settled()
  windows.add('replicaReturned', scene.now() - startedAtMs)
}
