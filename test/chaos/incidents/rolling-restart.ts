// Restarts all processes in an orderly way, one after the other: replicas by SIGTERM, Telephones by SIGTERM or by a newer
// process that replaces the old one. No request fails.

import { eventually } from '../../support/deadline.ts'
import { SERVICES } from '../cluster/cluster.ts'
import type { TelephonePlace } from '../cluster/telephone-place.ts'
import { neverStale } from '../incident.ts'
import type { Scene } from '../scene.ts'

const TUNNELS = 2

export async function rollingRestart(scene: Scene): Promise<void> {
  const { cluster, balancer, windows } = scene
  const begins = (name: string): void =>
    scene.begins({ name, fromMs: scene.now(), mayBeStale: neverStale, excuse: () => undefined })
  for (const replica of scene.shuffled(cluster.replicas)) {
    begins(`SIGTERM ${replica.name}`)
    scene.setWell(replica, false)
    const askedAtMs = scene.now()
    await replica.process.child.stop()
    windows.add('rollingReplica', scene.now() - askedAtMs)
    await replica.start()
    await balancer.untilHealth(replica.name, true)
    scene.setWell(replica, true)
  }
  for (const telephone of scene.shuffled(cluster.telephones)) {
    const older = telephone.process.child
    const only = SERVICES[telephone.service] === 1
    if (only || scene.random() < 0.5) {
      begins(`a newer process of ${telephone.name}`)
      const before = new Set(await cluster.instancesOf(telephone))
      cluster.launch(telephone)
      await untilServedBy(scene, telephone, before)
      await older.stop()
    } else {
      begins(`SIGTERM telephone ${telephone.name}`)
      const before = new Set(await cluster.instancesOf(telephone))
      await older.stop()
      cluster.launch(telephone)
      await untilServedBy(scene, telephone, before)
    }
  }
  await cluster.settled()
}

/** Resolves when a process that is not in `before` has all tunnels. */
async function untilServedBy(
  { cluster }: Scene,
  telephone: TelephonePlace,
  before: ReadonlySet<string>,
): Promise<void> {
  await eventually(`the new process of ${telephone.name} serves`, async () => {
    const instances = await cluster.instancesOf(telephone)
    const fresh = instances.filter(instance => !before.has(instance))
    return fresh.length >= TUNNELS && fresh.length === instances.length ? true : undefined
  })
}
