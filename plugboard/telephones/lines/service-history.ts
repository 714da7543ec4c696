// Records when and why a service lost its last line that takes requests: the line ended, went down, or got weight 0. It also
// records the last refused announcement of each service. It follows the registry, so it covers the lines of all replicas. Only
// the replica of a tunnel has the reason for the tunnel's end. Its memory is bounded.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { Reason } from '@vera-stack/shared/protocol/wire/reason.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { Line } from '../../registry/line.ts'
import type { TunnelId } from '../../registry/line-ids.ts'
import type { Registry } from '../../registry/registry.ts'

/** The loss of the last usable line of a service. */
export interface LastLine {
  /** ms since 1970. */
  readonly atMs: number
  readonly cause: 'disconnected' | 'unhealthy' | 'no_weight'
  readonly telephone: string
  readonly replicaId: ReplicaId
  readonly tunnelId: TunnelId
  /** The reason for the tunnel's end; undefined while it is open, and on replicas that do not hold it. */
  readonly end?: { readonly reason: Reason; readonly detail: string } | undefined
}

/** A refused announcement of the service on this replica. */
export interface RefusedAnnouncement {
  readonly atMs: number
  readonly telephone: string
  readonly code: ErrorCode
  readonly detail: string
}

/** Most services with a recorded loss, and most with a recorded refusal. The oldest entry is evicted first. */
const MAX_ENTRIES = 10_000
/** Longest recorded reason of a refusal, in characters. */
const MAX_DETAIL = 500

export class ServiceHistory {
  readonly #clock: Clock
  /** Number of lines that take requests, by service. A service without such a line has no entry. */
  readonly #usable = new Map<string, number>()
  readonly #ends = new Map<string, LastLine>()
  readonly #refusals = new Map<string, RefusedAnnouncement>()

  constructor(registry: Registry, clock: Clock) {
    this.#clock = clock
    for (const line of registry.lines()) this.#count(line, undefined)
    registry.subscribe({
      lineAdded: line => this.#count(line, undefined),
      lineChanged: (line, before) => this.#count(line, before),
      lineRemoved: line => this.#count(undefined, line),
    })
  }

  /** Returns true when a line of any replica takes requests for the service. `service` is the announced name. */
  isServed(service: string): boolean {
    return this.#usable.has(service)
  }

  /** Returns undefined while the service has a usable line, or when it had no line since the start of this replica. */
  lastLineOf(service: string): LastLine | undefined {
    return this.#ends.get(service)
  }

  /** Returns the last refusal; undefined after an accepted announcement. */
  refusalOf(service: string): RefusedAnnouncement | undefined {
    return this.#refusals.get(service)
  }

  /** Records the reason for the end of a tunnel of this replica. `services` are its accepted services. */
  tunnelEnded(tunnelId: TunnelId, services: Iterable<string>, reason: Reason, detail: string): void {
    for (const service of services) {
      const last = this.#ends.get(service)
      if (last?.tunnelId !== tunnelId) continue
      this.#ends.set(service, { ...last, cause: 'disconnected', end: { reason, detail } })
    }
  }

  refused(service: string, refusal: Omit<RefusedAnnouncement, 'atMs'>): void {
    // The detail quotes the mount that the telephone sent, which may be long.
    const detail = cutText(refusal.detail, MAX_DETAIL)
    putNewest(this.#refusals, service, { ...refusal, detail, atMs: this.#clock.wallTime() })
  }

  #count(after: Line | undefined, before: Line | undefined): void {
    const line = after ?? before
    if (line === undefined) return
    const { service } = line
    if (after !== undefined) this.#refusals.delete(service)
    const was = this.#usable.get(service) ?? 0
    const now =
      was +
      (after !== undefined && isUsable(after) ? 1 : 0) -
      (before !== undefined && isUsable(before) ? 1 : 0)
    if (now > 0) {
      this.#usable.set(service, now)
      this.#ends.delete(service)
      return
    }
    this.#usable.delete(service)
    const known = this.#ends.get(service)
    const { telephone, replicaId, tunnelId } = line
    // Later events of unusable lines change the cause, but keep the time.
    const atMs = was === 0 && known !== undefined ? known.atMs : this.#clock.wallTime()
    putNewest(this.#ends, service, { atMs, cause: causeOf(after), telephone, replicaId, tunnelId })
  }
}

const isUsable = ({ health, weight }: Line): boolean => health === 'up' && weight > 0

function causeOf(line: Line | undefined): LastLine['cause'] {
  if (line === undefined) return 'disconnected'
  return line.health === 'down' ? 'unhealthy' : 'no_weight'
}

function putNewest<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= MAX_ENTRIES) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
