// One event stream of live data: the live log, or the exchanges of a service. Items, counts of dropped items, and the replicas that are
// watched are separate events. The stream ends when its key expires or is revoked.

import type { Context } from 'hono'
import type { ObserveViewer } from '../../../observe/stream/observe-viewer.ts'
import { isKeyRevoked } from '../../access/is-key-revoked.ts'
import type { AdminDependencies, AdminEnv, LiveWatch } from '../../admin-env.ts'
import { eventStream, KEEP_ALIVE_MS } from '../../http/event-stream.ts'
import { LiveViewer } from './live-viewer.ts'

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
  const { event, stopping, onEnd } = options
  return eventStream(c, { comment: `${event}s follow`, clock, stopping, onEnd }, wake => {
    const viewer = new LiveViewer(wake)
    const watch = options.watch(viewer)
    // A change of any row may be the revocation of the key.
    let keyMayHaveChanged = false
    const unsubscribe = directory.subscribe({
      applied: () => {
        keyMayHaveChanged = true
        wake()
      },
    })
    const isRevoked = async (): Promise<boolean> => {
      if (!keyMayHaveChanged) return false
      keyMayHaveChanged = false
      return await isKeyRevoked(store, key.id)
    }
    let replicas = ''
    let replicasAtMs = Number.NEGATIVE_INFINITY
    let isBehind = false
    return {
      async write(stream) {
        if (await isRevoked()) return undefined
        isBehind ||= viewer.takeReplicasChanged()
        if (isBehind && clock.now() - replicasAtMs >= REPLICAS_MS) {
          isBehind = false
          replicasAtMs = clock.now()
          const text = JSON.stringify(watch.replicas())
          if (text !== replicas) await stream.writeSSE({ event: 'replicas', data: text })
          replicas = text
        }
        for (const data of viewer.takeItems()) await stream.writeSSE({ event, data })
        for (const dropped of viewer.takeDropped()) {
          await stream.writeSSE({ event: 'dropped', data: JSON.stringify(dropped) })
        }
        return isBehind ? REPLICAS_MS : KEEP_ALIVE_MS
      },
      close() {
        watch.close()
        unsubscribe()
      },
    }
  })
}
