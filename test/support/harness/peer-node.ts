// A replica in this process, as its peers see it: a registry, a network of peers on loopback, and one tunnel in memory whose
// other end belongs to the test. It has no HTTP, no tokens and no database.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import type { Opening } from '@vera-stack/shared/protocol/streams/stream.ts'
import { onTestFinished } from 'vitest'
import { asReplicaId, type ReplicaId } from '../../../plugboard/common/ids/replica-id.ts'
import { staticDiscovery } from '../../../plugboard/peers/discovery/discovery.ts'
import { PeerNetwork, type PeerNetworkOptions } from '../../../plugboard/peers/peer-network.ts'
import { newIncarnation } from '../../../plugboard/registry/incarnation.ts'
import type { Line } from '../../../plugboard/registry/line.ts'
import { asTunnelId, lineId, type TunnelId } from '../../../plugboard/registry/line-ids.ts'
import { Registry } from '../../../plugboard/registry/registry.ts'
import { TunnelCounts } from '../../../plugboard/registry/tunnel-counts.ts'
import type { Upstream } from '../../../plugboard/registry/upstream.ts'
import { LocalLines } from '../../../plugboard/telephones/lines/local-lines.ts'
import { LinePicker } from '../../../plugboard/telephones/picker/line-picker.ts'
import { eventually } from '../deadline.ts'
import { RecordedStream } from '../session/recorded-stream.ts'
import { openSessionPair, type SessionPair } from '../session/session-pair.ts'
import { makeLine } from './registry-cluster.ts'

export interface PeerNodeOptions
  extends Partial<
    Pick<
      PeerNetworkOptions,
      'secrets' | 'versions' | 'features' | 'limits' | 'heldOf' | 'respondToQuery' | 'clock' | 'log'
    >
  > {
  /** Start of the replica, ms since 1970. A later start is a newer incarnation. */
  readonly startedAtMs?: number
  readonly port?: number
  /** Longest frame that the Telephone accepts. */
  readonly maxFrameBytes?: number
  /** Budget for the bytes that the tunnel holds. */
  readonly tunnelBudgetBytes?: number
  /** Number of streams that the Telephone accepts. */
  readonly maxStreams?: number
}

const OPENING: Opening = { kind: 'http', hops: 0, service: 'web', method: 'POST', target: '/', fields: [] }

export class PeerNode {
  readonly id: ReplicaId
  readonly registry = new Registry()
  readonly tunnelCounts = new TunnelCounts()
  readonly network: PeerNetwork
  /** The tunnel. `acceptor` is the Telephone's end. */
  readonly tunnel: SessionPair
  port = 0
  /** Lines of this replica that peers have picked, from the heads of their streams. */
  readonly picked: string[] = []

  private constructor(id: ReplicaId, tunnel: SessionPair, options: PeerNodeOptions) {
    this.id = id
    this.tunnel = tunnel
    const lines = new LocalLines({
      picker: new LinePicker({
        registry: this.registry,
        upstreamOf: line => (line.replicaId === id ? tunnel.dialer.session : undefined),
      }),
      tunnelOf: (tunnelId, service) => {
        this.picked.push(lineId(tunnelId, service))
        const served = [...this.registry.linesOfTunnel(tunnelId)].map(line => line.service)
        return served.includes(service) ? tunnel.dialer.session : undefined
      },
    })
    const { startedAtMs = 1000, secrets = ['the secret of the tests'], versions, features, limits } = options
    const { heldOf, respondToQuery } = options
    const { clock = systemClock, log = silentLogger } = options
    this.network = new PeerNetwork({
      self: { id, incarnation: newIncarnation(startedAtMs, Math.random) },
      startedAt: new Date(startedAtMs),
      agent: 'test/1',
      registry: this.registry,
      tunnelCounts: this.tunnelCounts,
      openLocal: (target, opening, events, end) => lines.open(target, opening, events, end),
      report: () => ({
        state: this.network.leaving ? 'leaving' : 'ready',
        address: this.address,
        version: '1',
        startedAt: startedAtMs,
        appliedSequence: 7,
        tunnels: 1,
        streams: 0,
      }),
      secrets,
      versions,
      features,
      limits,
      heldOf,
      respondToQuery,
      clock,
      log,
    })
  }

  get #tunnelId(): TunnelId {
    return asTunnelId(`tunnel-${this.id}`)
  }

  get address(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Starts a node, and stops it at the end of the test. */
  static async listen(id: string, options: PeerNodeOptions = {}): Promise<PeerNode> {
    const { maxFrameBytes, maxStreams, tunnelBudgetBytes: budgetBytes } = options
    const acceptorLimits = {
      ...(maxFrameBytes !== undefined && { maxFrameBytes }),
      ...(maxStreams !== undefined && { maxStreams }),
    }
    const limits = { acceptorLimits, ...(budgetBytes !== undefined && { budgetBytes }) }
    const node = new PeerNode(asReplicaId(id), await openSessionPair(limits), options)
    node.port = (await node.network.listen(options.port ?? 0, '127.0.0.1')).port
    onTestFinished(() => node.stop())
    return node
  }

  /** Dials these addresses. */
  dial(...addresses: string[]): void {
    this.network.start([staticDiscovery(addresses)])
  }

  /** Replaces the services of the tunnel. */
  serve(...services: string[]): void {
    this.registry.replace(
      this.#tunnelId,
      services.map(service => makeLine(this.id, this.#tunnelId, service)),
    )
  }

  linesOf(service: string): Line[] {
    return [...this.registry.linesOf(service)]
  }

  async knows(service: string, lines: number): Promise<void> {
    await eventually(`${this.id} has ${lines} lines of ${service}`, () =>
      this.linesOf(service).length === lines ? true : undefined,
    )
  }

  /** Returns the upstream for the line of a replica's only tunnel. */
  wayTo(replicaId: string, service = 'web'): Upstream {
    return this.network.upstreamOf(makeLine(replicaId, `tunnel-${replicaId}`, service))
  }

  /** Opens a stream to a line of a replica. */
  open(replicaId: string, opening: Partial<Opening> = {}, end = false): RecordedStream {
    const recorded = new RecordedStream()
    recorded.opening = { ...OPENING, ...opening }
    recorded.stream = this.wayTo(replicaId, recorded.opening.service).open(recorded.opening, recorded, end)
    return recorded
  }

  /** Resolves with the stream of this index that has arrived at our Telephone. */
  async arrived(index = 0): Promise<RecordedStream> {
    return await eventually('a stream arrives at the telephone', () => this.tunnel.acceptor.accepted[index])
  }

  async stop(graceMs = 0): Promise<void> {
    await this.network.stop(graceMs)
    for (const { session } of this.tunnel.ends) session.close('going_away')
  }
}

/** Resolves with two replicas that are linked in both directions. */
export async function linkedPair(left: PeerNodeOptions = {}, right: PeerNodeOptions = {}) {
  const [a, b] = [await PeerNode.listen('a', left), await PeerNode.listen('b', right)]
  a.dial(b.address)
  b.dial(a.address)
  await eventually('both are linked', () =>
    a.network.replicas().some(({ dialed, inSync }) => dialed && inSync) &&
    b.network.replicas().some(({ dialed, inSync }) => dialed && inSync)
      ? true
      : undefined,
  )
  return { a, b }
}
