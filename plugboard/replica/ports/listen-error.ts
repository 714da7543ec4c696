// Translates the system's error about a listener into one line for the person who chose the address.

import type { ListenAddress } from '@vera-stack/shared/settings.ts'
import { StartupError } from '../../common/startup-error.ts'

/** Ports below this one need a privilege, unless the system is configured otherwise. */
const FIRST_UNPRIVILEGED_PORT = 1024

export const DENIED = ' may not be opened by this user'

/** Returns a StartupError, or an unknown error unchanged. `setting`: the flag of the setting, such as `--listen`. */
export function listenError(error: unknown, address: ListenAddress, setting: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const where = address.host === undefined ? `Port ${address.port}` : addressText(address)
  switch (code) {
    case 'EADDRINUSE':
      return new StartupError(`${where} is in use: choose another with ${setting}.`, error)
    case 'EACCES':
      return new StartupError(`${where}${DENIED}. ${privilegeAdvice(address, setting)}`, error)
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAFNOSUPPORT':
      return new StartupError(
        `${where} is not an address of this machine: choose another with ${setting}.`,
        error,
      )
    default:
      return error
  }
}

/** Returns the address as text: `127.0.0.1:4000`, `[::1]:4000`, `:4000`. */
export function addressText({ host, port }: ListenAddress): string {
  return `${host?.includes(':') ? `[${host}]` : (host ?? '')}:${port}`
}

function privilegeAdvice({ port }: ListenAddress, setting: string): string {
  const other = `choose another with ${setting}.`
  if (port >= FIRST_UNPRIVILEGED_PORT) return `Check the rules of this system for the port, or ${other}`
  if (process.platform !== 'linux')
    return `Ports below ${FIRST_UNPRIVILEGED_PORT} need root. Run it as root, or ${other}`
  return (
    `Ports below ${FIRST_UNPRIVILEGED_PORT} need a privilege. Grant it to Node: ` +
    `sudo setcap cap_net_bind_service=+ep ${process.execPath}; or to a systemd unit: ` +
    'AmbientCapabilities=CAP_NET_BIND_SERVICE; or to each process: ' +
    `sudo sysctl net.ipv4.ip_unprivileged_port_start=${port}. Or ${other}`
  )
}
