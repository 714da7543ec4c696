// Runs a server process from its start until a signal.

import type { Logger } from '@vera-stack/shared/log.ts'

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * Starts, waits for SIGTERM or SIGINT, then stops. A signal during the start aborts it: `start` stops the parts that it has
 * started, such as an embedded database, and rejects. A second signal ends the process at once with the exit code 128 + its
 * number, as shells report it.
 */
export async function untilStopped(
  log: Logger,
  start: (signal: AbortSignal) => Promise<{ stop(): Promise<void> }>,
): Promise<void> {
  const first = Promise.withResolvers<NodeJS.Signals>()
  const starting = new AbortController()
  let stopping = false
  const heard = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(signal === 'SIGTERM' ? 143 : 130)
    stopping = true
    first.resolve(signal)
    starting.abort()
  }
  for (const signal of SIGNALS) process.on(signal, heard)
  try {
    const server = await start(starting.signal)
    const signal = await first.promise
    log.info('stopping', { signal })
    await server.stop()
    log.info('stopped')
  } catch (error) {
    if (!starting.signal.aborted || error !== starting.signal.reason) throw error
    log.info('stopped before the start completed')
  } finally {
    for (const signal of SIGNALS) process.removeListener(signal, heard)
  }
}
