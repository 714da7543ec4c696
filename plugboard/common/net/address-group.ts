// Maps a client address to the group under which Plugboard counts its connections, requests and failed log-ins.

import { ipv6Groups, socketAddress } from '@vera-stack/shared/net/ip-address.ts'

/** Parts of an IPv6 address that make its /64. */
const NETWORK_PARTS = 4
const COLON = 0x3a
/** The prefix of IPv4 addresses that a network has translated to IPv6 (RFC 6052). */
const NAT64 = '64:ff9b::'

/**
 * Returns the group of an address. An IPv4 address is its own group, also when it is written in an IPv6 form. The group of an
 * IPv6 address is its /64, because one host can use all addresses of a /64. A text that is not an address is its own group.
 * The address has the form of `ip-address.ts`, or the form in which a socket reports it.
 */
export function addressGroup(address: string): string {
  if (!address.includes(':')) return address
  if (address.startsWith('::ffff:')) return socketAddress(address)
  if (address.startsWith(NAT64)) return address
  // The common case: the address has its first four parts in full, so it needs no parsing.
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
