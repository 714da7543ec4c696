// Which process of a telephone serves, when two of them are connected. A newer process takes over service by service:
// the older one has no line of a service while the newer one has an accepted line of it that can take streams, on any replica,
// and gets its line back after that. Otherwise, half-open connections of a process that died would keep its lines. A newer
// process whose health check fails takes nothing over, because the older one may serve.
//
// "One telephone" is one identity, which the token proves, and one name, which the telephone chooses within it. A name
// alone never gives a claim on the lines of another identity. "Newer" is the later start, and no start is later than
// the moment when the process was first seen here. With equal starts both serve.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Hello } from '@vera-stack/shared/protocol/control/control.ts'
import type { Line } from '../registry/line.ts'
import type { Registry } from '../registry/registry.ts'
import { type Generation, unpackGeneration } from './generation.ts'

/** A tunnel whose telephone has sent its hello. */
export interface InstanceTunnel {
  readonly hello: Hello | undefined
  readonly generation: Generation | undefined
  /** The services of the last announcement that were accepted, those that a newer process serves included. */
  readonly acceptedServices: ReadonlySet<string>
  /** Those of them that a newer process serves. */
  readonly supersededServices: ReadonlySet<string>
  supersede(services: ReadonlySet<string>): void
}

/** Most remembered processes whose start was not usable. The oldest is forgotten first. */
const MAX_FIRST_SEEN = 10_000

export class TelephoneInstances {
  readonly #registry: Registry
  readonly #clock: Clock
  /** By identity and name. */
  readonly #groups = new Map<string, Set<InstanceTunnel>>()
  readonly #firstSeenMs = new Map<string, number>()
  readonly #pending = new Set<InstanceTunnel>()
  readonly #unsubscribe: () => void

  constructor(registry: Registry, clock: Clock) {
    this.#registry = registry
    this.#clock = clock
    this.#unsubscribe = registry.subscribe({
      lineAdded: line => this.#reviewRivals(line, false),
      lineChanged: (line, before) => {
        if (takesStreams(line) !== takesStreams(before)) this.#reviewRivals(line, !takesStreams(line))
      },
      lineRemoved: line => this.#reviewRivals(line, true),
    })
  }

  close(): void {
    this.#unsubscribe()
  }

  /** The generation of a process that has sent its hello. */
  generationOf(hello: Hello, identity: string): Generation {
    return { identity, startedAtMs: this.#startOf(hello, identity) }
  }

  add(tunnel: InstanceTunnel): void {
    const key = keyOf(tunnel)
    const group = this.#groups.get(key)
    if (group === undefined) this.#groups.set(key, new Set([tunnel]))
    else group.add(tunnel)
  }

  remove(tunnel: InstanceTunnel): void {
    this.#pending.delete(tunnel)
    const key = keyOf(tunnel)
    const group = this.#groups.get(key)
    group?.delete(tunnel)
    if (group?.size === 0) this.#groups.delete(key)
  }

  /** The accepted services of the tunnel for which a newer process of the same telephone has a line that takes streams. */
  supersededServices(tunnel: InstanceTunnel): Set<string> {
    const services = new Set<string>()
    for (const service of tunnel.acceptedServices) {
      if (this.#hasNewerLine(tunnel, service)) services.add(service)
    }
    return services
  }

  #hasNewerLine({ hello, generation }: InstanceTunnel, service: string): boolean {
    if (hello === undefined || generation === undefined) return false
    for (const line of this.#registry.linesOf(service)) {
      if (line.telephone !== hello.name || line.instance === hello.instance || !takesStreams(line)) continue
      const other = line.generation === undefined ? undefined : unpackGeneration(line.generation)
      if (other?.identity === generation.identity && other.startedAtMs > generation.startedAtMs) return true
    }
    return false
  }

  /** Tunnels of the line's telephone, but of other processes, whose line of the service may have to go or come back. */
  #reviewRivals({ service, telephone, instance, generation }: Line, superseded: boolean): void {
    if (generation === undefined || this.#groups.size === 0) return
    const identity = unpackGeneration(generation)?.identity
    const group = identity === undefined ? undefined : this.#groups.get(`${identity} ${telephone}`)
    for (const tunnel of group ?? []) {
      if (tunnel.hello?.instance === instance || !tunnel.acceptedServices.has(service)) continue
      if (tunnel.supersededServices.has(service) !== superseded) continue
      // Runs later in this turn, because the registry is in the middle of a change, and a review may change it again.
      if (this.#pending.size === 0) queueMicrotask(() => this.#review())
      this.#pending.add(tunnel)
    }
  }

  #review(): void {
    const tunnels = [...this.#pending]
    this.#pending.clear()
    for (const tunnel of tunnels) tunnel.supersede(this.supersededServices(tunnel))
  }

  /**
   * A process whose hello has no start, or one past our clock, counts as started when it was first seen here. That
   * moment is remembered, so that two such processes do not replace each other in turns.
   */
  #startOf({ instance, startedAt }: Hello, identity: string): number {
    // The key holds the identity, so that another identity cannot use the same instance id first.
    const key = `${identity} ${instance}`
    const seenMs = this.#firstSeenMs.get(key)
    if (seenMs !== undefined) return seenMs
    const nowMs = Math.floor(this.#clock.wallTime())
    if (startedAt > 0 && startedAt <= nowMs) return startedAt
    if (this.#firstSeenMs.size >= MAX_FIRST_SEEN) {
      const [oldest] = this.#firstSeenMs.keys()
      if (oldest !== undefined) this.#firstSeenMs.delete(oldest)
    }
    this.#firstSeenMs.set(key, nowMs)
    return nowMs
  }
}

const takesStreams = ({ health, weight }: Line): boolean => health === 'up' && weight > 0

function keyOf({ hello, generation }: InstanceTunnel): string {
  return `${generation?.identity ?? ''} ${hello?.name ?? ''}`
}
