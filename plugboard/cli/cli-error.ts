// A failure that a person at a terminal is told in one line, without a stack.

export class CliError extends Error {
  /** 1: it did not work; 2: it was asked for wrongly. */
  readonly exitCode: 1 | 2

  constructor(message: string, options: { exitCode?: 1 | 2; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CliError'
    this.exitCode = options.exitCode ?? 1
  }
}

export const usageError = (message: string): CliError => new CliError(message, { exitCode: 2 })
