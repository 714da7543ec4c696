// The event stream of the dashboard: the traffic of each second, changed lines, and changes of rows. So a page needs only one connection.
// The stream ends when its key expires or is revoked.

import type { Context } from 'hono'
import type { ReadPosition } from '../../../database/store/changes/log-gap.ts'
import { allows } from '../../access/scope.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { eventStream, KEEP_ALIVE_MS } from '../../http/event-stream.ts'
import { changeEvents, changeReader } from '../../resources/changes/change-reader.ts'
import { LiveViewer } from '../requests/live-viewer.ts'

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
  const showsChanges = allows(key.scopes, 'changes:read')
  const readChanges = changeReader({ store, filters: {}, keyId: key.id })
  return eventStream(c, { comment: 'live data follow', clock, stopping, onEnd }, wake => {
    const viewer = new LiveViewer(wake)
    const watch = liveTraffic.watch({ services: [...services] }, viewer)
    const changedLines = new ChangedLines(wake)
    const unsubscribeLines = lineChanges(service => changedLines.add(service))
    let changesMayExist = true
    const unsubscribe = directory.subscribe({
      applied: () => {
        changesMayExist = true
        wake()
      },
    })
    let last = after
    let replicas = ''
    let linesAtMs = clock.now()
    return {
      async write(stream) {
        if (changesMayExist) {
          changesMayExist = false
          const next = await readChanges(last)
          if (showsChanges) for (const event of changeEvents(next)) await stream.writeSSE(event)
          last = next.through
          if (next.isRevoked) return undefined
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
        if (changesMayExist) return 0
        if (changedLines.isEmpty) return KEEP_ALIVE_MS
        const waitMs = linesAtMs + LINES_MS - clock.now()
        if (waitMs > 0) return waitMs
        linesAtMs = clock.now()
        await stream.writeSSE({ event: 'lines', data: JSON.stringify(changedLines.take()) })
        return 0
      },
      close() {
        watch.close()
        unsubscribeLines()
        unsubscribe()
      },
    }
  })
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
