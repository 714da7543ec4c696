// Addresses and networks as people write them in rules and settings: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`. An IPv4
// network in its IPv6 coat (`::ffff:10.0.0.0/104`) is the IPv4 network that it means.

import { BlockList, isIP } from 'node:net'

export interface Network {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/** Undefined: it is neither an address nor a network. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/')
  const address = slash === -1 ? text : text.slice(0, slash)
  const version = address.includes('%') ? 0 : isIP(address)
  const bits = version === 6 ? 128 : 32
  const written = slash === -1 ? String(bits) : text.slice(slash + 1)
  if (version === 0 || !/^\d{1,3}$/.test(written) || Number(written) > bits) return undefined
  const prefix = Number(written)
  const inner = version === 6 ? /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] : undefined
  if (inner !== undefined) {
    return prefix < 96 ? undefined : { address: inner, prefix: prefix - 96, family: 'ipv4' }
  }
  return { address, prefix, family: version === 6 ? 'ipv6' : 'ipv4' }
}

/** Returns a list that finds the addresses of all these networks. Throws for a text that is not a network. */
export function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of networks) {
    const network = parseNetwork(text)
    if (network === undefined) throw new Error(`"${text}" is not an address or a network`)
    list.addSubnet(network.address, network.prefix, network.family)
  }
  return list
}
