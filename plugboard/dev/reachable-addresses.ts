// Finds the addresses by which this machine and other machines reach the public port of `plugboard dev`. The banner and the
// Telephone of `plugboard dev` use them.

import { type AddressInfo, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

/** `machine`: no other machine can connect. */
export type Reach = 'machine' | 'network'

export function reachOf(addresses: readonly AddressInfo[]): Reach {
  return addresses.every(({ address }) => isLoopback(address)) ? 'machine' : 'network'
}

/** Returns a URL of the public port that works on this machine. */
export function localUrl(addresses: readonly AddressInfo[]): string {
  const local = addresses.find(({ address }) => isLoopback(address) || isWildcard(address)) ?? addresses[0]
  if (local === undefined) throw new Error('The public port has no address.')
  return `http://${isWildcard(local.address) ? '127.0.0.1' : inUrl(local.address)}:${local.port}`
}

/** Returns an address of this machine for other machines, IPv4 before IPv6; undefined without a network. */
export function networkAddress(interfaces = networkInterfaces()): string | undefined {
  const outside = Object.values(interfaces)
    .flatMap(addresses => addresses ?? [])
    // A link-local address of IPv6 needs a zone, which URLs of browsers do not have.
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
  const found = outside.find(({ family }) => family === 'IPv4') ?? outside[0]
  return found === undefined ? undefined : inUrl(found.address)
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.')
const isWildcard = (address: string): boolean => address === '::' || address === '0.0.0.0'
const inUrl = (address: string): string => (isIPv6(address) ? `[${address}]` : address)
