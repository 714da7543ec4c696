// The life of the process between its start and a signal.

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * Resolves at SIGTERM or SIGINT with its name, or when the parent that has opened a channel to us is gone. A second
 * signal ends the process at once with 128 + its number, as a shell would report it.
 */
export function untilStopped(): Promise<string> {
  return new Promise(resolve => {
    let stopping = false
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (stopping) process.exit(signal === 'SIGTERM' ? 143 : 130)
        stopping = true
        resolve(signal)
      })
    }
    if (process.channel === undefined || process.channel === null) return
    process.once('disconnect', () => {
      stopping = true
      resolve('disconnect')
    })
    // Listening would keep the process alive for the parent's sake.
    process.channel.unref()
  })
}
