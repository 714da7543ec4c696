// A failure that the command line prints in one line, without a stack.

export class CliError extends Error {
  /** 1: the command failed; 2: the usage was wrong. */
  readonly exitCode: 1 | 2

  constructor(message: string, options: { exitCode?: 1 | 2; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CliError'
    this.exitCode = options.exitCode ?? 1
  }
}

export const usageError = (message: string): CliError => new CliError(message, { exitCode: 2 })

/** Ends a command with an exit code and without a message: the output of the command has the reason. */
export class ExitStatus extends Error {
  readonly exitCode: number

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`)
    this.name = 'ExitStatus'
    this.exitCode = exitCode
  }
}
