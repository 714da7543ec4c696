// The other replicas' lines in our registry. Whose lines count is decided here and nowhere else: those of the
// newest boot of a replica that lives, while its lease is fresh. Leases come from outside (heartbeats of links, of the
// database); the documents come through peer exchanges and do not keep anybody alive.
//
//   unknown ──document or lease──► known, hidden ──lease of its boot──► shown
//                                    ▲   │                                │
//   forgotten ◄──keepMs, no link─────┘   └◄────────lease runs out─────────┘     another boot starts over

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { ReplicaId } from '../../common/replica-id.ts'
import { type Boot, isNewerBoot } from '../boot.ts'
import { ReplicaCopy } from '../documents/replica-copy.ts'
import type { Registry } from '../registry.ts'

/** How long documents outlive their lease: a partition of a minute heals without sending everything again. */
const DEFAULT_KEEP_MS = 60_000

export interface RegistryFollowerOptions {
  readonly registry: Registry
  /** Our own id: nobody else can write under it. */
  readonly replicaId: ReplicaId
  readonly clock: Clock
  /** How long documents are kept without a lease and without a link, ms. */
  readonly keepMs?: number
}

export interface ReplicaLease {
  readonly replicaId: ReplicaId
  readonly boot: Boot
  /** Its lines are in the registry. */
  readonly shown: boolean
  /** Milliseconds left; 0 when it has run out or never was. */
  readonly leaseMs: number
  readonly lineCount: number
  /** Lines not shown because another replica had one of the same id. Anything but 0 is a bug somewhere. */
  readonly refusedLines: number
}

interface Known {
  readonly copy: ReplicaCopy
  /** In time of the clock; in the past: no lease. */
  leaseUntilMs: number
  forgetAtMs: number
  /** Exchanges that read from it. */
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
   * The replica is alive until `untilMs` of the clock; never shortens a lease. Another boot drops what the one before
   * said. False when a newer boot lives: this one is dead, whoever still vouches for it.
   */
  renewLease(replicaId: ReplicaId, boot: Boot, untilMs: number): boolean {
    const known = this.#at(replicaId, boot)
    if (known === undefined) return false
    known.leaseUntilMs = Math.max(known.leaseUntilMs, untilMs)
    known.forgetAtMs = Math.max(known.forgetAtMs, known.leaseUntilMs + this.#keepMs)
    this.#judge(known)
    this.#arm()
    return true
  }

  hasLease(replicaId: ReplicaId, boot: Boot): boolean {
    const known = this.#known.get(replicaId)
    return known?.copy.boot === boot && known.leaseUntilMs > this.#clock.now()
  }

  /** The replica has said that it leaves: its lines go at once. */
  endLease(replicaId: ReplicaId, boot: Boot): void {
    const known = this.#known.get(replicaId)
    if (known?.copy.boot !== boot) return
    known.leaseUntilMs = this.#clock.now()
    known.forgetAtMs = known.leaseUntilMs + this.#keepMs
    this.#judge(known)
    this.#arm()
  }

  /**
   * For peer exchanges: the documents of this boot, which are kept until the release whatever the lease does.
   * `current` gives undefined once another boot has taken over, and always for our own id. Release it once.
   */
  attach(replicaId: ReplicaId, boot: Boot): { current(): ReplicaCopy | undefined; release(): void } {
    const known = this.#at(replicaId, boot)
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
      boot: copy.boot,
      shown: leaseUntilMs > nowMs,
      leaseMs: Math.max(0, leaseUntilMs - nowMs),
      lineCount: copy.lineCount,
      refusedLines: copy.refusedLines,
    }))
  }

  /** Takes all lines of other replicas out of the registry. */
  close(): void {
    this.#closed = true
    this.#timer?.timer.cancel()
    for (const { copy } of this.#known.values()) copy.destroy()
    this.#known.clear()
  }

  #at(replicaId: ReplicaId, boot: Boot): Known | undefined {
    if (this.#closed || replicaId === this.#replicaId) return undefined
    const before = this.#known.get(replicaId)
    if (before?.copy.boot === boot) return before
    const nowMs = this.#clock.now()
    // A newer one outranks while it lives: by wall clocks alone, one that was set back would count as dead for ever.
    const lives = before !== undefined && (before.leaseUntilMs > nowMs || before.attached > 0)
    if (lives && isNewerBoot(before.copy.boot, boot)) return undefined
    before?.copy.destroy()
    const known: Known = {
      copy: new ReplicaCopy(replicaId, boot, this.#registry),
      leaseUntilMs: nowMs,
      forgetAtMs: nowMs + this.#keepMs,
      attached: 0,
    }
    this.#known.set(replicaId, known)
    this.#arm()
    return known
  }

  #judge({ copy, leaseUntilMs }: Known): void {
    if (leaseUntilMs > this.#clock.now()) copy.show()
    else copy.hide()
  }

  #sweep(): void {
    this.#timer = undefined
    const nowMs = this.#clock.now()
    for (const [replicaId, known] of this.#known) {
      this.#judge(known)
      if (known.forgetAtMs > nowMs || known.attached > 0) continue
      known.copy.destroy()
      this.#known.delete(replicaId)
    }
    this.#arm()
  }

  /** One timer for whatever comes first. Renewals only move times back, so that most leave it alone. */
  #arm(): void {
    if (this.#closed) return
    const nowMs = this.#clock.now()
    let dueMs = Number.POSITIVE_INFINITY
    for (const { leaseUntilMs, forgetAtMs, attached } of this.#known.values()) {
      if (leaseUntilMs > nowMs) dueMs = Math.min(dueMs, leaseUntilMs)
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
