// The frame of an event stream: it writes what is new, waits until there is more, and writes a comment while nothing happens. The stream
// ends with its client, with the expiry of its key, and with the server.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Context } from 'hono'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import { Wakeup } from '../../common/wakeup.ts'
import { isExpired } from '../access/credential-state.ts'
import type { AdminEnv } from '../admin-env.ts'

/** Time between comments. The comments prevent proxies from closing an idle stream. */
export const KEEP_ALIVE_MS = 15_000

export interface EventSource {
  /** Writes what is new. Resolves with the time until the next call, ms, unless `wake` is called before; with undefined to end. */
  write(stream: SSEStreamingApi): Promise<number | undefined>
  close(): void
  /** Returns the further lines of the comment of an idle stream, each with a line break. */
  idleLines?(): string
}

export interface EventStreamOptions {
  /** The comment at the begin. */
  readonly comment: string
  readonly clock: Clock
  readonly stopping: AbortSignal
  readonly onEnd: () => void
}

/** `open`: begins to collect events, before the response. It calls `wake` when there are new ones. */
export function eventStream(
  c: Context<AdminEnv>,
  { comment, clock, stopping, onEnd }: EventStreamOptions,
  open: (wake: () => void) => EventSource,
): Response {
  const key = c.get('key')
  const log = c.get('log')
  const wakeup = new Wakeup(clock)
  const wake = (): void => wakeup.wake()
  stopping.addEventListener('abort', wake, { once: true })
  const end = (): void => {
    stopping.removeEventListener('abort', wake)
    onEnd()
  }
  let source: EventSource
  try {
    source = open(wake)
  } catch (error) {
    end()
    throw error
  }
  return streamSSE(
    c,
    async stream => {
      stream.onAbort(wake)
      try {
        await stream.write(`: ${comment}\n\n`)
        while (!stream.aborted && !stopping.aborted && !isExpired(key, clock)) {
          const waitMs = await source.write(stream)
          if (waitMs === undefined) return
          if (waitMs <= 0) continue
          const woken = await wakeup.wait(waitMs)
          if (!woken && waitMs >= KEEP_ALIVE_MS && !stream.aborted)
            await stream.write(`: still here\n${source.idleLines?.() ?? ''}\n`)
        }
      } finally {
        source.close()
        end()
      }
    },
    error => {
      log.warn('event stream failed', { err: error })
      return Promise.resolve()
    },
  )
}
