// Several addresses for one listener, such as loopback by IPv4 and by IPv6; and the check of all addresses of a replica
// before the start does something that takes time or leaves files behind.

import { type AddressInfo, createServer, type Server } from 'node:net'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { ListenAddress } from '@vera-stack/shared/settings.ts'
import { errorCodeOf, StartupError } from '../../common/startup-error.ts'
import { addressText, DENIED, listenError } from './listen-error.ts'

/** The addresses of one setting, and the flag of this setting. */
export interface ListenTarget {
  readonly addresses: readonly ListenAddress[]
  readonly flag: string
}

/** Addresses that exist on each machine that has their address family. */
const OF_EACH_MACHINE: ReadonlySet<string | undefined> = new Set(['127.0.0.1', '0.0.0.0', '::1', '::'])

/**
 * Opens the addresses in order. An address of a family that this machine lacks (no IPv6) is left out and logged; the other
 * addresses serve. Addresses with port 0 share the port that the first one got. Rejects with StartupError when an address
 * cannot be opened, and with other errors of `open` as they are.
 */
export async function openAddresses(
  { addresses, flag }: ListenTarget,
  log: Logger,
  open: (address: ListenAddress) => Promise<AddressInfo>,
): Promise<readonly AddressInfo[]> {
  const opened: AddressInfo[] = []
  let missing: unknown
  for (const address of addresses) {
    const port = address.port === 0 ? (opened[0]?.port ?? 0) : address.port
    try {
      opened.push(await open({ ...address, port }))
    } catch (error) {
      const translated = listenError(error, address, flag)
      if (addresses.length === 1 || !lacksFamily(error, address)) throw translated
      missing = translated
      log.info('an address is left out, because this machine lacks its family', {
        address: addressText(address),
        code: errorCodeOf(error),
      })
    }
  }
  if (opened.length === 0) throw missing
  return opened
}

/**
 * Throws one StartupError for all listeners that cannot be opened. It names the first address of each that fails. After this
 * check, another process may still take a port.
 */
export async function checkAddresses(targets: readonly ListenTarget[]): Promise<void> {
  const servers: Server[] = []
  const problems: string[] = []
  try {
    for (const { addresses, flag } of targets) {
      for (const address of addresses) {
        const error = await bindFailure(address, servers)
        if (error === undefined || (addresses.length > 1 && lacksFamily(error, address))) continue
        const translated = listenError(error, address, flag)
        if (!(translated instanceof StartupError)) throw translated
        problems.push(withoutRepetition(translated.message, problems))
        break
      }
    }
  } finally {
    await Promise.all(servers.map(close))
  }
  if (problems.length > 0) throw new StartupError(problems.join(' '))
}

/** The advice about privileges is long, and the same for all ports. */
function withoutRepetition(message: string, before: readonly string[]): string {
  const [first, ...advice] = message.split(DENIED)
  return advice.length > 0 && before.some(text => text.includes(DENIED))
    ? `${first}${DENIED} either.`
    : message
}

function lacksFamily(error: unknown, { host }: ListenAddress): boolean {
  const code = errorCodeOf(error)
  return code === 'EAFNOSUPPORT' || (code === 'EADDRNOTAVAIL' && OF_EACH_MACHINE.has(host))
}

/** Adds the server to `servers` when the address could be opened. */
function bindFailure({ host, port }: ListenAddress, servers: Server[]): Promise<Error | undefined> {
  if (port === 0) return Promise.resolve(undefined)
  // A client that connects in this moment has to connect again.
  const server = createServer(socket => socket.destroy())
  return new Promise(resolve => {
    server.once('error', resolve)
    server.listen({ port, host, exclusive: true }, () => {
      servers.push(server)
      resolve(undefined)
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise(resolve => server.close(() => resolve()))
}
