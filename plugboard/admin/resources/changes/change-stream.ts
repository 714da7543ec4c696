// One event stream of changes. The directory reports that new changes exist. The stream then reads them from the change log, in
// order and without gaps, also after it missed reports. A gap in the log itself becomes an event. A slow reader does not slow other
// readers.

import type { Context } from 'hono'
import type { ReadPosition } from '../../../database/store/changes/log-gap.ts'
import type { ChangeFilters } from '../../../database/store/store.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { eventStream, KEEP_ALIVE_MS } from '../../http/event-stream.ts'
import { positionOf } from './change-query.ts'
import { changeEvents, changeReader } from './change-reader.ts'

export function streamChanges(
  c: Context<AdminEnv>,
  deps: Pick<AdminDependencies, 'store' | 'directory' | 'clock'>,
  options: {
    readonly after: ReadPosition
    readonly filters: ChangeFilters
    readonly stopping: AbortSignal
    readonly onEnd: () => void
  },
): Response {
  const { store, directory, clock } = deps
  const { after, filters, stopping, onEnd } = options
  const read = changeReader({ store, filters, keyId: c.get('key').id })
  return eventStream(c, { comment: 'changes follow', clock, stopping, onEnd }, wake => {
    const unsubscribe = directory.subscribe({ applied: wake })
    let last = after
    return {
      async write(stream) {
        const next = await read(last)
        for (const event of changeEvents(next)) await stream.writeSSE(event)
        last = next.through
        if (next.isRevoked) return undefined
        return next.more ? 0 : KEEP_ALIVE_MS
      },
      close: unsubscribe,
      // The id moves a client with filters on, so that it does not read changes again that do not fit.
      idleLines: () => `id: ${positionOf(last)}\n`,
    }
  })
}
