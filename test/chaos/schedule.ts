// Chooses the incidents and their order: all kinds once in a random order, or rounds of them until the time is over.

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
/** Incidents that take too long for the short run. `AGAIN` has short kinds several times, because they take less time. */
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
  /** The time for rounds of all kinds. Undefined: each kind of `ONCE` once. */
  readonly minutes?: number
  /** Run only this kind, a key of `INCIDENTS`. */
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
