// Stops Postgres and starts it again. Requests continue, and edits are rejected with 503. The first edit that is acknowledged
// afterwards is soon live on all replicas. In the second form, a replica is killed meanwhile and must start from its snapshot.

import { eventually } from '../../support/deadline.ts'
import type { Incident } from '../incident.ts'
import type { Scene } from '../scene.ts'
import { replicaKilled } from './replica-killed.ts'

export async function postgresAway(scene: Scene): Promise<void> {
  await withoutPostgres(scene, () => scene.pause(4000, 8000))
}

export async function replicaKilledWithoutPostgres(scene: Scene): Promise<void> {
  await withoutPostgres(scene, () => replicaKilled(scene, { whole: false }))
}

async function withoutPostgres(scene: Scene, meanwhile: () => Promise<void>): Promise<void> {
  const { cluster, windows, editor } = scene
  const fromMs = scene.now()
  let currentAtMs = Number.POSITIVE_INFINITY
  const incident: Incident = {
    name: 'Postgres away',
    fromMs,
    excuse: () => undefined,
    // Some replicas may have missed an edit that was acknowledged just before the stop.
    mayBeStale: (_replica, sentAtMs, endedAtMs) => endedAtMs >= fromMs && sentAtMs <= currentAtMs,
  }
  scene.begins(incident)
  const refusedBefore = editor.report.unavailable
  await cluster.stopPostgres()
  await meanwhile()
  await eventually('an edit is refused', () => (editor.report.unavailable > refusedBefore ? true : undefined))
  await cluster.startPostgres()
  const backAtMs = scene.now()
  await eventually('an edit is acknowledged, and live everywhere', () => editor.editNow())
  currentAtMs = scene.now()
  windows.add('postgresBack', currentAtMs - backAtMs)
  await cluster.settled()
}
