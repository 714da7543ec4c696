// One event stream of live data: the live log, or the exchanges of a service. Items, counts of dropped items, and the replicas that are
// watched are separate events. The stream ends when its key expires or is revoked.

import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { Wakeup } from '../../../common/wakeup.ts'
import type { ObserveViewer } from '../../../observe/stream/observe-viewer.ts'
import { isExpired } from '../../access/credential-state.ts'
import { isKeyRevoked } from '../../access/is-key-revoked.ts'
import type { AdminDependencies, AdminEnv, LiveWatch } from '../../admin-env.ts'
import { LiveViewer } from './live-viewer.ts'

/** Time between comments. The comments prevent proxies from closing an idle stream. */
const KEEP_ALIVE_MS = 15_000
/** Time for which the state of the replicas is not computed again, ms. */
const REPLICAS_MS = 500

export interface LiveStreamOptions {
  /** The name of the event of an item. */
  readonly event: string
  readonly watch: (viewer: ObserveViewer) => LiveWatch
  readonly stopping: AbortSignal
  readonly onEnd: () => void
}

export function streamLive(
  c: Context<AdminEnv>,
  { clock, directory, store }: Pick<AdminDependencies, 'clock' | 'directory' | 'store'>,
  options: LiveStreamOptions,
): Response {
  const key = c.get('key')
  const log = c.get('log')
  const wakeup = new Wakeup(clock)
  const stop = (): void => wakeup.wake()
  options.stopping.addEventListener('abort', stop, { once: true })
  const viewer = new LiveViewer(stop)
  const watch = options.watch(viewer)
  // A change of any row may be the revocation of the key.
  let keyMayHaveChanged = false
  const unsubscribe = directory.subscribe({
    applied: () => {
      keyMayHaveChanged = true
      wakeup.wake()
    },
  })
  const isRevoked = async (): Promise<boolean> => {
    if (!keyMayHaveChanged) return false
    keyMayHaveChanged = false
    return await isKeyRevoked(store, key.id)
  }

  return streamSSE(
    c,
    async stream => {
      stream.onAbort(stop)
      let replicas = ''
      let replicasAtMs = Number.NEGATIVE_INFINITY
      let isBehind = false
      try {
        await stream.write(`: ${options.event}s follow\n\n`)
        while (!stream.aborted && !options.stopping.aborted && !isExpired(key, clock)) {
          if (await isRevoked()) return
          isBehind ||= viewer.takeReplicasChanged()
          if (isBehind && clock.now() - replicasAtMs >= REPLICAS_MS) {
            isBehind = false
            replicasAtMs = clock.now()
            const text = JSON.stringify(watch.replicas())
            if (text !== replicas) await stream.writeSSE({ event: 'replicas', data: text })
            replicas = text
          }
          for (const data of viewer.takeItems()) await stream.writeSSE({ event: options.event, data })
          for (const dropped of viewer.takeDropped()) {
            await stream.writeSSE({ event: 'dropped', data: JSON.stringify(dropped) })
          }
          const woken = await wakeup.wait(isBehind ? REPLICAS_MS : KEEP_ALIVE_MS)
          if (!woken && !isBehind && !stream.aborted) await stream.write(': still here\n\n')
        }
      } finally {
        watch.close()
        unsubscribe()
        options.stopping.removeEventListener('abort', stop)
        options.onEnd()
      }
    },
    error => {
      log.warn('event stream failed', { err: error })
      return Promise.resolve()
    },
  )
}
