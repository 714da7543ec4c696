// The announcements of one tunnel, in order: at most one is evaluated, and at most one waits. A newer announcement replaces
// the waiting one, because an announcement is a complete set. It applies the limits of the token, and retries the claims that
// failed while the database was unavailable.
//
//   arrived ──▶ waiting ──place within the token's rate──▶ evaluating ──▶ host.evaluated
//                  └──────── limit exceeded ──▶ host.refused

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { Announce } from '@vera-stack/shared/protocol/control/control.ts'
import {
  type AnnouncementDecision,
  type AnnouncementOptions,
  evaluateAnnouncement,
  refuseAll,
} from '../announcement.ts'
import { type RemovedRoutes, reviewDecision } from '../lost-mounts.ts'
import type { Credential } from '../tokens/authenticate.ts'
import { announcedLength, MAX_ANNOUNCEMENT_WAIT_MS, type TokenUsage } from '../tokens/token-usage.ts'

/** The tunnel of the announcements. */
export interface AnnouncementHost {
  readonly credential: Credential
  /** False when the session has closed. The results of an evaluation are then not needed. */
  readonly open: boolean
  /** Takes the decisions on an announcement, which replaces the previous one. */
  evaluated(message: Announce, decisions: readonly AnnouncementDecision[]): void
  /** Sends the refusals of an announcement that exceeds a limit. The previous announcement stays in force. */
  refused(message: Announce, decisions: readonly AnnouncementDecision[]): void
  /** Closes the tunnel after an unexpected error, which is logged already. */
  failed(): void
}

export interface AnnouncementQueueOptions extends AnnouncementOptions {
  readonly usage: TokenUsage
  readonly clock: Clock
}

export class AnnouncementQueue {
  readonly #host: AnnouncementHost
  readonly #options: AnnouncementQueueOptions
  readonly #log: Logger
  /** The newest announcement, which is evaluated after the current one. */
  #waiting: Announce | undefined
  #evaluating = false
  /** Routes that were removed while an announcement was evaluated. */
  #removedMeanwhile: RemovedRoutes[] = []
  /** Runs while the announcement waits for its place (token-usage.ts). */
  #placeTimer: Timer | undefined
  /** Length of the last evaluated announcement, as counted in the usage of the token. */
  #length = 0
  /** The last evaluated announcement, when a part of it has to be retried. */
  #unfinished: Announce | undefined

  constructor(host: AnnouncementHost, options: AnnouncementQueueOptions, log: Logger) {
    this.#host = host
    this.#options = options
    this.#log = log
  }

  get evaluating(): boolean {
    return this.#evaluating
  }

  arrived(message: Announce): void {
    this.#waiting = message
    if (!this.#evaluating && this.#placeTimer === undefined) this.#evaluateInTurn()
  }

  /** Retries the claims that failed while the database was unavailable. */
  retryClaims(): void {
    const unfinished = this.#unfinished
    if (unfinished === undefined || this.#waiting !== undefined) return
    this.#unfinished = undefined
    this.#waiting = unfinished
    if (!this.#evaluating) void this.#evaluateWaiting()
  }

  /** Applies removed routes to the decisions of the announcement that is being evaluated. */
  reviewAfterwards(removed: RemovedRoutes): void {
    this.#removedMeanwhile.push(removed)
  }

  /** Drops the waiting announcement, and stops counting the memory of the last one. */
  close(): void {
    this.#placeTimer?.cancel()
    this.#waiting = undefined
    this.#unfinished = undefined
    this.#options.usage.hold(this.#host.credential, 0, this.#length)
  }

  /** Evaluates the newest announcement, now or when the token's rate allows it. */
  #evaluateInTurn(): void {
    const { usage, clock } = this.#options
    const waitMs = this.#withinLimits(() => usage.reserve(this.#host.credential, MAX_ANNOUNCEMENT_WAIT_MS))
    if (waitMs === undefined) return
    if (waitMs === 0) {
      void this.#evaluateWaiting()
      return
    }
    this.#placeTimer = clock.after(waitMs, () => {
      this.#placeTimer = undefined
      void this.#evaluateWaiting()
    })
  }

  /** Returns undefined when the token exceeds a limit. It then refuses the waiting announcement. */
  #withinLimits<Result>(take: () => Result): Result | undefined {
    try {
      return take()
    } catch (error) {
      if (!(error instanceof VeraError)) throw error
      this.#log.warn('announcement refused', { code: error.code, detail: error.message })
      const message = this.#take()
      if (message !== undefined) this.#host.refused(message, refuseAll(message.services, error))
      return undefined
    }
  }

  async #evaluateWaiting(): Promise<void> {
    const length = announcedLength(this.#waiting?.services ?? [])
    const held = this.#withinLimits(() => {
      this.#options.usage.hold(this.#host.credential, length, this.#length)
      return true
    })
    const message = this.#take()
    if (held === undefined || message === undefined) return
    this.#length = length
    this.#evaluating = true
    try {
      await this.#evaluate(message)
    } catch (error) {
      this.#log.error('an announcement could not be checked', { err: error })
      this.#host.failed()
    } finally {
      this.#evaluating = false
      this.#removedMeanwhile = []
    }
    if (this.#waiting !== undefined) this.#evaluateInTurn()
  }

  async #evaluate(message: Announce): Promise<void> {
    const isWanted = (): boolean => this.#host.open
    const { credential } = this.#host
    const decisions = await evaluateAnnouncement(message.services, credential, this.#options, isWanted)
    if (!isWanted()) return
    this.#unfinished = decisions.some(({ tryLater }) => tryLater) ? message : undefined
    const reviewed = decisions.map(decision =>
      this.#removedMeanwhile.reduce(
        (before, removed) => reviewDecision(before, removed, this.#host.credential, this.#options),
        decision,
      ),
    )
    this.#host.evaluated(message, reviewed)
  }

  #take(): Announce | undefined {
    const message = this.#waiting
    this.#waiting = undefined
    return message
  }
}
