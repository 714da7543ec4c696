// What an address counts as where addresses are counted: connections, requests, failed log-ins.

import { ipv6Groups, socketAddress } from '@vera-stack/shared/ip-address.ts'

/** Parts of an IPv6 address that make its /64. */
const NETWORK_PARTS = 4
const COLON = 0x3a
/** Of the prefix that stands for all of IPv4 where a network translates it to IPv6 (RFC 6052). */
const NAT64 = '64:ff9b::'

/**
 * An IPv4 address stands for itself, in its IPv6 forms too; an IPv6 address for its /64, since a single host has all of that
 * to choose from. A text that is not an address stands for itself. The address is in the form of `ip-address.ts`, or as a
 * socket has it.
 */
export function addressGroup(address: string): string {
  if (!address.includes(':')) return address
  if (address.startsWith('::ffff:')) return socketAddress(address)
  if (address.startsWith(NAT64)) return address
  // Nearly all addresses: the first four parts are all there, so that nothing has to be taken apart.
  let colons = 0
  for (let index = address.indexOf(':'); index !== -1; index = address.indexOf(':', index + 1)) {
    colons += 1
    if (colons === NETWORK_PARTS) return `${address.slice(0, index)}::/64`
    if (address.charCodeAt(index + 1) === COLON) break
  }
  return `${ipv6Groups(address.split('%', 1)[0] as string)
    .slice(0, NETWORK_PARTS)
    .map(group => group.toString(16))
    .join(':')}::/64`
}
