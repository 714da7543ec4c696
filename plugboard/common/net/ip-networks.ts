// Parses the networks of rules and settings: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`. An IPv4 network in its IPv6 form
// (`::ffff:10.0.0.0/104`) counts as that IPv4 network. All other IPv6 networks contain only IPv6 addresses: `::/0` covers all
// of IPv6, and no IPv4 address.

import { BlockList, isIP, isIPv4 } from 'node:net'
import { ipAddress } from '@vera-stack/shared/net/ip-address.ts'

/** The number of bits before the IPv4 address in its IPv6 form. */
const MAPPED_BITS = 96

export interface IpNetwork {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/** Returns the network, or undefined when the text is not an address and not a network. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const slash = text.indexOf('/')
  const written = slash === -1 ? text : text.slice(0, slash)
  const address = written.includes('%') ? undefined : ipAddress(written)
  if (address === undefined) return undefined
  const bits = isIP(written) === 6 ? 128 : 32
  const length = slash === -1 ? String(bits) : text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits) return undefined
  const prefix = Number(length)
  if (!isIPv4(address)) return { address, prefix, family: 'ipv6' }
  if (bits === 32) return { address, prefix, family: 'ipv4' }
  return prefix < MAPPED_BITS ? undefined : { address, prefix: prefix - MAPPED_BITS, family: 'ipv4' }
}

export class IpNetworks {
  // Node's list would find an IPv4 address in `::/0` too, so each family has a list of its own.
  readonly #lists = { ipv4: new BlockList(), ipv6: new BlockList() }

  /** Throws for a text that is not a network. */
  constructor(networks: readonly string[]) {
    for (const text of networks) {
      const network = parseNetwork(text)
      if (network === undefined) throw new Error(`"${text}" is not an address or a network`)
      this.#lists[network.family].addSubnet(network.address, network.prefix, network.family)
    }
  }

  /** True when one of the networks contains the address, in any of its forms. False for a text that is not an address. */
  has(text: string): boolean {
    const address = mayHaveOtherForm(text) ? ipAddress(text) : text
    switch (address === undefined ? 0 : isIP(address)) {
      case 4:
        return this.#lists.ipv4.check(address as string, 'ipv4')
      case 6:
        return this.#lists.ipv6.check(address as string, 'ipv6')
      default:
        return false
    }
  }
}

/** True when the text can have a zone, or be an IPv4 address in its IPv6 form. Nearly all addresses have one form only. */
function mayHaveOtherForm(text: string): boolean {
  return text.startsWith(':') || text.startsWith('0') || text.includes('%')
}
