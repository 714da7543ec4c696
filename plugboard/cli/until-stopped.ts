// The life of a server process from its start to a signal.

import type { Logger } from '@vera-stack/shared/log.ts'

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * Starts, waits for SIGTERM or SIGINT, then stops. A signal that comes during the start takes effect after it:
 * what is half started (an embedded database, say) would otherwise be left behind. A second signal ends the
 * process at once with 128 + its number, as a shell would report it.
 */
export async function untilStopped(
  log: Logger,
  start: () => Promise<{ stop(): Promise<void> }>,
): Promise<void> {
  const first = Promise.withResolvers<NodeJS.Signals>()
  let stopping = false
  const heard = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(signal === 'SIGTERM' ? 143 : 130)
    stopping = true
    first.resolve(signal)
  }
  for (const signal of SIGNALS) process.on(signal, heard)
  try {
    const server = await start()
    const signal = await first.promise
    log.info('stopping', { signal })
    await server.stop()
    log.info('stopped')
  } finally {
    for (const signal of SIGNALS) process.removeListener(signal, heard)
  }
}
