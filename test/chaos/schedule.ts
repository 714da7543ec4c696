// Which incidents happen, in which order: all of them once in an order by lot, and again for as long as there is time.

import { linkSilent, partitioned } from './incidents/network-broken.ts'
import { postgresAway, replicaKilledWithoutPostgres } from './incidents/postgres-away.ts'
import { replicaFrozen } from './incidents/replica-frozen.ts'
import { replicaKilled } from './incidents/replica-killed.ts'
import { rollingRestart } from './incidents/rolling-restart.ts'
import { telephoneFrozen, telephoneKilled } from './incidents/telephone-lost.ts'
import type { Scene } from './scene.ts'

type Happen = (scene: Scene) => Promise<void>

const ONCE = {
  replicaKilled,
  telephoneKilled,
  replicaFrozen,
  telephoneFrozen,
  linkSilent,
  partitioned,
  postgresAway,
  rollingRestart,
} satisfies Record<string, Happen>
/** As much more often as they are shorter, and what is too long for the short run. */
const MORE = { replicaKilledWithoutPostgres } satisfies Record<string, Happen>
const AGAIN: readonly Happen[] = [
  ...Object.values(ONCE),
  ...Object.values(MORE),
  replicaKilled,
  telephoneKilled,
  telephoneKilled,
  linkSilent,
]
export const INCIDENTS: Readonly<Record<string, Happen>> = { ...ONCE, ...MORE }

export interface Schedule {
  /** Rounds of all kinds and more for so long; undefined: each of the first kinds once. */
  readonly minutes?: number
  /** This kind alone, a key of `INCIDENTS`. */
  readonly only?: string
}

export async function happen(scene: Scene, { minutes, only }: Schedule): Promise<void> {
  const single = only === undefined ? undefined : INCIDENTS[only]
  if (minutes === undefined) {
    for (const incident of scene.shuffled(single ? [single] : Object.values(ONCE))) await incident(scene)
    return
  }
  const untilMs = scene.now() + minutes * 60_000
  for (;;) {
    for (const incident of scene.shuffled(single ? [single] : AGAIN)) {
      if (scene.now() >= untilMs) return
      await incident(scene)
    }
  }
}
