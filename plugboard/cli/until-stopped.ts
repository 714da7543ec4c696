// The life of a server process between its start and a signal.

import type { Logger } from '@vera-stack/shared/log.ts'

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * Waits for SIGTERM or SIGINT, then for `stop`. A second signal ends the process at once with 128 + its number, as a
 * shell would report it.
 */
export async function untilStopped(log: Logger, stop: () => Promise<void>): Promise<void> {
  const first = Promise.withResolvers<NodeJS.Signals>()
  let stopping = false
  const heard = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(signal === 'SIGTERM' ? 143 : 130)
    stopping = true
    first.resolve(signal)
  }
  for (const signal of SIGNALS) process.on(signal, heard)
  try {
    const signal = await first.promise
    log.info('stopping', { signal })
    await stop()
    log.info('stopped')
  } finally {
    for (const signal of SIGNALS) process.removeListener(signal, heard)
  }
}
