// Limits the resources of one token's holder, so that one token cannot exhaust a replica: tunnels over all replicas
// (registry/tunnel-counts.ts), the rate of announcements and renewals on this replica, memory for lines on this replica,
// and one claim at a time. The transaction of a claim counts the claimed routes of a token in the database.
//
//   dial ──admit──▶ opened ──▶ announcements (reserve, hold), claims one after the other ──left──▶ closed

import type { Clock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { ServiceAnnouncement } from '@vera-stack/shared/protocol/control/control.ts'
import { holderText, shortDigest, tokenText } from '../../database/store/values/token-reference.ts'
import type { TunnelCounts } from '../../registry/tunnel-counts.ts'
import type { Credential } from './authenticate.ts'
import type { TokenRefusals } from './token-refusals.ts'

/** The limits of tokens that have no limits of their own. */
export interface DefaultTokenLimits {
  readonly tunnels: number
  readonly claims: number
  readonly announcementsPerMinute: number
}

export const DEFAULT_TOKEN_LIMITS: DefaultTokenLimits = {
  tunnels: 1000,
  claims: 1000,
  announcementsPerMinute: 1200,
}

/** Most memory for the lines of one holder on this replica, in characters of names, versions and labels. */
const MAX_ANNOUNCED_LENGTH = 8 * 1024 * 1024
/** Memory for the ids and numbers of one line, in characters. */
const LINE_OVERHEAD = 256
/** Longest time that an announcement waits for its turn, ms. Telephones stop waiting after 10 s. */
export const MAX_ANNOUNCEMENT_WAIT_MS = 5000
/** Above this number of holders, a sweep removes idle ones. A holder without tunnels is kept only for its rate. */
const FIRST_SWEEP = 10_000

interface Usage {
  /** Tunnels on this replica, including tunnels that only finish their streams. */
  open: number
  /** The number of these tunnels that stand by until a newer process ends. */
  standby: number
  announcedLength: number
  /** Time at which the token bucket of announcements is full again, ms of the clock. */
  fullAtMs: number
  /** Settles with the last claim in the queue. `claims` is their number. */
  lastClaim: Promise<unknown>
  claims: number
}

export class TokenUsage {
  readonly #defaults: DefaultTokenLimits
  readonly #counts: TunnelCounts
  readonly #clock: Clock
  /** Usage by holder. */
  readonly #usages = new Map<string, Usage>()
  /** Numbers since the start of this replica. */
  readonly #refusals: TokenRefusals = { tunnels: 0, claims: 0, announcements: 0 }
  #sweepAbove = FIRST_SWEEP

  constructor(options: {
    readonly defaults: DefaultTokenLimits
    readonly counts: TunnelCounts
    readonly clock: Clock
  }) {
    this.#defaults = options.defaults
    this.#counts = options.counts
    this.#clock = options.clock
  }

  get refusals(): TokenRefusals {
    return { ...this.#refusals }
  }

  /** Returns the number of tunnels of the holder on all replicas, without tunnels that drain or stand by. */
  tunnelsOf(holder: string): number {
    return this.#counts.total(shortDigest(holder))
  }

  limitsOf({ limits }: Credential): DefaultTokenLimits {
    return {
      tunnels: limits.tunnels ?? this.#defaults.tunnels,
      claims: limits.claims ?? this.#defaults.claims,
      announcementsPerMinute: limits.announcementsPerMinute ?? this.#defaults.announcementsPerMinute,
    }
  }

  /**
   * Throws VeraError `token_tunnel_limit` when the holder has as many tunnels as its limit. Tunnels that drain or stand by do
   * not count, so that a telephone can dial a replacement. Together with them, the holder may have at most twice the limit on
   * this replica.
   */
  admit(credential: Credential): void {
    const holder = holderText(credential.token)
    const { tunnels: limit } = this.limitsOf(credential)
    const open = this.#usages.get(holder)?.open ?? 0
    if (this.tunnelsOf(holder) < limit && open < 2 * limit) return
    this.#refusals.tunnels += 1
    const { what, flag } = limitText('tunnels', limit)
    throw new VeraError(
      'token_tunnel_limit',
      `Token ${tokenText(credential.token)} has ${what} open. Close some, or raise the limit (${flag}).`,
    )
  }

  /** Counts a new tunnel. The caller later calls `left` once, then `closed` once. */
  opened({ token }: Credential): void {
    const holder = holderText(token)
    this.#usage(holder).open += 1
    this.#counts.add(shortDigest(holder))
  }

  /** Stops counting a tunnel that takes no new streams. */
  left({ token }: Credential): void {
    this.#counts.remove(shortDigest(holderText(token)))
  }

  /**
   * Stops counting a tunnel that stands by, because a newer process serves its services. Returns false when the holder has too
   * many such tunnels here; the counts then stay, and the caller should close the tunnel. One place stays for the next process.
   */
  standBy(credential: Credential): boolean {
    const holder = holderText(credential.token)
    const usage = this.#usage(holder)
    if (usage.standby >= this.limitsOf(credential).tunnels - 1) return false
    usage.standby += 1
    this.#counts.remove(shortDigest(holder))
    return true
  }

  /** Ends `standBy`. The tunnel counts again, even above the limit. */
  serveAgain({ token }: Credential): void {
    const holder = holderText(token)
    this.#usage(holder).standby -= 1
    this.#counts.add(shortDigest(holder))
  }

  closed({ token }: Credential): void {
    const holder = holderText(token)
    const usage = this.#usage(holder)
    usage.open -= 1
    if (this.#isIdle(usage)) this.#usages.delete(holder)
  }

  /**
   * Reserves the next place for an announcement or a renewal, and returns its waiting time, ms. Throws VeraError
   * `token_announcement_limit`, and reserves no place, when the waiting time would exceed `maxWaitMs`.
   */
  reserve(credential: Credential, maxWaitMs: number): number {
    const { announcementsPerMinute: limit } = this.limitsOf(credential)
    const usage = this.#usage(holderText(credential.token))
    const nowMs = this.#clock.now()
    const intervalMs = 60_000 / limit
    const fullAtMs = Math.max(usage.fullAtMs, nowMs) + intervalMs
    // A full bucket allows the announcements of one minute at once.
    const waitMs = Math.max(0, fullAtMs - 60_000 - nowMs)
    if (waitMs > maxWaitMs) {
      this.#refusals.announcements += 1
      const { what, flag } = limitText('announcements and renewals within a minute', limit)
      throw new VeraError(
        'token_announcement_limit',
        `Token ${tokenText(credential.token)} has sent ${what}. Try again later, send fewer, or raise the limit (${flag}).`,
      )
    }
    usage.fullAtMs = fullAtMs
    return waitMs
  }

  /**
   * Counts the memory of a tunnel's announcement: `length`, in place of `before` for the previous one. Throws VeraError
   * `token_announcement_limit` when the lines of the holder would take too much memory.
   */
  hold(credential: Credential, length: number, before: number): void {
    const usage = this.#usage(holderText(credential.token))
    const announcedLength = usage.announcedLength - before + length
    if (length > before && announcedLength > MAX_ANNOUNCED_LENGTH) {
      this.#refusals.announcements += 1
      throw new VeraError(
        'token_announcement_limit',
        `The lines of token ${tokenText(credential.token)} would take ${announcedLength} characters on this replica, and ${MAX_ANNOUNCED_LENGTH} are allowed. Announce fewer services or shorter labels, or open fewer tunnels.`,
      )
    }
    usage.announcedLength = announcedLength
  }

  /** Runs the claims of one holder one after the other, so that they use at most one database connection. */
  async claim<Result>(credential: Credential, work: () => Promise<Result>): Promise<Result> {
    const holder = holderText(credential.token)
    const usage = this.#usage(holder)
    usage.claims += 1
    const result = usage.lastClaim.then(work)
    // The next claim runs whether this one fails or not.
    usage.lastClaim = result.catch(() => undefined)
    try {
      return await result
    } catch (error) {
      if (error instanceof VeraError && error.code === 'token_claim_limit') this.#refusals.claims += 1
      throw error
    } finally {
      usage.claims -= 1
    }
  }

  #usage(holder: string): Usage {
    let usage = this.#usages.get(holder)
    if (usage === undefined) {
      if (this.#usages.size >= this.#sweepAbove) this.#sweep()
      usage = {
        open: 0,
        standby: 0,
        announcedLength: 0,
        fullAtMs: 0,
        lastClaim: Promise.resolve(),
        claims: 0,
      }
      this.#usages.set(holder, usage)
    }
    return usage
  }

  #sweep(): void {
    for (const [holder, usage] of this.#usages) if (this.#isIdle(usage)) this.#usages.delete(holder)
    this.#sweepAbove = Math.max(FIRST_SWEEP, 2 * this.#usages.size)
  }

  #isIdle({ open, claims, fullAtMs }: Usage): boolean {
    return open === 0 && claims === 0 && fullAtMs <= this.#clock.now()
  }
}

/** Returns the memory that the lines of an announcement take, in characters. */
export function announcedLength(services: readonly ServiceAnnouncement[]): number {
  let length = 0
  for (const { service, mount, version, labels } of services) {
    length += LINE_OVERHEAD + service.length + (mount?.length ?? 0) + version.length
    for (const name of Object.keys(labels)) length += name.length + (labels[name]?.length ?? 0)
  }
  return length
}

const FLAGS = {
  tunnels: 'token issue --max-tunnels, tokenMaxTunnels',
  'announcements and renewals within a minute': 'token issue --max-announcements, tokenMaxAnnouncements',
} as const

function limitText(
  what: keyof typeof FLAGS,
  limit: number,
): { readonly what: string; readonly flag: string } {
  return { what: `its limit of ${limit} ${what}`, flag: FLAGS[what] }
}
