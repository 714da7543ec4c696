// Which incidents happen, in which order: all of them once in an order by lot, and again for as long as there is time.

import { linkSilent, partitioned } from './incidents/network-broken.ts'
import { postgresAway, replicaKilledWithoutPostgres } from './incidents/postgres-away.ts'
import { replicaFrozen } from './incidents/replica-frozen.ts'
import { replicaKilled } from './incidents/replica-killed.ts'
import { rollingRestart } from './incidents/rolling-restart.ts'
import { telephoneFrozen, telephoneKilled } from './incidents/telephone-lost.ts'
import type { Scene } from './scene.ts'

type Happen = (scene: Scene) => Promise<void>

const ONCE: readonly Happen[] = [
  replicaKilled,
  telephoneKilled,
  replicaFrozen,
  telephoneFrozen,
  linkSilent,
  partitioned,
  postgresAway,
  rollingRestart,
]
const AGAIN: readonly Happen[] = [
  ...ONCE,
  replicaKilled,
  telephoneKilled,
  telephoneKilled,
  linkSilent,
  replicaKilledWithoutPostgres,
]

/** All kinds once; with `minutes`, rounds of all kinds and more until that time is over. */
export async function happen(scene: Scene, minutes: number | undefined): Promise<void> {
  if (minutes === undefined) {
    for (const incident of scene.shuffled(ONCE)) await incident(scene)
    return
  }
  const untilMs = scene.now() + minutes * 60_000
  for (;;) {
    for (const incident of scene.shuffled(AGAIN)) {
      if (scene.now() >= untilMs) return
      await incident(scene)
    }
  }
}
