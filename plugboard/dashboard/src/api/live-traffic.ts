// The live points of the traffic, of the last 10 minutes, and the services whose points the event stream must have.

import { signal } from '@preact/signals'
import type { TrafficSecond } from '../../../admin/api-types.ts'
import {
  mergePoints,
  pointOfWire,
  type TrafficPoint,
  type WirePoint,
} from '../../../observe/traffic/traffic-point.ts'

/** Seconds that are kept. */
const KEPT_SECONDS = 600

export class LiveTraffic {
  /** Names of the services, sorted. */
  readonly wanted = signal<readonly string[]>([])
  /** Increases each second. */
  readonly seconds = signal(0)
  /** By service; '' for all requests. By second, and within it by replica. */
  readonly #points = new Map<string, Map<number, Map<string, TrafficPoint>>>()
  readonly #wantedCounts = new Map<string, number>()

  /** Returns the points from `from` to before `until`, seconds since 1970. Undefined: no replica has sent a point of this time. */
  between(service: string, from: number, until: number): (TrafficPoint | undefined)[] {
    const seconds = this.#points.get(service)
    return Array.from({ length: until - from }, (_, offset) => {
      const replicas = seconds?.get(from + offset)
      return replicas === undefined ? undefined : mergePoints([...replicas.values()])
    })
  }

  /** Adds services to the stream. Returns a function that removes them again. */
  want(services: readonly string[]): () => void {
    for (const service of services)
      this.#wantedCounts.set(service, (this.#wantedCounts.get(service) ?? 0) + 1)
    this.#updateWanted()
    return () => {
      for (const service of services) {
        const left = (this.#wantedCounts.get(service) ?? 1) - 1
        if (left > 0) this.#wantedCounts.set(service, left)
        else {
          this.#wantedCounts.delete(service)
          this.#points.delete(service)
        }
      }
      this.#updateWanted()
    }
  }

  /** A component that wants other services first removes the old ones. The stream is opened again once for both. */
  #updateWanted(): void {
    queueMicrotask(() => {
      const names = [...this.#wantedCounts.keys()].sort()
      if (names.join() !== this.wanted.value.join()) this.wanted.value = names
    })
  }

  /** Adds an event `traffic` of the stream. */
  add({ replicaId, second, total, services }: TrafficSecond): void {
    this.#addPoint('', second, replicaId, total)
    for (const [service, point] of Object.entries(services)) this.#addPoint(service, second, replicaId, point)
    this.seconds.value += 1
  }

  #addPoint(service: string, second: number, replicaId: string, point: WirePoint): void {
    const seconds = this.#points.get(service) ?? new Map<number, Map<string, TrafficPoint>>()
    this.#points.set(service, seconds)
    const replicas = seconds.get(second) ?? new Map<string, TrafficPoint>()
    seconds.set(second, replicas)
    replicas.set(replicaId, pointOfWire(point))
    for (const old of seconds.keys()) {
      if (old > second - KEPT_SECONDS) break
      seconds.delete(old)
    }
  }
}
