// Whom an address stands for where addresses are counted: connections, requests, failed log-ins.

/** Parts of an IPv6 address that make its /64. */
const NETWORK_PARTS = 4
const COLON = 0x3a
/** Of the prefix that stands for all of IPv4 where a network translates it to IPv6 (RFC 6052). */
const NAT64 = '64:ff9b::'

/**
 * An IPv4 address stands for itself, in its IPv6 forms too; an IPv6 address for its /64, since a single host has all of that
 * to choose from. What is no address stands for itself.
 */
export function addressGroup(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:') || address.startsWith(NAT64)) return address
  // Nearly all addresses: the first four parts are all there, so that nothing has to be taken apart.
  let colons = 0
  for (let index = address.indexOf(':'); index !== -1; index = address.indexOf(':', index + 1)) {
    colons += 1
    if (colons === NETWORK_PARTS) return `${address.slice(0, index)}::/64`
    if (address.charCodeAt(index + 1) === COLON) break
  }
  const [before = '', after = ''] = (address.split('%', 1)[0] as string).split('::', 2)
  const first = before === '' ? [] : before.split(':')
  const last = after === '' ? [] : after.split(':')
  // Without `::` all eight parts are in `first`; with it, what is left out is zeros.
  const zeros = address.includes('::') ? 8 - first.length - last.length : 0
  const parts = [...first, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...last]
  return `${parts.slice(0, NETWORK_PARTS).join(':')}::/64`
}
