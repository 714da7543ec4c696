// Keeps the lines of other replicas in our registry. Only this file decides which lines count: the lines of the newest live
// incarnation of a replica, while its lease is fresh. The peer code renews leases (bytes over links, heartbeats in the database).
// Documents arrive through peer exchanges and do not renew leases.
//
//   unknown ──document or lease──► known, hidden ────fresh lease──────► shown
//                                    ▲   │                                │
//   removed ◄────keepMs, no link─────┘   └◄────────lease expires──────────┘     another incarnation starts over

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import { RemoteReplica } from '../documents/remote-replica.ts'
import { type Incarnation, isNewerIncarnation } from '../incarnation.ts'
import type { Registry } from '../registry.ts'

/** Time that documents outlive their lease, ms. After a partition of up to a minute, no full transfer is needed. */
const DEFAULT_KEEP_MS = 60_000

export interface RegistryFollowerOptions {
  readonly registry: Registry
  /** Our own id. Lines of another replica under this id are ignored. */
  readonly replicaId: ReplicaId
  readonly clock: Clock
  /** Time that documents are kept without a lease and without a link, ms. */
  readonly keepMs?: number
}

export interface ReplicaLease {
  readonly replicaId: ReplicaId
  readonly incarnation: Incarnation
  /** True when its lines are in the registry. */
  readonly shown: boolean
  /** Remaining time, ms; 0 without a lease. */
  readonly leaseMs: number
  readonly lineCount: number
  /** Number of lines not shown because another replica had a line with the same id. A number above 0 is a bug. */
  readonly refusedLines: number
}

interface Known {
  readonly copy: RemoteReplica
  /** End of the lease, ms of the clock; a time in the past: no lease. */
  leaseUntilMs: number
  forgetAtMs: number
  /** Number of exchanges that use it. */
  attached: number
}

export class RegistryFollower {
  readonly #registry: Registry
  readonly #replicaId: ReplicaId
  readonly #clock: Clock
  readonly #keepMs: number
  readonly #known = new Map<ReplicaId, Known>()
  #timer: { readonly dueMs: number; readonly timer: Timer } | undefined
  #closed = false

  constructor(options: RegistryFollowerOptions) {
    this.#registry = options.registry
    this.#replicaId = options.replicaId
    this.#clock = options.clock
    this.#keepMs = options.keepMs ?? DEFAULT_KEEP_MS
  }

  /**
   * Extends the lease of a replica to `untilMs` of the clock; never shortens it. Another incarnation replaces the state of the
   * previous one. Returns false, without an effect, while a newer incarnation is alive.
   */
  renewLease(replicaId: ReplicaId, incarnation: Incarnation, untilMs: number): boolean {
    const known = this.#at(replicaId, incarnation)
    if (known === undefined) return false
    known.leaseUntilMs = Math.max(known.leaseUntilMs, untilMs)
    known.forgetAtMs = Math.max(known.forgetAtMs, known.leaseUntilMs + this.#keepMs)
    this.#showOrHide(known)
    this.#arm()
    return true
  }

  hasLease(replicaId: ReplicaId, incarnation: Incarnation): boolean {
    const known = this.#known.get(replicaId)
    return known?.copy.incarnation === incarnation && known.leaseUntilMs > this.#clock.now()
  }

  /** Ends the lease of a replica that has left, which removes its lines at once. */
  endLease(replicaId: ReplicaId, incarnation: Incarnation): void {
    const known = this.#known.get(replicaId)
    if (known?.copy.incarnation !== incarnation) return
    known.leaseUntilMs = this.#clock.now()
    known.forgetAtMs = known.leaseUntilMs + this.#keepMs
    this.#showOrHide(known)
    this.#arm()
  }

  /**
   * Returns the documents of an incarnation, for a peer exchange. They are kept until the release, even without a lease.
   * `current` returns undefined after another incarnation has taken over, and always for our own id. Call `release` once.
   */
  attach(
    replicaId: ReplicaId,
    incarnation: Incarnation,
  ): { current(): RemoteReplica | undefined; release(): void } {
    const known = this.#at(replicaId, incarnation)
    if (known !== undefined) known.attached += 1
    const isCurrent = (): boolean => known !== undefined && this.#known.get(replicaId) === known
    return {
      current: () => (isCurrent() ? known?.copy : undefined),
      release: () => {
        if (known === undefined || !isCurrent()) return
        known.attached -= 1
        known.forgetAtMs = Math.max(known.forgetAtMs, this.#clock.now() + this.#keepMs)
        this.#arm()
      },
    }
  }

  replicas(): ReplicaLease[] {
    const nowMs = this.#clock.now()
    return [...this.#known].map(([replicaId, { copy, leaseUntilMs }]) => ({
      replicaId,
      incarnation: copy.incarnation,
      shown: leaseUntilMs > nowMs,
      leaseMs: Math.max(0, leaseUntilMs - nowMs),
      lineCount: copy.lineCount,
      refusedLines: copy.refusedLines,
    }))
  }

  /** Removes all lines of other replicas from the registry. */
  close(): void {
    this.#closed = true
    this.#timer?.timer.cancel()
    for (const { copy } of this.#known.values()) copy.destroy()
    this.#known.clear()
  }

  #at(replicaId: ReplicaId, incarnation: Incarnation): Known | undefined {
    if (this.#closed || replicaId === this.#replicaId) return undefined
    const before = this.#known.get(replicaId)
    if (before?.copy.incarnation === incarnation) return before
    const nowMs = this.#clock.now()
    // A newer incarnation takes precedence only while it is alive. Otherwise a replica whose clock was set back could never
    // join again.
    const lives = before !== undefined && (before.leaseUntilMs > nowMs || before.attached > 0)
    if (lives && isNewerIncarnation(before.copy.incarnation, incarnation)) return undefined
    before?.copy.destroy()
    const known: Known = {
      copy: new RemoteReplica(replicaId, incarnation, this.#registry),
      leaseUntilMs: nowMs,
      forgetAtMs: nowMs + this.#keepMs,
      attached: 0,
    }
    this.#known.set(replicaId, known)
    this.#arm()
    return known
  }

  #showOrHide({ copy, leaseUntilMs }: Known): void {
    if (leaseUntilMs > this.#clock.now()) copy.show()
    else copy.hide()
  }

  #sweep(): void {
    this.#timer = undefined
    const nowMs = this.#clock.now()
    for (const [replicaId, known] of this.#known) {
      this.#showOrHide(known)
      if (known.forgetAtMs > nowMs || known.attached > 0) continue
      known.copy.destroy()
      this.#known.delete(replicaId)
    }
    this.#arm()
  }

  /**
   * Sets one timer for the earliest time. A renewal only moves times to later, so most renewals keep the timer. Shown lines
   * need a timer even when their lease has just ended: the clock moves on after `#showOrHide` has read it, and a timer may
   * fire a little early.
   */
  #arm(): void {
    if (this.#closed) return
    const nowMs = this.#clock.now()
    let dueMs = Number.POSITIVE_INFINITY
    for (const { copy, leaseUntilMs, forgetAtMs, attached } of this.#known.values()) {
      if (copy.shown) dueMs = Math.min(dueMs, leaseUntilMs)
      else if (attached === 0) dueMs = Math.min(dueMs, forgetAtMs)
    }
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return
    this.#timer?.timer.cancel()
    this.#timer =
      dueMs === Number.POSITIVE_INFINITY
        ? undefined
        : { dueMs, timer: this.#clock.after(dueMs - nowMs, () => this.#sweep()) }
  }
}
