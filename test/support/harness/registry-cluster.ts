// Simulates the registries of several replicas in one process, without sockets. Each replica has a registry, an owner and a
// follower, and an exchange with each other replica. An exchange runs over a wire that may lose, repeat and reorder messages.
// The test controls time and randomness. The cluster also keeps the expected state, for comparisons.

import { asReplicaId, type ReplicaId } from '../../../plugboard/common/ids/replica-id.ts'
import type { CompactionLimits } from '../../../plugboard/registry/documents/shard-writer-state.ts'
import { type Incarnation, newIncarnation } from '../../../plugboard/registry/incarnation.ts'
import type { Line } from '../../../plugboard/registry/line.ts'
import { asTunnelId, lineId } from '../../../plugboard/registry/line-ids.ts'
import { Registry } from '../../../plugboard/registry/registry.ts'
import { RegistryFollower } from '../../../plugboard/registry/sync/registry-follower.ts'
import { RegistryOwner } from '../../../plugboard/registry/sync/registry-owner.ts'
import { RegistrySync } from '../../../plugboard/registry/sync/registry-sync.ts'
import { ManualClock } from '../manual-clock.ts'
import type { Random } from '../seeded-random.ts'
import { randomInteger } from '../seeded-random.ts'

export interface WireFaults {
  readonly dropRate: number
  readonly duplicateRate: number
  /** Probability that a message other than the first one is delivered. */
  readonly reorderRate: number
  /** Probability that some bytes of a message are overwritten. */
  readonly garbleRate: number
}

export const ORDERLY: WireFaults = { dropRate: 0, duplicateRate: 0, reorderRate: 0, garbleRate: 0 }

/** Messages that a wire holds. A further message has to wait at the sender. */
const WIRE_MESSAGES = 4

interface Wire {
  readonly from: string
  readonly to: string
  readonly messages: Uint8Array[]
}

export interface SimulatedReplica {
  readonly id: ReplicaId
  readonly incarnation: Incarnation
  readonly registry: Registry
  readonly owner: RegistryOwner
  readonly follower: RegistryFollower
  readonly exchanges: Map<string, RegistrySync>
  /** Tasks that run at the end of the turn. */
  readonly deferred: (() => void)[]
  /** The leases that other replicas gave to this one, with the incarnation and the end of each lease. */
  readonly leases: Map<string, { incarnation: Incarnation; untilMs: number }>
}

export class RegistryCluster {
  readonly clock = new ManualClock()
  readonly running = new Map<string, SimulatedReplica>()
  /** All lines that ever existed, of any incarnation. */
  readonly everTrue = new Set<string>()
  readonly random: Random
  faults: WireFaults = ORDERLY
  readonly #wires = new Map<string, Wire>()
  readonly #cut = new Set<string>()
  readonly #options: { compaction: CompactionLimits; shardCount: number; leaseMs: number; keepMs: number }
  #tunnels = 0

  constructor(
    random: Random,
    options: { compaction: CompactionLimits; shardCount: number; leaseMs: number; keepMs: number },
  ) {
    this.random = random
    this.#options = options
  }

  /** Starts a replica with a new incarnation and links it with all others. */
  start(id: string): SimulatedReplica {
    // In practice, two incarnations never start in the same millisecond, so their order is the order of their starts.
    this.clock.advance(1)
    const replicaId = asReplicaId(id)
    const registry = new Registry()
    const incarnation = newIncarnation(this.clock.wallTime(), this.random)
    const deferred: (() => void)[] = []
    const { compaction, shardCount, keepMs } = this.#options
    const defer = (task: () => void): void => void deferred.push(task)
    const owner = new RegistryOwner({ registry, replicaId, incarnation, defer, shardCount, compaction })
    const follower = new RegistryFollower({ registry, replicaId, clock: this.clock, keepMs })
    const replica: SimulatedReplica = {
      id: replicaId,
      incarnation,
      registry,
      owner,
      follower,
      deferred,
      exchanges: new Map(),
      leases: new Map(),
    }
    for (const other of this.running.values()) this.#link(replica, other)
    this.running.set(id, replica)
    return replica
  }

  /** Ends the replica without any message. Messages that it has sent may still arrive. */
  kill(id: string): void {
    const replica = this.running.get(id)!
    this.running.delete(id)
    for (const exchange of replica.exchanges.values()) exchange.close()
    replica.owner.close()
    replica.follower.close()
    for (const other of this.running.values()) {
      other.exchanges.get(id)?.close()
      other.exchanges.delete(id)
    }
  }

  /** Breaks a link and creates it again. The exchanges start again, and the documents stay. */
  relink(left: SimulatedReplica, right: SimulatedReplica): void {
    left.exchanges.get(right.id)?.close()
    right.exchanges.get(left.id)?.close()
    this.#link(left, right)
  }

  /** Blocks all messages and heartbeats between the two replicas. */
  cut(left: string, right: string): void {
    this.#cut.add(pairOf(left, right))
  }

  heal(): void {
    this.#cut.clear()
  }

  isCut(left: string, right: string): boolean {
    return this.#cut.has(pairOf(left, right))
  }

  connect(replica: SimulatedReplica, services: readonly string[], more: Partial<Line> = {}): string {
    this.#tunnels += 1
    const tunnelId = `tunnel-${this.#tunnels}`
    const lines = services.map(service => makeLine(replica.id, tunnelId, service, more))
    this.announce(replica, tunnelId, lines)
    return tunnelId
  }

  announce(replica: SimulatedReplica, tunnelId: string, lines: readonly Line[]): void {
    for (const line of lines) this.everTrue.add(JSON.stringify(line))
    replica.registry.replace(asTunnelId(tunnelId), lines)
  }

  /** Simulates heartbeats: replicas with a working link give each other leases. */
  renewLeases(): void {
    const untilMs = this.clock.now() + this.#options.leaseMs
    for (const replica of this.running.values()) {
      for (const other of this.running.values()) {
        if (other !== replica && !this.isCut(replica.id, other.id)) this.lease(replica, other, untilMs)
      }
    }
  }

  lease(replica: SimulatedReplica, other: SimulatedReplica, untilMs: number): void {
    if (!replica.follower.renewLease(other.id, other.incarnation, untilMs)) return
    const before = replica.leases.get(other.id)
    const known = before?.incarnation === other.incarnation ? before.untilMs : 0
    replica.leases.set(other.id, { incarnation: other.incarnation, untilMs: Math.max(known, untilMs) })
  }

  runDeferred(): void {
    for (const replica of this.running.values()) for (const task of replica.deferred.splice(0)) task()
  }

  /** Moves messages from exchanges to wires while the wires have room. */
  pump(): boolean {
    let moved = false
    for (const replica of this.running.values()) {
      for (const [peerId, exchange] of replica.exchanges) {
        const wire = this.#wire(replica.id, peerId)
        while (wire.messages.length < WIRE_MESSAGES) {
          const message = exchange.pull()
          if (message === undefined) break
          moved = true
          if (!this.isCut(replica.id, peerId)) this.#send(wire, message)
        }
      }
    }
    return moved
  }

  /** Delivers one message of a random wire. Returns false when all wires are empty. */
  deliver(): boolean {
    const wires = [...this.#wires.values()].filter(wire => wire.messages.length > 0)
    if (wires.length === 0) return false
    const wire = wires[randomInteger(this.random, 0, wires.length - 1)]!
    const reorder = this.random() < this.faults.reorderRate
    const index = reorder ? randomInteger(this.random, 0, wire.messages.length - 1) : 0
    const message = wire.messages.splice(index, 1)[0]!
    if (!this.isCut(wire.from, wire.to)) this.running.get(wire.to)?.exchanges.get(wire.from)?.receive(message)
    return true
  }

  /** Ends all faults, delivers all messages on the wires, and advances the time. */
  settle(totalMs = 5000): void {
    this.heal()
    this.faults = ORDERLY
    for (let passedMs = 0; passedMs < totalMs; passedMs += 100) {
      this.renewLeases()
      this.runDeferred()
      while (this.pump() || this.deliver());
      this.clock.advance(100)
    }
  }

  close(): void {
    for (const id of [...this.running.keys()]) this.kill(id)
  }

  #link(left: SimulatedReplica, right: SimulatedReplica): void {
    for (const [from, to] of [
      [left, right],
      [right, left],
    ] as const) {
      const { owner, follower } = from
      const onReady = (): void => undefined
      from.exchanges.set(
        to.id,
        new RegistrySync({
          owner,
          follower,
          peerId: to.id,
          peerIncarnation: to.incarnation,
          clock: this.clock,
          onReady,
        }),
      )
    }
  }

  #wire(from: string, to: string): Wire {
    const key = `${from}>${to}`
    let wire = this.#wires.get(key)
    if (wire === undefined) {
      wire = { from, to, messages: [] }
      this.#wires.set(key, wire)
    }
    return wire
  }

  #send(wire: Wire, message: Uint8Array): void {
    const { dropRate, duplicateRate, garbleRate } = this.faults
    if (this.random() < dropRate) return
    const sent = Uint8Array.from(message)
    if (this.random() < garbleRate) {
      const at = randomInteger(this.random, 0, sent.length - 1)
      sent.fill(randomInteger(this.random, 0, 255), at, at + randomInteger(this.random, 1, 8))
    }
    wire.messages.push(sent)
    if (this.random() < duplicateRate) wire.messages.push(Uint8Array.from(sent))
  }
}

export function makeLine(replica: string, tunnel: string, service: string, more: Partial<Line> = {}): Line {
  const tunnelId = asTunnelId(tunnel)
  return {
    id: lineId(tunnelId, service),
    replicaId: asReplicaId(replica),
    tunnelId,
    service,
    telephone: `device-${tunnelId}`,
    instance: `instance-${tunnelId}`,
    health: 'up',
    weight: 100,
    version: '',
    labels: {},
    ...more,
  }
}

function pairOf(left: string, right: string): string {
  return left < right ? `${left}|${right}` : `${right}|${left}`
}
