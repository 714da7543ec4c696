// Connections that become silent without a FIN: one link between two replicas; and a replica that cannot reach the other
// replicas and Postgres, while the balancer and its Telephones still reach it. Each side serves requests with the lines that
// it reaches.

import { eventually } from '../../support/deadline.ts'
import type { Replica } from '../cluster/replica.ts'
import { neverStale, overlaps, wasCutBy, wasLeftUncertain } from '../incident.ts'
import type { Scene } from '../scene.ts'

/** "Noticed by both ends within 10 s", and some time for the poll, ms. */
const NOTICED_MS = 10_500

export async function linkSilent(scene: Scene): Promise<void> {
  const { cluster, windows, judgement } = scene
  const [one, other] = scene.shuffled(cluster.replicas) as [Replica, Replica, Replica]
  const fromMs = scene.now()
  scene.begins({
    name: `silent link ${one.name} – ${other.name}`,
    fromMs,
    mayBeStale: neverStale,
    excuse: failure => {
      const through = [one.name, other.name].includes(failure.asked.replica ?? '')
      if (through && wasCutBy(failure, fromMs, NOTICED_MS)) return 'a partial response over the silent link'
      return through && wasLeftUncertain(failure, fromMs, fromMs + NOTICED_MS)
        ? 'not repeatable, over the silent link'
        : undefined
    },
  })
  judgement.takeSlowestMs()
  one.peers.silence(other.name, true)
  other.peers.silence(one.name, true)
  await Promise.all([untilUnlinked(one, [other]), untilUnlinked(other, [one])])
  windows.add('linkSilent', scene.now() - fromMs)
  await scene.pause(1500, 3000)
  windows.add('linkSlowest', judgement.takeSlowestMs())
  const healedAtMs = scene.now()
  one.peers.silence(other.name, false)
  other.peers.silence(one.name, false)
  await cluster.settled()
  windows.add('linkHealed', scene.now() - healedAtMs)
}

export async function partitioned(scene: Scene): Promise<void> {
  const { cluster, windows } = scene
  const alone = scene.anyReplica()
  const others = cluster.others(alone)
  const servicesHere = async (): Promise<Set<string>> => {
    const homes = new Set((await alone.telephones()).map(({ name }) => name))
    return new Set(cluster.telephones.filter(({ name }) => homes.has(name)).map(({ service }) => service))
  }
  // A tunnel may be moving to another replica now, so only services that are present in both checks count.
  const reached = await servicesHere()
  const lookAgain = async (): Promise<void> => {
    const here = await servicesHere()
    for (const service of reached) if (!here.has(service)) reached.delete(service)
  }
  scene.setWell(alone, false)
  const fromMs = scene.now()
  let currentAtMs = Number.POSITIVE_INFINITY
  let wholeAtMs = Number.POSITIVE_INFINITY
  scene.begins({
    name: `partition: ${alone.name} alone`,
    fromMs,
    mayBeStale: (name, sentAtMs, endedAtMs) =>
      name === alone.name && endedAtMs >= fromMs && sentAtMs <= currentAtMs,
    excuse: failure => {
      const { outcome, replica } = failure.asked
      const away = [...failure.destinations].some(service => service !== null && !reached.has(service))
      if (
        replica === alone.name &&
        away &&
        outcome.kind === 'problem' &&
        overlaps(failure, fromMs, wholeAtMs)
      ) {
        return 'no line of the service on this side of the partition'
      }
      if (wasCutBy(failure, fromMs, NOTICED_MS)) return 'a partial response across the partition'
      return wasLeftUncertain(failure, fromMs, fromMs + NOTICED_MS)
        ? 'not repeatable, across the partition'
        : undefined
    },
  })
  const cutOff = (on: boolean): void => {
    alone.peers.blackhole(on)
    for (const other of others) other.peers.silence(alone.name, on)
    alone.database.blackhole(on)
  }
  cutOff(true)
  // Only the other replicas are asked: the admin API is slow on a replica whose database does not respond.
  await Promise.all(others.map(other => untilUnlinked(other, [alone])))
  await lookAgain()
  await scene.pause(2000, 5000)
  const healedAtMs = scene.now()
  cutOff(false)
  const { appliedSequence: wanted } = await others[0]!.status()
  await eventually('the missed changes are there', async () =>
    (await alone.status()).appliedSequence >= wanted ? true : undefined,
  )
  currentAtMs = scene.now()
  windows.add('partitionCurrent', currentAtMs - healedAtMs)
  await cluster.settled()
  wholeAtMs = scene.now()
  scene.setWell(alone, true)
  windows.add('linkHealed', wholeAtMs - healedAtMs)
  scene.say(`  in the partition it reached ${[...reached].join(', ')}`)
}

async function untilUnlinked(replica: Replica, others: readonly Replica[]): Promise<void> {
  await eventually(`${replica.name} has closed its links`, async () => {
    const { items } = await replica.view()
    const linked = items.filter(({ id, link }) => link !== 'none' && others.some(({ name }) => name === id))
    return linked.length === 0 ? true : undefined
  })
}
