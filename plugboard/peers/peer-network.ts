// Connects this replica to all other replicas: the discoveries with their addresses, a dialer for each address, a Peer for each
// replica that was found, the peer port, and the heartbeat over links. It gives the line picker the upstreams of lines of other
// replicas, and notifies subscribers when the set of replicas changes.

import type { AddressInfo } from 'node:net'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { LabelledCounts } from '@vera-stack/shared/metrics/labelled-counts.ts'
import type { ReplicaReport } from '@vera-stack/shared/protocol/control/control.ts'
import type { SessionLimits } from '@vera-stack/shared/protocol/session.ts'
import type { HeldBytes } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import type { ReplicaId } from '../common/ids/replica-id.ts'
import type { SharedBudgets } from '../limits/sharing/shared-budgets.ts'
import type { ObserveHub } from '../observe/stream/observe-hub.ts'
import type { Line } from '../registry/line.ts'
import type { Registry } from '../registry/registry.ts'
import { RegistryFollower } from '../registry/sync/registry-follower.ts'
import { RegistryOwner } from '../registry/sync/registry-owner.ts'
import type { TunnelCounts } from '../registry/tunnel-counts.ts'
import type { Upstream } from '../registry/upstream.ts'
import type { Discovery } from './discovery/discovery.ts'
import { type KnownReplica, knownReplicas, replicaRecords, unreachedAddresses } from './known-replicas.ts'
import { type DialerHost, PeerDialer } from './link/peer-dialer.ts'
import { PeerEndpoint } from './link/peer-endpoint.ts'
import { type PeerIdentity, PeerTokens } from './link/peer-tokens.ts'
import { LEASE_MS, LINES_FEATURE, LIVENESS_MS, Peer, type PeerHost } from './peer.ts'
import { PeerLine } from './peer-line.ts'
import { QUERY_FEATURE, QueryError, type RespondToQuery } from './queries/peer-queries.ts'
import { expectedReplicas, type QueryResults, queryAll } from './queries/query-all.ts'
import type { OpenLocal } from './stream-relay.ts'
import { SuspensionRecovery } from './suspension-recovery.ts'

export interface PeerNetworkOptions {
  readonly self: PeerIdentity
  readonly startedAt: Date
  /** `plugboard/0.1.0` */
  readonly agent: string
  /** The cluster secrets. The first one signs tokens; tokens of every secret are accepted. */
  readonly secrets: readonly string[]
  readonly registry: Registry
  readonly tunnelCounts: TunnelCounts
  /** The limits that this replica shares with the others; absent: it counts for itself. */
  readonly sharedBudgets?: SharedBudgets | undefined
  /** The live data of this replica; absent: it has none. */
  readonly observeHub?: ObserveHub | undefined
  readonly openLocal: OpenLocal
  /** Responds to queries of other replicas; default: supports no query. */
  readonly respondToQuery?: RespondToQuery | undefined
  /** Returns the account for the bytes of streams to a line of another replica. Absent: the bytes are not counted. */
  readonly heldOf?: ((line: HeldLine) => HeldBytes) | undefined
  /** Returns the current state of this replica; `address` is set when it listens. */
  readonly report: () => Omit<ReplicaReport, 'type'>
  /** The tunnels of telephones, which may also have ended while this process was suspended. `confirmedAlive`: see LocalTunnels. */
  readonly tunnels?: { probe(onConfirmed: () => void): void; readonly confirmedAlive: boolean } | undefined
  readonly clock: Clock
  readonly random?: () => number
  readonly log: Logger
  /** Protocol versions in our hello; for tests. */
  readonly versions?: readonly [number, number] | undefined
  /** Features in our hello; for tests. */
  readonly features?: string[] | undefined
  readonly limits?: Partial<SessionLimits> | undefined
  /** Most connections to the peer port at once. */
  readonly maxConnections?: number | undefined
}

/** The fields of a line that identify the account of its bytes. */
export type HeldLine = Pick<Line, 'tunnelId' | 'telephone' | 'holder'>

/** A link carries the streams of all clients of a replica. Pings detect a silent link within the time of a lease. */
const LINK_LIMITS: Partial<SessionLimits> = {
  maxStreams: 65_536,
  pingIntervalMs: 500,
  pingTimeoutMs: 2000,
  windowGrowthBytes: 256 * 1024 * 1024,
  sendHighWaterBytes: 1024 * 1024,
  sendHardLimitBytes: 128 * 1024 * 1024,
}
const REPORT_TICKS = 2
/** Shortest suspension that needs a recovery, ms: the lease of 3 s, less the time that may have passed at its start. */
const AWAY_MS = 1500
/** Longest time for the links to come back after a suspension, ms: the same as at a start. */
const RECOVERY_MS = 3000

export class PeerNetwork {
  readonly #options: PeerNetworkOptions
  readonly #host: PeerHost
  readonly #owner: RegistryOwner
  readonly #follower: RegistryFollower
  readonly #tokens: PeerTokens
  readonly #endpoint: PeerEndpoint
  /** The recovery after a suspension of this process: links are opened or probed again. */
  readonly recovery: SuspensionRecovery
  /** The number of streams that were sent to each replica. */
  readonly forwarded = new LabelledCounts()
  readonly #random: () => number
  readonly #log: Logger
  readonly #peers = new Map<ReplicaId, Peer>()
  readonly #dialers = new Map<string, PeerDialer>()
  readonly #listeners = new Set<() => void>()
  /** Discoveries that have returned a result at least once. */
  readonly #responded = new Set<Discovery>()
  #discoveries: readonly Discovery[] = []
  #timer: Timer | undefined
  #ticks = 0
  /** Replicas with a lease at the last check, as JSON. */
  #living = '[]'
  #leaving = false
  #stopping = false

  constructor(options: PeerNetworkOptions) {
    const { self, registry, clock, secrets } = options
    this.#options = options
    this.#random = options.random ?? Math.random
    this.#log = options.log.child({ part: 'peers' })
    this.#owner = new RegistryOwner({
      registry,
      replicaId: self.id,
      incarnation: self.incarnation,
      onUnfit: ({ service, telephone, tunnelId }) =>
        this.#log.error('a line is too long for the other replicas', {
          service,
          tunnelId,
          telephoneId: telephone,
        }),
    })
    this.#follower = new RegistryFollower({ registry, replicaId: self.id, clock })
    this.recovery = new SuspensionRecovery({
      clock,
      awayMs: AWAY_MS,
      patienceMs: RECOVERY_MS,
      onReturn: gapMs => this.#returned(gapMs),
      complete: sinceMs => this.#completeSince(sinceMs),
    })
    this.#tokens = new PeerTokens(secrets, self, clock)
    this.#host = this.#peerHost()
    this.#endpoint = new PeerEndpoint({
      tokens: this.#tokens,
      maxConnections: options.maxConnections,
      refusal: () => (this.#stopping ? 'draining' : undefined),
      onPeer: (peer, transport) => {
        if (this.#isNamedAsWe(peer)) transport.terminate()
        else this.#peer(peer.id).join(peer.incarnation, transport, 'acceptor')
      },
      log: this.#log,
    })
  }

  listen(port: number, host: string | undefined): Promise<AddressInfo> {
    return this.#endpoint.listen(port, host)
  }

  /** Starts to look for other replicas. Call it after `listen`. */
  start(discoveries: readonly Discovery[]): void {
    this.#discoveries = discoveries
    for (const discovery of discoveries) discovery.start(() => this.#discovered(discovery))
    this.#timer = this.#options.clock.after(LIVENESS_MS, () => this.#tick())
    this.recovery.start()
    this.#options.observeHub?.whenWanted(() => {
      for (const peer of this.#peers.values()) peer.openObserve()
    })
  }

  /** Returns the upstream of a line of another replica, with or without an open link. */
  upstreamOf(line: Pick<Line, 'replicaId' | 'id'> & HeldLine): Upstream {
    const { heldOf } = this.#options
    return new PeerLine(this.#peer(line.replicaId), line.id, () => heldOf?.(line))
  }

  /** Calls `listener` after a change of links, leases or reports. Returns a function that unsubscribes. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** True when this replica has the lines of all live replicas that its discoveries have found. */
  get synced(): boolean {
    const responded = this.#responded.size === this.#discoveries.length
    const dialed = [...this.#dialers.values()].every(({ tried }) => tried)
    return responded && dialed && [...this.#peers.values()].every(peer => peer.idle || peer.hasLines)
  }

  get leaving(): boolean {
    return this.#leaving
  }

  /** Reports to the other replicas that this one leaves. Links and lines keep working. */
  leave(): void {
    this.#leaving = true
    this.sendReport()
  }

  /** Sends our report to the other replicas now. A timer also sends it every second. */
  sendReport(): void {
    for (const peer of this.#peers.values()) peer.sendReport()
  }

  /** Closes all links. Open streams have `graceMs` to finish. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    this.#timer?.cancel()
    this.recovery.stop()
    for (const dialer of this.#dialers.values()) dialer.stop()
    await Promise.all([...this.#peers.values()].map(peer => peer.drain(graceMs)))
    for (const peer of this.#peers.values()) peer.close()
    await Promise.all(this.#discoveries.map(discovery => discovery.stop()))
    await this.#endpoint.close()
    this.#options.sharedBudgets?.stop()
    this.#options.observeHub?.stop()
    this.#owner.close()
    this.#follower.close()
  }

  replicas(): KnownReplica[] {
    return knownReplicas({
      discoveries: this.#discoveries,
      follower: this.#follower,
      peers: this.#peers,
      dialers: this.#dialers,
    })
  }

  /** Sends a query to one replica. Rejects with QueryError when it gives no response. */
  queryOne(id: ReplicaId, name: string, params: object): Promise<unknown> {
    return (
      this.#peers.get(id)?.query(name, params) ?? Promise.reject(new QueryError('there is no link to it'))
    )
  }

  /** Returns the expected other replicas, each with the reason why it sends no live data; undefined: its stream is open. */
  observed(): { readonly id: string; readonly problem: string | undefined }[] {
    const reached = expectedReplicas(this.replicas()).map(({ id }) => ({
      id,
      problem: this.#observeProblem(id),
    }))
    const unreached = unreachedAddresses(this.#dialers.values())
    return [...reached, ...unreached.map(({ address, problem }) => ({ id: address, problem }))]
  }

  #observeProblem(id: ReplicaId): string | undefined {
    const peer = this.#peers.get(id)
    if (peer?.linked !== true) return 'there is no link to it'
    if (peer.observeState === 'open') return undefined
    return peer.observeState === 'unsupported'
      ? 'its version does not support live data'
      : 'the stream to it is not open yet'
  }

  /** Sends one query to all other replicas. Never rejects, and takes at most the time limit of one query. */
  query(name: string, params: object): Promise<QueryResults> {
    const unreached = unreachedAddresses(this.#dialers.values())
    return queryAll(this.replicas(), unreached, id => this.queryOne(id, name, params))
  }

  #peerHost(): PeerHost {
    const { self, agent, startedAt, versions, features, openLocal, report, clock, limits } = this.#options
    const { tunnelCounts, sharedBudgets, observeHub } = this.#options
    return {
      self,
      identity: {
        agent,
        name: self.id,
        instance: self.incarnation,
        startedAt: startedAt.getTime(),
        features: features ?? [LINES_FEATURE, QUERY_FEATURE],
        ...(versions !== undefined && { versions }),
      },
      limits: { ...LINK_LIMITS, ...limits },
      respondToQuery: this.#options.respondToQuery ?? (() => undefined),
      owner: this.#owner,
      follower: this.#follower,
      tunnelCounts,
      sharedBudgets,
      forwarded: this.forwarded,
      observeHub,
      openLocal,
      clock,
      report,
      random: this.#random,
      log: this.#log,
      changed: () => this.#changed(),
    }
  }

  #dialerHost(): DialerHost {
    const { clock } = this.#options
    return {
      tokens: this.#tokens,
      clock,
      random: this.#random,
      log: this.#log,
      expected: address => this.#livesAt(address),
      failed: () => this.recovery.step(),
      join: (peer, transport, onClose) => {
        if (this.#isNamedAsWe(peer)) return 'self'
        const known = this.#peers.get(peer.id)
        if (known?.dialed && known.incarnation === peer.incarnation) return 'linked'
        if (known?.outranks(peer.incarnation)) return 'outranked'
        return this.#peer(peer.id).join(peer.incarnation, transport, 'dialer', onClose)
      },
    }
  }

  /** Returns true when we dialled our own address, or when another replica uses our name. Logs the second case. */
  #isNamedAsWe({ id, incarnation }: PeerIdentity): boolean {
    const { self } = this.#options
    if (id !== self.id) return false
    if (incarnation !== self.incarnation) {
      this.#log.error('another replica uses the name of this one; give each replica its own name', {
        peerId: id,
      })
    }
    return true
  }

  #peer(id: ReplicaId): Peer {
    let peer = this.#peers.get(id)
    if (peer === undefined) {
      peer = new Peer(id, this.#host)
      this.#peers.set(id, peer)
    }
    return peer
  }

  /** Returns the id of the replica at an address, only while its lease is fresh: later, another one may have the address. */
  #livesAt(address: string): ReplicaId | undefined {
    const [record, another] = [...replicaRecords(this.#discoveries).values()].filter(
      each => each.address === address,
    )
    if (record === undefined || another !== undefined) return undefined
    return this.#follower.hasLease(record.id, record.incarnation) ? record.id : undefined
  }

  #discovered(discovery: Discovery): void {
    this.#responded.add(discovery)
    const { clock, report } = this.#options
    for (const { record } of discovery.found()) {
      const leftMs = LEASE_MS - (record?.heartbeatAgeMs ?? LEASE_MS)
      if (record !== undefined && leftMs > 0) {
        this.#follower.renewLease(record.id, record.incarnation, clock.now() + leftMs)
      }
    }
    const own = report().address
    const wanted = new Set(this.#discoveries.flatMap(each => each.found()).map(({ address }) => address))
    wanted.delete(own)
    for (const [address, dialer] of this.#dialers) {
      // An open link is stronger evidence than a missing row.
      if (wanted.has(address) || dialer.linked) continue
      dialer.stop()
      this.#dialers.delete(address)
    }
    for (const address of wanted) {
      if (!this.#dialers.has(address)) this.#dialers.set(address, new PeerDialer(address, this.#dialerHost()))
    }
    this.#changed()
  }

  #tick(): void {
    this.#timer = this.#options.clock.after(LIVENESS_MS, () => this.#tick())
    this.#ticks += 1
    for (const peer of this.#peers.values()) {
      peer.tick()
    }
    if (this.#ticks % REPORT_TICKS === 0) this.sendReport()
    this.#removeIdlePeers()
    this.#watchLeases()
    this.recovery.look()
  }

  /** Probes all links and tunnels after a suspension, because the far ends may have closed them meanwhile. Dials again now. */
  #returned(gapMs: number): void {
    this.#log.warn('this process was suspended; links are checked again', { durationMs: Math.round(gapMs) })
    const confirmed = (): void => this.recovery.stepSoon()
    for (const peer of this.#peers.values()) peer.probe(confirmed)
    this.#options.tunnels?.probe(confirmed)
    for (const dialer of this.#dialers.values()) dialer.dialNow()
  }

  /**
   * Returns true when each address was tried since `sinceMs`, each open link and tunnel is confirmed alive, and we have the
   * lines of all linked replicas. When no replica was reached, the addresses may be outdated and their source unavailable. Then
   * it returns false, and the recovery ends after `RECOVERY_MS`.
   */
  #completeSince(sinceMs: number): boolean {
    const dialers = [...this.#dialers.values()]
    const tried = dialers.every(dialer => dialer.triedSince(sinceMs))
    const linked = [...this.#peers.values()].filter(({ idle }) => !idle)
    const reached = linked.length > 0 || dialers.every(({ problem }) => problem === '')
    const confirmed =
      linked.every(peer => peer.reachable && peer.hasLines) && this.#options.tunnels?.confirmedAlive !== false
    return tried && reached && confirmed
  }

  /** Reports changes of leases, because without link and database only an expired lease shows that a replica has failed. */
  #watchLeases(): void {
    const living = this.#follower.replicas().flatMap(({ replicaId, shown }) => (shown ? [replicaId] : []))
    const text = JSON.stringify(living)
    if (text === this.#living) return
    this.#living = text
    this.#changed()
  }

  /** Removes replicas that have no link and no lines. */
  #removeIdlePeers(): void {
    const known = new Set(this.#follower.replicas().map(({ replicaId }) => replicaId))
    for (const [id, peer] of this.#peers) {
      if (!peer.idle || known.has(id)) continue
      peer.close()
      this.#peers.delete(id)
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
    this.recovery.step()
  }
}
