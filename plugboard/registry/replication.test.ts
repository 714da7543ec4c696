// Tests the registry with random schedules, as yjs does: changes, deaths, partitions, and a wire that loses, repeats, reorders and
// garbles messages. The tests check the invariants during each schedule, and compare the views at the end.

import { expect, it } from 'vitest'
import {
  RegistryCluster,
  type SimulatedReplica,
  type WireFaults,
} from '../../test/support/harness/registry-cluster.ts'
import { randomInteger, runSeed, seededRandom } from '../../test/support/seeded-random.ts'

const LEASE_MS = 2000
const STEPS = 500
const RUNS = 4
const IDS = ['r1', 'r2', 'r3', 'r4']
const SERVICES = ['web', 'api', 'db', 'mail']

const ordinary: WireFaults = { dropRate: 0, duplicateRate: 0, reorderRate: 0, garbleRate: 0 }
const schedules: [name: string, faults: WireFaults][] = [
  ['a reliable wire', ordinary],
  ['loss', { ...ordinary, dropRate: 0.2 }],
  ['repetition', { ...ordinary, duplicateRate: 0.3 }],
  ['disorder', { ...ordinary, reorderRate: 0.5 }],
  ['all faults at once', { dropRate: 0.1, duplicateRate: 0.1, reorderRate: 0.3, garbleRate: 0 }],
  ['garbled bytes', { ...ordinary, garbleRate: 0.1 }],
]

const firstSeed = runSeed()

it.each(schedules)(`converges over %s (SEED=${firstSeed})`, (_, faults) => {
  for (let run = 0; run < RUNS; run += 1) {
    const seed = firstSeed + run
    const cluster = new RegistryCluster(seededRandom(seed), {
      compaction: { perLine: 2, floor: 10 },
      shardCount: 4,
      leaseMs: LEASE_MS,
      keepMs: 6000,
    })
    cluster.faults = faults
    for (const id of IDS) cluster.start(id)
    for (let step = 0; step < STEPS; step += 1) {
      randomStep(cluster)
      if (step % 10 === 0) checkOnTheWay(cluster, `SEED=${seed} step ${step}`)
    }
    cluster.settle()
    checkAgreement(cluster, `SEED=${seed}`)
    cluster.close()
    expect(cluster.clock.pendingTimers, `timers left, SEED=${seed}`).toBe(0)
  }
})

function randomStep(cluster: RegistryCluster): void {
  const { random, running } = cluster
  const pick = <T>(from: readonly T[]): T | undefined => from[randomInteger(random, 0, from.length - 1)]
  const replica = pick([...running.values()])
  const dice = random()
  if (dice < 0.3) {
    if (replica) changeLines(cluster, replica)
  } else if (dice < 0.55) {
    cluster.runDeferred()
    cluster.pump()
  } else if (dice < 0.9) {
    for (let i = randomInteger(random, 1, 8); i > 0; i -= 1) cluster.deliver()
  } else if (dice < 0.95) {
    cluster.clock.advance(randomInteger(random, 1, 400))
    if (random() < 0.8) cluster.renewLeases()
  } else if (dice < 0.96) {
    const [left, right] = [pick(IDS)!, pick(IDS)!]
    if (left !== right) cluster.cut(left, right)
  } else if (dice < 0.97) {
    cluster.heal()
  } else if (dice < 0.98) {
    const other = pick([...running.values()])
    if (replica && other && replica !== other) cluster.relink(replica, other)
  } else if (dice < 0.985) {
    if (replica) cluster.kill(replica.id)
  } else {
    const absent = pick(IDS.filter(id => !running.has(id)))
    if (absent) cluster.start(absent)
  }
}

function changeLines(cluster: RegistryCluster, replica: SimulatedReplica): void {
  const { random } = cluster
  const own = [...replica.registry.lines()].filter(line => line.replicaId === replica.id)
  const line = own[randomInteger(random, 0, own.length - 1)]
  const dice = random()
  if (line === undefined || dice < 0.4 + 0.4 / (1 + own.length)) {
    const services = SERVICES.filter(() => random() < 0.5)
    cluster.connect(replica, services, { labels: random() < 0.2 ? { '': 'x', zone: 'a\0b\u0001' } : {} })
  } else if (dice < 0.8) {
    cluster.announce(replica, line.tunnelId, [])
  } else {
    const weight = randomInteger(random, 0, 1000)
    const health = random() < 0.5 ? 'up' : 'down'
    const rest = [...replica.registry.linesOfTunnel(line.tunnelId)].filter(each => each !== line)
    cluster.announce(replica, line.tunnelId, [...rest, { ...line, weight, health }])
  }
}

/** Checks that a registry has only lines of replicas with a fresh lease, and only lines that were announced. */
function checkOnTheWay(cluster: RegistryCluster, where: string): void {
  const nowMs = cluster.clock.now()
  for (const replica of cluster.running.values()) {
    for (const line of replica.registry.lines()) {
      if (line.replicaId === replica.id) continue
      const lease = replica.leases.get(line.replicaId)
      if (!(lease !== undefined && lease.untilMs > nowMs))
        expect.fail(`${where}: ${replica.id} lists ${line.id} of ${line.replicaId}, whose lease has expired`)
      if (!cluster.everTrue.has(JSON.stringify(line)))
        expect.fail(`${where}: ${replica.id} lists ${JSON.stringify(line)}, which never was`)
    }
  }
}

/** Checks, after all messages have arrived, that every replica lists exactly the lines of all running replicas. */
function checkAgreement(cluster: RegistryCluster, where: string): void {
  const linesOf = (replica: SimulatedReplica, mine: boolean): string[] =>
    [...replica.registry.lines()]
      .filter(line => !mine || line.replicaId === replica.id)
      .map(line => JSON.stringify({ ...line, labels: Object.entries(line.labels).sort() }))
      .sort()
  const truth = [...cluster.running.values()].flatMap(replica => linesOf(replica, true)).sort()
  for (const replica of cluster.running.values()) {
    const view = linesOf(replica, false)
    const missing = truth.filter(line => !view.includes(line))
    const surplus = view.filter(line => !truth.includes(line))
    expect({ missing, surplus }, `the view of ${replica.id}, ${where}`).toEqual({ missing: [], surplus: [] })
    for (const exchange of replica.exchanges.values()) {
      expect(exchange.agrees && exchange.peerAgrees, `${replica.id} and ${exchange.peerId}, ${where}`).toBe(
        true,
      )
    }
    for (const other of cluster.running.values()) {
      if (replica === other) continue
      const attached = replica.follower.attach(other.id, other.incarnation)
      const copy = attached.current()!
      // Four shards of at most 2 × lines + 10 operations, and each operation takes less than 150 bytes.
      expect(copy.stateBytes, where).toBeLessThan(150 * (3 * copy.lineCount + 4 * 11))
      attached.release()
    }
  }
}
