// Simulates replicas in one process, linked through memory, on the real clock. It measures the cost of writing, sending and
// reading as CPU time of the thread, so that other load on the machine does not count.

import { asReplicaId, type ReplicaId } from '../../../plugboard/common/ids/replica-id.ts'
import { newIncarnation } from '../../../plugboard/registry/incarnation.ts'
import { asTunnelId, lineId } from '../../../plugboard/registry/line-ids.ts'
import { Registry } from '../../../plugboard/registry/registry.ts'
import { RegistryFollower } from '../../../plugboard/registry/sync/registry-follower.ts'
import { RegistryOwner } from '../../../plugboard/registry/sync/registry-owner.ts'
import { RegistrySync } from '../../../plugboard/registry/sync/registry-sync.ts'
import { systemClock } from '../../../shared/clock.ts'

const LEASE_MS = 3_600_000
/** The number of services, and of tunnels per Telephone. */
const SERVICES = 1000

export class MeshReplica {
  readonly id: ReplicaId
  readonly incarnation = newIncarnation(Date.now(), Math.random)
  readonly registry = new Registry()
  readonly deferred: (() => void)[] = []
  readonly owner: RegistryOwner
  readonly follower: RegistryFollower
  readonly exchanges = new Map<MeshReplica, RegistrySync>()

  constructor(id: string) {
    this.id = asReplicaId(id)
    const { registry, incarnation } = this
    const defer = (task: () => void): void => void this.deferred.push(task)
    this.owner = new RegistryOwner({ registry, replicaId: this.id, incarnation, defer })
    this.follower = new RegistryFollower({ registry, replicaId: this.id, clock: systemClock })
  }

  lineCount(): number {
    return [...this.registry.lines()].length
  }

  lists(tunnelId: string): boolean {
    const service = serviceOf(tunnelId)
    const id = lineId(asTunnelId(tunnelId), service)
    for (const line of this.registry.linesOf(service)) if (line.id === id) return true
    return false
  }

  agrees(): boolean {
    return [...this.exchanges.values()].every(exchange => exchange.agrees && exchange.peerAgrees)
  }

  link(peer: MeshReplica): void {
    const { owner, follower } = this
    const onReady = (): void => undefined
    const options = {
      owner,
      follower,
      peerId: peer.id,
      peerIncarnation: peer.incarnation,
      clock: systemClock,
      onReady,
    }
    this.exchanges.set(peer, new RegistrySync(options))
    follower.renewLease(peer.id, peer.incarnation, systemClock.now() + LEASE_MS)
  }

  close(): void {
    for (const exchange of this.exchanges.values()) exchange.close()
    this.owner.close()
    this.follower.close()
  }
}

export class RegistryMesh {
  readonly replicas: MeshReplica[] = []
  costs = { writeMs: 0, sendMs: 0, readMs: 0, messageBytes: 0, maxBlockMs: 0 }

  /** Adds a replica and links it with `peers`. Default: all replicas. */
  add(id: string, peers: readonly MeshReplica[] = this.replicas): MeshReplica {
    const replica = new MeshReplica(id)
    for (const peer of peers) {
      replica.link(peer)
      peer.link(replica)
    }
    this.replicas.push(replica)
    return replica
  }

  remove(replica: MeshReplica): void {
    this.replicas.splice(this.replicas.indexOf(replica), 1)
    replica.close()
    for (const peer of replica.exchanges.keys()) {
      peer.exchanges.get(replica)?.close()
      peer.exchanges.delete(replica)
      peer.follower.endLease(replica.id, replica.incarnation)
    }
  }

  connect(replica: MeshReplica, tunnel: string): void {
    const tunnelId = asTunnelId(tunnel)
    const service = serviceOf(tunnelId)
    replica.registry.replace(tunnelId, [
      {
        id: lineId(tunnelId, service),
        replicaId: replica.id,
        tunnelId,
        service,
        telephone: `device-${tunnelId.slice(0, 6)}`,
        instance: tunnelId.split('').reverse().join(''),
        health: 'up',
        weight: 100,
        version: '1.4.2',
        labels: {},
      },
    ])
  }

  disconnect(replica: MeshReplica, tunnelId: string): void {
    replica.registry.replace(asTunnelId(tunnelId), [])
  }

  /** Simulates one turn of the event loop: writes all changes, and delivers all messages of every link. */
  async turn(): Promise<void> {
    for (const { deferred } of this.replicas) {
      for (const task of deferred.splice(0)) this.#weigh('writeMs', task)
    }
    for (const replica of this.replicas) {
      for (const [peer, exchange] of replica.exchanges) {
        const message = this.#weigh('sendMs', () => exchange.pull())
        if (message === undefined) continue
        this.costs.messageBytes += message.length
        this.#weigh('readMs', () => peer.exchanges.get(replica)?.receive(message))
      }
    }
    await new Promise(resolve => setImmediate(resolve))
  }

  async until(condition: () => boolean): Promise<void> {
    do await this.turn()
    while (!condition())
  }

  async untilAgreed(): Promise<void> {
    await this.until(() => this.replicas.every(replica => replica.agrees()))
  }

  resetCosts(): void {
    this.costs = { writeMs: 0, sendMs: 0, readMs: 0, messageBytes: 0, maxBlockMs: 0 }
  }

  /** Returns the encoded size of all copies of all documents, bytes. */
  stateBytes(): number {
    let bytes = 0
    for (const { follower, exchanges } of this.replicas) {
      for (const { id, incarnation } of exchanges.keys()) {
        const attached = follower.attach(asReplicaId(id), incarnation)
        bytes += attached.current()?.stateBytes ?? 0
        attached.release()
      }
    }
    return bytes
  }

  faultCount(): number {
    const exchanges = this.replicas.flatMap(replica => [...replica.exchanges.values()])
    return exchanges
      .flatMap(exchange => Object.values(exchange.faults))
      .reduce((sum, count) => sum + count, 0)
  }

  close(): void {
    for (const replica of this.replicas) replica.close()
  }

  #weigh<T>(cost: 'writeMs' | 'sendMs' | 'readMs', work: () => T): T {
    const start = process.threadCpuUsage()
    const result = work()
    const { user, system } = process.threadCpuUsage(start)
    const tookMs = (user + system) / 1000
    this.costs[cost] += tookMs
    this.costs.maxBlockMs = Math.max(this.costs.maxBlockMs, tookMs)
    return result
  }
}

/** Returns one of a thousand services. The same tunnel always gets the same service. */
function serviceOf(tunnelId: string): string {
  return `service-${((tunnelId.charCodeAt(0) * 64 + tunnelId.charCodeAt(1)) * 64 + tunnelId.charCodeAt(2)) % SERVICES}`
}
