// Decides which process of a telephone serves when two of them are connected. A newer process takes over each service
// separately. While it has an accepted line of a service that can take streams, on any replica, the older process has no line
// of that service; after that the older one gets its line back. This removes the lines of a process that died and left
// half-open connections. A newer process whose health check fails takes over no service, because the older one may serve.
//
// "One telephone" means one identity, which the verified token gives, and one name, which the telephone chooses within it.
// A telephone with another identity cannot take over lines by using the same name. "Newer" means the later start, and no
// start counts as later than the moment when the process was first seen here. With equal starts, both processes serve.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Hello } from '@vera-stack/shared/protocol/control/control.ts'
import type { Line } from '../registry/line.ts'
import type { Registry } from '../registry/registry.ts'
import { type Generation, unpackGeneration } from './generation.ts'

/** A tunnel whose telephone has sent its hello. */
export interface InstanceTunnel {
  readonly hello: Hello | undefined
  readonly generation: Generation | undefined
  /** The accepted services of the last announcement, including the ones that a newer process serves. */
  readonly acceptedServices: ReadonlySet<string>
  /** The accepted services that a newer process serves. */
  readonly supersededServices: ReadonlySet<string>
  supersede(services: ReadonlySet<string>): void
}

/** Largest number of processes without a usable start whose first connection is stored. The oldest entry is evicted first. */
const MAX_FIRST_SEEN = 10_000

export class TelephoneInstances {
  readonly #registry: Registry
  readonly #clock: Clock
  /** Tunnels by identity and name of their telephone. */
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

  /** Returns the generation of a process that has sent its hello. */
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

  /** Returns the accepted services for which a newer process of the same telephone has a line that takes streams. */
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

  /** Schedules a review of the tunnels of other processes of the line's telephone that may lose or get back their line. */
  #reviewRivals({ service, telephone, instance, generation }: Line, superseded: boolean): void {
    if (generation === undefined || this.#groups.size === 0) return
    const identity = unpackGeneration(generation)?.identity
    const group = identity === undefined ? undefined : this.#groups.get(`${identity} ${telephone}`)
    for (const tunnel of group ?? []) {
      if (tunnel.hello?.instance === instance || !tunnel.acceptedServices.has(service)) continue
      if (tunnel.supersededServices.has(service) !== superseded) continue
      // The review runs as a microtask, because the registry is in the middle of a change, and a review may change it again.
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
   * Returns the start time of a process. When the hello has no start, or a start later than our clock, it is the time when
   * the process was first seen here. That time is kept, so that two such processes do not replace each other in turns.
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
