// The one place where IP addresses are read. Each address has one form: IPv4 in dotted decimals, IPv6 as RFC 5952 writes it,
// without a zone, and an IPv4 address in its IPv6 form (::ffff:0:0/96) as the IPv4 address. So two texts of one address are
// compared, counted and logged alike.

import { isIPv4, isIPv6, SocketAddress } from 'node:net'

const MAPPED = '::ffff:'

/** Returns the one form of an address. A zone (`fe80::1%eth0`) is left out. Undefined: the text is not an address. */
export function ipAddress(text: string): string | undefined {
  if (!text.includes(':')) return isIPv4(text) ? text : undefined
  const zone = text.indexOf('%')
  const address = zone === -1 ? text : text.slice(0, zone)
  if (!isIPv6(address)) return undefined
  return withoutMapping(ipv6Spelling(address))
}

/** Returns an IPv6 address as RFC 5952 writes it. An IPv4 address in its IPv6 form keeps that form. `address`: without a zone. */
export const ipv6Spelling = (address: string): string =>
  new SocketAddress({ address, family: 'ipv6' }).address

/** Returns the one form of the address of a socket. Returns `unknown` when the socket has no address. */
export function socketAddress(address: string | undefined): string {
  return address === undefined ? 'unknown' : withoutMapping(address)
}

function withoutMapping(address: string): string {
  return address.startsWith(MAPPED) && address.includes('.') ? address.slice(MAPPED.length) : address
}

/** Returns the eight groups of an IPv6 address in its one form. */
export function ipv6Groups(address: string): number[] {
  const [before = '', after] = address.split('::')
  const first = groupsOf(before)
  const last = after === undefined ? [] : groupsOf(after)
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last]
}

/** Returns the groups in a part of an address. A part such as `1.2.3.4` in `::1.2.3.4` has two groups. */
function groupsOf(part: string): number[] {
  if (part === '') return []
  return part.split(':').flatMap(group => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}

/** Returns the IPv4 address in the last two of eight groups. */
export function ipv4InGroups(groups: readonly number[]): string {
  return groups
    .slice(6)
    .flatMap(group => [group >> 8, group & 0xff])
    .join('.')
}
