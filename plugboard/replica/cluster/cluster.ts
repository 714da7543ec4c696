// This replica as a member of its cluster: creates the network of peers from the settings, sends the addresses of the replicas
// to telephones, and lists the replicas for the admin API. A Plugboard without a cluster secret does not use this file.

import { networkInterfaces } from 'node:os'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { ReplicaReport } from '@vera-stack/shared/protocol/control/control.ts'
import type { PlugboardConfig } from '../../config.ts'
import type { Store } from '../../database/store/store.ts'
import type { SharedBudgets } from '../../limits/sharing/shared-budgets.ts'
import type { ObserveHub } from '../../observe/stream/observe-hub.ts'
import { type Discovery, peerAddress, staticDiscovery } from '../../peers/discovery/discovery.ts'
import { DnsDiscovery } from '../../peers/discovery/dns-discovery.ts'
import { PostgresDiscovery } from '../../peers/discovery/postgres-discovery.ts'
import type { PeerIdentity } from '../../peers/link/peer-tokens.ts'
import { PeerNetwork, type PeerNetworkOptions } from '../../peers/peer-network.ts'
import { Rebalancer } from '../../peers/rebalancing/rebalancer.ts'
import type { OpenLocal } from '../../peers/stream-relay.ts'
import type { Registry } from '../../registry/registry.ts'
import type { TunnelCounts } from '../../registry/tunnel-counts.ts'
import type { LocalTunnels } from '../../telephones/tunnels/local-tunnels.ts'
import type { ReplicaAddress, TunnelMover } from '../../telephones/tunnels/tunnel-mover.ts'
import { VERSION } from '../../version.ts'

export interface ClusterOptions {
  readonly config: PlugboardConfig
  /** The limit of open connections to the peer port. */
  readonly maxPeerConnections?: number | undefined
  readonly self: PeerIdentity
  readonly startedAt: Date
  readonly registry: Registry
  readonly tunnelCounts: TunnelCounts
  readonly sharedBudgets?: SharedBudgets | undefined
  readonly observeHub?: ObserveHub | undefined
  readonly rows: Store['replicas']
  readonly tunnels: Pick<LocalTunnels, 'tunnelCount' | 'streamCount' | 'probe' | 'confirmedAlive'>
  readonly mover: Pick<TunnelMover, 'setReplicas' | 'leave' | 'move'>
  readonly openLocal: OpenLocal
  readonly respondToQuery: PeerNetworkOptions['respondToQuery']
  readonly heldOf: PeerNetworkOptions['heldOf']
  readonly appliedSequence: () => number
  readonly clock: Clock
  readonly log: Logger
}

/** The longest time that a start waits for the lines of the other replicas, ms. */
const SYNC_MS = 3000
/** The time for telephones to move to another replica before the port of this one closes, ms. */
export const LEAVE_MS = 10_000

export class Cluster {
  readonly network: PeerNetwork
  readonly #options: ClusterOptions
  readonly #unsubscribe: () => void
  #rebalancer: Rebalancer | undefined
  /** True when telephones can dial this replica. */
  #open = false
  #address = ''
  #sentText = ''

  constructor(options: ClusterOptions, secrets: readonly string[]) {
    this.#options = options
    const { self, startedAt, registry, tunnelCounts, tunnels, openLocal, clock, log } = options
    const { heldOf, respondToQuery, sharedBudgets, observeHub } = options
    this.network = new PeerNetwork({
      tunnels,
      self,
      startedAt,
      registry,
      tunnelCounts,
      sharedBudgets,
      observeHub,
      openLocal,
      respondToQuery,
      heldOf,
      clock,
      log,
      secrets,
      agent: `plugboard/${VERSION}`,
      maxConnections: options.maxPeerConnections,
      limits: { clientSharePercent: options.config.clientSharePercent },
      report: () => this.#report(),
    })
    this.#unsubscribe = this.network.subscribe(() => this.#sendReplicas())
  }

  /** The number of tunnels that the rebalancer has asked to move to another replica. */
  get moved(): number {
    return this.#rebalancer?.asked ?? 0
  }

  get address(): string {
    return this.#address
  }

  async listen(): Promise<void> {
    const { config } = this.#options
    const { host } = config.peerListen
    const { port } = await this.network.listen(config.peerListen.port, host)
    this.#address =
      config.peerUrl === undefined ? `http://${ownHost(host)}:${port}` : peerAddress(config.peerUrl)
  }

  /** Resolves when this replica has the lines of all replicas that respond, or after `SYNC_MS`. */
  async start(): Promise<void> {
    const { clock } = this.#options
    this.network.start(this.#discoveries())
    if (this.#options.config.rebalance) this.#rebalancer = this.#startRebalancer()
    const synced = Promise.withResolvers<void>()
    const deadline = clock.after(SYNC_MS, () => synced.resolve())
    const unsubscribe = this.network.subscribe(() => {
      if (this.network.synced) synced.resolve()
    })
    if (this.network.synced) synced.resolve()
    await synced.promise
    unsubscribe()
    deadline.cancel()
  }

  /** Reports that the public port is open. From now on, other replicas send telephones to this one. */
  open(): void {
    this.#open = true
    this.network.sendReport()
    this.#sendReplicas()
  }

  /** True when another replica has a link to this one, so that a stream from it may be on its way. */
  get linked(): boolean {
    return this.network.replicas().some(({ linked }) => linked)
  }

  /** Notifies telephones and peers. Resolves when the telephones have moved to other replicas, or the time for this is over. */
  async leave(): Promise<void> {
    this.#rebalancer?.stop()
    this.network.leave()
    await this.#options.mover.leave(this.linked ? Math.min(LEAVE_MS, this.#options.config.drainTimeoutMs) : 0)
  }

  /** `graceMs`: the time for streams that are still open on the links. */
  async stop(graceMs: number): Promise<void> {
    this.#rebalancer?.stop()
    this.#unsubscribe()
    await this.network.stop(graceMs)
  }

  #startRebalancer(): Rebalancer {
    const { tunnels, mover, clock, log } = this.#options
    return new Rebalancer({
      others: () =>
        this.network
          .replicas()
          .flatMap(({ id, linked, report }) =>
            linked && report?.state === 'ready' && report.publicUrl !== undefined
              ? [{ id, tunnels: report.tunnels }]
              : [],
          ),
      tunnels: () => tunnels.tunnelCount,
      move: (count, to) => mover.move(count, to),
      clock,
      log,
    })
  }

  #discoveries(): Discovery[] {
    const { config, rows, self, clock, log } = this.#options
    const describe = () => {
      const { address, publicUrl = null, version, state, appliedSequence } = this.#report()
      const { startedAt } = this.#options
      return { ...self, startedAt, address, publicUrl, version, state, appliedSequence }
    }
    return [
      new PostgresDiscovery({ rows, self, describe, clock, log }),
      ...(config.peers.length > 0 ? [staticDiscovery(config.peers)] : []),
      ...(config.peerDns === undefined ? [] : [new DnsDiscovery({ name: config.peerDns, clock, log })]),
    ]
  }

  #report(): Omit<ReplicaReport, 'type'> {
    const { config, startedAt, tunnels, appliedSequence } = this.#options
    const publicUrl = this.#open ? (config.telephoneUrl ?? config.publicUrl) : undefined
    return {
      state: this.network.leaving ? 'leaving' : 'ready',
      address: this.#address,
      ...(publicUrl !== undefined && { publicUrl }),
      version: VERSION,
      startedAt: startedAt.getTime(),
      appliedSequence: appliedSequence(),
      tunnels: tunnels.tunnelCount,
      streams: tunnels.streamCount,
    }
  }

  /** Sends telephones the replicas that they can dial: each one is alive, does not leave, and has a URL for telephones. */
  #sendReplicas(): void {
    const own = this.#report()
    const all: ReplicaAddress[] = []
    if (own.state === 'ready' && own.publicUrl !== undefined) {
      all.push({ id: this.#options.self.id, url: own.publicUrl })
    }
    for (const { id, report, record, linked, leaseMs } of this.network.replicas()) {
      const url = report?.publicUrl ?? record?.publicUrl ?? undefined
      const state = report?.state ?? record?.state
      if (url !== undefined && state === 'ready' && (linked || leaseMs > 0)) all.push({ id, url })
    }
    const text = JSON.stringify(all)
    if (text === this.#sentText) return
    this.#sentText = text
    this.#options.mover.setReplicas(all)
  }
}

/** Returns the host of the peer URL when no setting names it: the listen host, or the first address that is not loopback. */
function ownHost(listenHost: string | undefined): string {
  if (listenHost !== undefined && listenHost !== '0.0.0.0' && listenHost !== '::') return inUrl(listenHost)
  const outside = Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(({ internal }) => !internal)
  const address = outside.find(({ family }) => family === 'IPv4') ?? outside[0]
  return inUrl(address?.address ?? '127.0.0.1')
}

function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
