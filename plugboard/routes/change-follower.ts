// Keeps the directory in step with the database, for as long as it runs:
//
//   open ──▶ load or catch up ──▶ wait for a notification or the poll ──▶ catch up ──▶ wait …
//     ▲                                    │ connection lost
//     └──────────── back-off ◀─────────────┘
//
// To catch up, it reads the log from the last applied change on, including that change. If that change is missing or different,
// the log was truncated, or the database was restored to an older state. Then it loads a complete new state beside the old one,
// which serves until the new one is ready.

import { Backoff } from '@vera-stack/shared/backoff.ts'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { Wakeup } from '../common/wakeup.ts'
import type { ChangeFeed, LogPosition, SnapshotSink } from '../database/changes/change-feed.ts'
import type { Change } from '../database/store/store.ts'

/**
 * Most changes that are applied one by one. All of them are applied in one turn of the event loop, so that a transaction is
 * visible as a whole. With more changes, a new state is loaded, which takes many short turns.
 */
const MAX_CHANGES = 2_000
/** Together with the time to connect, below the promised 5 s until changes flow again. */
const BACKOFF = { baseMs: 100, capMs: 2_000 } as const

export interface FollowerOptions<State extends SnapshotSink> {
  readonly openFeed: () => Promise<ChangeFeed>
  readonly clock: Clock
  readonly random: () => number
  readonly pollIntervalMs: number
  /** Returns the position of the state that serves; undefined before the first one. */
  readonly position: () => LogPosition | undefined
  /** Returns an empty state for a snapshot. */
  readonly emptyState: () => State
  readonly replace: (state: State, position: LogPosition) => Promise<void>
  /** Applies changes in one turn, so that a transaction is visible as a whole. Throws when the changes do not fit. */
  readonly apply: (changes: readonly Change[]) => void
  /** Called with the newest sequence of the log, before the changes up to it are read. */
  readonly newest: (sequence: number) => void
  readonly reachable: (reachable: boolean, error?: unknown) => void
  /** Called with false after a change without a notification, and with true when notifications arrive. */
  readonly notifications: (arrive: boolean) => void
  /** Called when the log does not continue from our position. */
  readonly reloading: (reason: string) => void
}

export class ChangeFollower<State extends SnapshotSink> {
  readonly #options: FollowerOptions<State>
  readonly #wakeup: Wakeup
  readonly #stop = Promise.withResolvers<undefined>()
  #stopped = false
  #feed: ChangeFeed | undefined

  constructor(options: FollowerOptions<State>) {
    this.#options = options
    this.#wakeup = new Wakeup(options.clock)
  }

  /** Resolves after stop(). */
  async run(): Promise<void> {
    const backoff = new Backoff({ ...BACKOFF, random: this.#options.random })
    while (!this.#stopped) {
      try {
        this.#feed = await this.#open()
        if (this.#feed !== undefined) await this.#follow(this.#feed, () => backoff.reset())
      } catch (error) {
        if (!this.#stopped) this.#options.reachable(false, error)
      } finally {
        await this.#feed?.close()
        this.#feed = undefined
      }
      if (!this.#stopped) await this.#wakeup.wait(backoff.next(BACKOFF.baseMs))
    }
  }

  /** Stops and closes the connection, so that pending queries fail at once. A connection that still opens is closed later. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#stop.resolve(undefined)
    this.#wakeup.wake()
    await this.#feed?.close()
  }

  /** Opens the feed. Returns undefined after a stop. */
  async #open(): Promise<ChangeFeed | undefined> {
    const opening = this.#options.openFeed()
    const feed = await Promise.race([opening, this.#stop.promise])
    if (feed === undefined) {
      opening.then(
        late => late.close(),
        () => undefined, // ignores the error, because the follower has stopped
      )
    }
    return feed
  }

  async #follow(feed: ChangeFeed, established: () => void): Promise<void> {
    let lost: { readonly error: unknown } | undefined
    let notified = false
    let unreported = false
    // Changes before this connection caused no notification on it.
    let first = true
    feed.listen({
      notified: () => {
        notified = true
        this.#wakeup.wake()
      },
      lost: error => {
        lost = { error }
        this.#wakeup.wake()
      },
    })
    while (!this.#stopped) {
      const before = this.#options.position()?.sequence
      await this.#catchUp(feed)
      established()
      this.#options.reachable(true)
      const found = before !== undefined && this.#options.position()?.sequence !== before
      // A notification may arrive a moment after the poll that found its change, so it may take until the next poll.
      if (notified) this.#options.notifications(true)
      else if (unreported) this.#options.notifications(false)
      unreported = found && !notified && !first
      first = false
      notified = false
      await this.#wakeup.wait(this.#options.pollIntervalMs)
      if (lost !== undefined) throw lost.error
    }
  }

  async #catchUp(feed: ChangeFeed): Promise<void> {
    const position = this.#options.position()
    if (position === undefined) return await this.#load(feed)
    const head = await feed.head()
    this.#options.newest(head.sequence)
    if (head.sequence === position.sequence && head.changeId === position.changeId) return
    const behind = head.sequence - position.sequence
    if (behind <= 0) return await this.#reload(feed, 'the database is older than the served routes')
    if (behind > MAX_CHANGES) return await this.#reload(feed, `${behind} changes behind`)
    // Reads more than `behind` changes when newer ones exist. Any further ones cause their own notification.
    const changes = await feed.changesFrom(Math.max(position.sequence, 1), MAX_CHANGES + 1)
    const problem = misfit(position, changes)
    if (problem !== undefined) return await this.#reload(feed, problem)
    const news = position.sequence === 0 ? changes : changes.slice(1)
    try {
      this.#options.apply(news)
    } catch (error) {
      await this.#reload(feed, String(error))
    }
  }

  async #reload(feed: ChangeFeed, reason: string): Promise<void> {
    this.#options.reloading(reason)
    await this.#load(feed)
  }

  async #load(feed: ChangeFeed): Promise<void> {
    const state = this.#options.emptyState()
    const position = await feed.snapshot(state)
    if (!this.#stopped) await this.#options.replace(state, position)
  }
}

/** Returns the reason why these changes do not continue from the position; undefined: they do. */
function misfit(position: LogPosition, changes: readonly Change[]): string | undefined {
  const [first] = changes
  if (position.sequence === 0) return first?.sequence === 1 ? undefined : 'the change log was truncated'
  if (first?.sequence !== position.sequence) return 'the change log was truncated'
  return first.id === position.changeId ? undefined : 'the database has another history'
}
