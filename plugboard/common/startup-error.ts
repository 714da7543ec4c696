// The error that prevents the start of Plugboard: one line for the person who started it. The command line prints the message
// without a stack and exits with 1. `cause` is for debug logs.

export class StartupError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StartupError'
  }
}

/** Returns the `code` of a system or Postgres error (`ENOENT`, `57P03`), if it has one. */
export function errorCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Translates an error of the file system about a folder of Plugboard. Returns any other error unchanged. */
export function folderError(folder: string, error: unknown): unknown {
  switch (errorCodeOf(error)) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StartupError(`The data folder ${folder} is not writable.`, error)
    case 'ENOSPC':
    case 'EDQUOT':
      return new StartupError(`The disk that holds ${folder} is full.`, error)
    case 'ENOENT':
    case 'ENAMETOOLONG':
    case 'ELOOP':
      return new StartupError(
        `The data folder ${folder} cannot be made (${errorCodeOf(error)}): choose another.`,
        error,
      )
    case 'ENOTDIR':
    case 'EEXIST':
      return new StartupError(`The data folder ${folder} cannot be made: a file is in its place.`, error)
    default:
      return error
  }
}
