// Keeps the directory in step with the database, for as long as it runs:
//
//   open ──▶ load or catch up ──▶ wait for a notification or the poll ──▶ catch up ──▶ wait …
//     ▲                                    │ connection lost
//     └──────────── back-off ◀─────────────┘
//
// Catching up reads the log from the last change that was applied, that one included: if it is not there, or is
// another one, then the log was cut, or the database was restored to an older state, and everything is loaded
// anew beside the old, which serves until then.

import { Backoff } from '@vera-stack/shared/backoff.ts'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { Wakeup } from '../common/wakeup.ts'
import type { ChangeFeed, LogPosition, SnapshotSink } from '../database/change-feed.ts'
import type { Change } from '../database/store/store.ts'

/**
 * A longer way is not walked change by change, since all of them are applied in one turn of the event loop (a
 * transaction is seen whole); a fresh copy comes in small pieces.
 */
const MAX_CHANGES = 2_000
/** With the time of connecting, less than the 5 s in which changes flow again. */
const BACKOFF = { baseMs: 100, capMs: 2_000 } as const

export interface FollowerOptions<State extends SnapshotSink> {
  readonly openFeed: () => Promise<ChangeFeed>
  readonly clock: Clock
  readonly random: () => number
  readonly pollIntervalMs: number
  /** Of what is being served; undefined: nothing yet. */
  readonly position: () => LogPosition | undefined
  /** An empty state to be filled from a snapshot. */
  readonly emptyState: () => State
  readonly replace: (state: State, position: LogPosition) => Promise<void>
  /** In one go: a transaction is seen whole. Throws when the changes do not fit. */
  readonly apply: (changes: readonly Change[]) => void
  readonly reachable: (reachable: boolean, error?: unknown) => void
  /** False: a change was found that no notification had reported. True: notifications arrive. */
  readonly notifications: (arrive: boolean) => void
  /** The log does not lead from our position to the present. */
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

  /** What is under way on the connection fails at once; one that is being opened is closed when it is. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#stop.resolve(undefined)
    this.#wakeup.wake()
    await this.#feed?.close()
  }

  /** Undefined: stopped meanwhile. */
  async #open(): Promise<ChangeFeed | undefined> {
    const opening = this.#options.openFeed()
    const feed = await Promise.race([opening, this.#stop.promise])
    if (feed === undefined) {
      opening.then(
        late => late.close(),
        () => undefined, // nobody needs it any more
      )
    }
    return feed
  }

  async #follow(feed: ChangeFeed, established: () => void): Promise<void> {
    let lost: { readonly error: unknown } | undefined
    let notified = false
    let unreported = false
    // Changes from before this connection had no notification on it.
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
      // A notification may be a moment behind the change that the poll has found: it has until the next poll.
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
    if (head.sequence === position.sequence && head.changeId === position.changeId) return
    const behind = head.sequence - position.sequence
    if (behind <= 0) return await this.#reload(feed, 'the database is older than what is served')
    if (behind > MAX_CHANGES) return await this.#reload(feed, `${behind} changes behind`)
    // More than `behind` when there is news by now; the rest comes with its own notification.
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

/** Why these changes do not lead on from there; undefined: they do. */
function misfit(position: LogPosition, changes: readonly Change[]): string | undefined {
  const [first] = changes
  if (position.sequence === 0) return first?.sequence === 1 ? undefined : 'the log has been cut'
  if (first?.sequence !== position.sequence) return 'the log has been cut'
  return first.id === position.changeId ? undefined : 'the database has another history'
}
