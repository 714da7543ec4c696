// The set of tunnels that end on this replica, by id. It finds the upstream of a line, counts tunnels and streams, and checks
// after a suspension of this process that the telephones still respond. Decisions about a single tunnel are in
// telephone-tunnel.ts.

import type { SessionTotals } from '@vera-stack/shared/protocol/session.ts'
import type { StreamKind } from '@vera-stack/shared/protocol/wire/stream-kind.ts'
import type { Line } from '../../registry/line.ts'
import type { TunnelId } from '../../registry/line-ids.ts'
import type { Upstream } from '../../registry/upstream.ts'
import type { TelephoneTunnel } from './telephone-tunnel.ts'
import { TunnelTotals } from './tunnel-totals.ts'

export class LocalTunnels {
  readonly totals = new TunnelTotals()
  readonly #tunnels = new Map<TunnelId, TelephoneTunnel>()

  add(tunnel: TelephoneTunnel): void {
    this.#tunnels.set(tunnel.tunnelId, tunnel)
  }

  remove(tunnel: TelephoneTunnel): void {
    if (this.#tunnels.delete(tunnel.tunnelId)) this.totals.add(tunnel.session)
  }

  get(tunnelId: TunnelId): TelephoneTunnel | undefined {
    return this.#tunnels.get(tunnelId)
  }

  [Symbol.iterator](): IterableIterator<TelephoneTunnel> {
    return this.#tunnels.values()
  }

  /** Number of open tunnels, including draining tunnels. */
  get size(): number {
    return this.#tunnels.size
  }

  /** Number of tunnels that do not drain. A draining tunnel may carry a stream for days, but takes no new streams. */
  get tunnelCount(): number {
    let count = 0
    for (const { draining } of this) if (!draining) count += 1
    return count
  }

  get streamCount(): number {
    let count = 0
    for (const { session } of this) count += session.streamCount
    return count
  }

  /** Returns the totals of all tunnels, including closed ones. */
  get carried(): SessionTotals {
    return this.totals.sum(Array.from(this, ({ session }) => session))
  }

  /** Returns the number of open streams of each kind. */
  streamsByKind(): ReadonlyMap<StreamKind, number> {
    const counts = new Map<StreamKind, number>()
    for (const { session } of this) session.countStreams(counts)
    return counts
  }

  /** Returns the session of a line whose tunnel ends on this replica. */
  upstreamOf(line: Line): Upstream | undefined {
    return this.#tunnels.get(line.tunnelId)?.session
  }

  /** Returns the session of a picked tunnel; undefined: the tunnel has closed, or takes no streams for the service. */
  tunnelOf(tunnelId: TunnelId, service: string): Upstream | undefined {
    const tunnel = this.#tunnels.get(tunnelId)
    return tunnel?.takes(service) ? tunnel.session : undefined
  }

  /** Probes all tunnels after this process was suspended. No tunnel is picked before its telephone has responded. */
  probe(onConfirmed: () => void): void {
    for (const { session } of this) session.probe(onConfirmed)
  }

  /** True when no open tunnel still waits for a response to its probe. */
  get confirmedAlive(): boolean {
    for (const { session } of this) {
      if (session.state === 'open' && !session.reachable) return false
    }
    return true
  }
}
