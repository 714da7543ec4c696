// The life of the process between its start and a signal.

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * Resolves at SIGTERM or SIGINT with its name. A second signal ends the process at once with 128 + its number, as a
 * shell would report it. A parent that has opened a channel to us stops us itself: its end is ours, and the SIGINT of
 * a terminal, which goes to both, is left to it.
 */
export function untilStopped(): Promise<string> {
  return new Promise(resolve => {
    let stopping = false
    const hasParent = process.channel !== undefined && process.channel !== null
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (signal === 'SIGINT' && hasParent && process.connected) return
        if (stopping) process.exit(signal === 'SIGTERM' ? 143 : 130)
        stopping = true
        resolve(signal)
      })
    }
    if (!hasParent) return
    process.once('disconnect', () => {
      stopping = true
      resolve('disconnect')
    })
    // Listening would keep the process alive for the parent's sake.
    process.channel?.unref()
  })
}
