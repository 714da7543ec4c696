// Writes the output of a command to stdout and stderr. When a reader closes the pipe early (`… | head`), the output stops but
// the command continues, so an import is complete. Other faults of stdout, such as a full disk, lead to exit code 1.

export interface StandardOutput {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** Aborted when the reader closes stdout. A command that only prints, such as `--follow`, then ends. */
  readonly closed: AbortSignal
}

/** Handles the `error` events of stdout and stderr, so call it once per process. Each error line starts with `program`. */
export function openStandardOutput(program: string): StandardOutput {
  const closed = new AbortController()
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (closed.signal.aborted) return
    closed.abort()
    if (error.code === 'EPIPE') return
    process.exitCode = 1
    process.stderr.write(`${program}: stdout cannot be written (${error.code ?? error.message})\n`)
  })
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    // When stderr fails, only the exit code can report a fault.
    if (error.code !== 'EPIPE') process.exitCode = 1
  })
  return {
    out: text => {
      if (!closed.signal.aborted) process.stdout.write(text)
    },
    err: text => {
      process.stderr.write(text)
    },
    closed: closed.signal,
  }
}
