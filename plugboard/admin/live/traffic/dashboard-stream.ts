// The event stream of the dashboard: the traffic of each second, changed lines, and changes of rows. So a page needs only one connection.
// The stream ends when its key expires or is revoked.

import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { Wakeup } from '../../../common/wakeup.ts'
import type { ReadPosition } from '../../../database/store/changes/log-gap.ts'
import { isExpired } from '../../access/credential-state.ts'
import { allows } from '../../access/scope.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { changeEvents, changeReader } from '../../resources/changes/change-reader.ts'
import { LiveViewer } from '../requests/live-viewer.ts'

/** Time between comments. The comments prevent proxies from closing an idle stream. */
const KEEP_ALIVE_MS = 15_000
/** Changed lines are collected for this time, so that a restart of many telephones causes few events, ms. */
const LINES_MS = 100
/** Most names of services in one event. */
const MAX_SERVICES = 200

export interface DashboardStreamOptions {
  readonly services: readonly string[]
  /** The position of the last change that the client has. */
  readonly after: ReadPosition
  readonly stopping: AbortSignal
  readonly onEnd: () => void
}

type LiveDependencies = Pick<
  AdminDependencies,
  'liveTraffic' | 'lineChanges' | 'store' | 'directory' | 'clock'
>

export function streamDashboard(
  c: Context<AdminEnv>,
  { liveTraffic, lineChanges, store, directory, clock }: LiveDependencies,
  { services, after, stopping, onEnd }: DashboardStreamOptions,
): Response {
  const key = c.get('key')
  const log = c.get('log')
  const wakeup = new Wakeup(clock)
  const stop = (): void => wakeup.wake()
  stopping.addEventListener('abort', stop, { once: true })
  const viewer = new LiveViewer(stop)
  const watch = liveTraffic.watch({ services: [...services] }, viewer)
  const changedLines = new ChangedLines(stop)
  const unsubscribeLines = lineChanges(service => changedLines.add(service))
  let changesMayExist = true
  const unsubscribe = directory.subscribe({
    applied: () => {
      changesMayExist = true
      wakeup.wake()
    },
  })
  const showsChanges = allows(key.scopes, 'changes:read')
  const readChanges = changeReader({ store, filters: {}, keyId: key.id })

  return streamSSE(
    c,
    async stream => {
      stream.onAbort(stop)
      let last = after
      let replicas = ''
      let linesAtMs = clock.now()
      try {
        await stream.write(': live data follow\n\n')
        while (!stream.aborted && !stopping.aborted && !isExpired(key, clock)) {
          if (changesMayExist) {
            changesMayExist = false
            const next = await readChanges(last)
            if (showsChanges) for (const event of changeEvents(next)) await stream.writeSSE(event)
            last = next.through
            if (next.isRevoked) return
            changesMayExist ||= next.more
          }
          if (viewer.takeReplicasChanged()) {
            const text = JSON.stringify(watch.replicas())
            if (text !== replicas) await stream.writeSSE({ event: 'replicas', data: text })
            replicas = text
          }
          for (const data of viewer.takeItems()) await stream.writeSSE({ event: 'traffic', data })
          for (const dropped of viewer.takeDropped())
            await stream.writeSSE({ event: 'dropped', data: JSON.stringify(dropped) })
          if (changesMayExist) continue
          const waitMs = changedLines.isEmpty ? undefined : linesAtMs + LINES_MS - clock.now()
          if (waitMs !== undefined && waitMs <= 0) {
            linesAtMs = clock.now()
            await stream.writeSSE({ event: 'lines', data: JSON.stringify(changedLines.take()) })
            continue
          }
          const woken = await wakeup.wait(waitMs ?? KEEP_ALIVE_MS)
          if (!woken && waitMs === undefined && !stream.aborted) await stream.write(': still here\n\n')
        }
      } finally {
        watch.close()
        unsubscribeLines()
        unsubscribe()
        stopping.removeEventListener('abort', stop)
        onEnd()
      }
    },
    error => {
      log.warn('event stream failed', { err: error })
      return Promise.resolve()
    },
  )
}

/** The services whose lines have changed since the last event. */
class ChangedLines {
  readonly #onReady: () => void
  readonly #services = new Set<string>()
  #more = false

  constructor(onReady: () => void) {
    this.#onReady = onReady
  }

  get isEmpty(): boolean {
    return this.#services.size === 0
  }

  add(service: string): void {
    if (this.#services.size < MAX_SERVICES) this.#services.add(service)
    else this.#more ||= !this.#services.has(service)
    this.#onReady()
  }

  /** Returns the services, and clears the set. `more`: lines of further services have changed too. */
  take(): { readonly services: readonly string[]; readonly more: boolean } {
    const taken = { services: [...this.#services], more: this.#more }
    this.#services.clear()
    this.#more = false
    return taken
  }
}
