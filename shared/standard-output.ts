// Writes the output of a command to stdout and stderr. A reader that closes the pipe early (`… | head`) ends the
// output, not the work: an import still runs to its end. Other faults of stdout (a full disk) end with exit code 1.

export interface StandardOutput {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** Aborted when stdout is closed by its reader. A command that only prints, such as `--follow`, then ends. */
  readonly closed: AbortSignal
}

/** Call once in a process: it handles the `error` events of stdout and stderr. `program` starts each error line. */
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
    // Without stderr, only the exit code can report a fault.
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
