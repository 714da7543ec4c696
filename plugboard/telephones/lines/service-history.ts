// Why a service has no line that takes requests, and since when, as this replica saw it: its last line ended, its lines are
// down or have weight 0, a telephone announced it and was refused. It follows the registry, so it sees the lines of all
// replicas; the reason for the end of a tunnel is known only to the replica of that tunnel. Its memory is bounded.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { cutText } from '@vera-stack/shared/cut-text.ts'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { Reason } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { ReplicaId } from '../../common/replica-id.ts'
import type { Line } from '../../registry/line.ts'
import type { TunnelId } from '../../registry/line-ids.ts'
import type { Registry } from '../../registry/registry.ts'

/** The moment at which the last usable line of a service went. */
export interface LastLine {
  /** ms since 1970. */
  readonly atMs: number
  readonly cause: 'disconnected' | 'unhealthy' | 'no_weight'
  readonly telephone: string
  readonly replicaId: ReplicaId
  readonly tunnelId: TunnelId
  /** Why the tunnel ended; undefined while it is open, and on replicas that do not hold it. */
  readonly end?: { readonly reason: Reason; readonly detail: string } | undefined
}

/** A telephone that announced the service here and was refused. */
export interface RefusedAnnouncement {
  readonly atMs: number
  readonly telephone: string
  readonly code: ErrorCode
  readonly detail: string
}

/** Services whose end, and whose refusal, is remembered. The oldest are forgotten first. */
const MAX_REMEMBERED = 10_000
/** Characters of the reason of a refusal. */
const MAX_DETAIL = 500

export class ServiceHistory {
  readonly #clock: Clock
  /** Lines that take requests, by service; without an entry: no line, or none of use. */
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

  /** True when the service has a line that takes requests, on any replica that is known here. `service`: as announced. */
  isServed(service: string): boolean {
    return this.#usable.has(service)
  }

  /** Undefined while it is served, and when it never was since the start. */
  lastLineOf(service: string): LastLine | undefined {
    return this.#ends.get(service)
  }

  /** Undefined once an announcement was accepted. */
  refusalOf(service: string): RefusedAnnouncement | undefined {
    return this.#refusals.get(service)
  }

  /** A tunnel of this replica has ended. `services`: those that it served. */
  tunnelEnded(tunnelId: TunnelId, services: Iterable<string>, reason: Reason, detail: string): void {
    for (const service of services) {
      const last = this.#ends.get(service)
      if (last?.tunnelId !== tunnelId) continue
      this.#ends.set(service, { ...last, cause: 'disconnected', end: { reason, detail } })
    }
  }

  refused(service: string, refusal: Omit<RefusedAnnouncement, 'atMs'>): void {
    // It quotes the mount that the telephone has sent, which may be long.
    const detail = cutText(refusal.detail, MAX_DETAIL)
    remember(this.#refusals, service, { ...refusal, detail, atMs: this.#clock.wallTime() })
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
    // Further events of lines that take no requests change the cause, not the moment.
    const atMs = was === 0 && known !== undefined ? known.atMs : this.#clock.wallTime()
    remember(this.#ends, service, { atMs, cause: causeOf(after), telephone, replicaId, tunnelId })
  }
}

const isUsable = ({ health, weight }: Line): boolean => health === 'up' && weight > 0

function causeOf(line: Line | undefined): LastLine['cause'] {
  if (line === undefined) return 'disconnected'
  return line.health === 'down' ? 'unhealthy' : 'no_weight'
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= MAX_REMEMBERED) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
