// What the operating system says about a listener, as one line for the person who chose the address.

import type { ListenAddress } from '@vera-stack/shared/settings.ts'
import { StartupError } from './database/startup-error.ts'

/** `setting`: as it is spelled in a flag, `--listen`. Unknown errors are passed on as they are. */
export function listenError(error: unknown, address: ListenAddress, setting: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const where = address.host === undefined ? `Port ${address.port}` : `${address.host}:${address.port}`
  switch (code) {
    case 'EADDRINUSE':
      return new StartupError(`${where} is in use: choose another with ${setting}.`, error)
    case 'EACCES':
      return new StartupError(
        `${where} may not be opened by this user: choose another with ${setting}.`,
        error,
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartupError(
        `${where} is no address of this machine: choose another with ${setting}.`,
        error,
      )
    default:
      return error
  }
}
