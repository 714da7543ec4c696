// Waits for the signal that stops the process.

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * Resolves with the name of the signal at SIGTERM or SIGINT. A second signal ends the process at once with the exit code 128 + its
 * number, as shells report it. With an IPC channel, the parent stops this process: the process stops when the channel closes, and
 * ignores the SIGINT that a terminal sends to both.
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
    // A listener on the channel would otherwise keep the process alive.
    process.channel?.unref()
  })
}
