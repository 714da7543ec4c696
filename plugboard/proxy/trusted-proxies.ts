// Which peers may say who the client is: `trustedProxies`, a list of addresses and CIDR ranges.

import { type BlockList, isIP } from 'node:net'
import { blockListOf } from '../routes/cidr.ts'
import { addressOf } from './forwarded-elements.ts'

/** Takes the IPv6 coat off an IPv4 address that came in through a dual-stack socket. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return 'unknown'
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

export class TrustedProxies {
  readonly #ranges: BlockList
  readonly #empty: boolean

  /** `10.0.0.0/8`, `::1`, `192.0.2.7`. Throws for a text that is not a network. */
  constructor(ranges: readonly string[]) {
    this.#empty = ranges.length === 0
    this.#ranges = blockListOf(ranges)
  }

  trusts(address: string): boolean {
    if (this.#empty) return false
    const version = isIP(address)
    return version !== 0 && this.#ranges.check(address, version === 6 ? 'ipv6' : 'ipv4')
  }

  /**
   * Who the client is: of the addresses that the peer (trusted) and those before it give, the last that is no
   * trusted proxy itself. What lies before that one, anybody may have written.
   */
  clientOf(peer: string, forwardedFor: string | undefined): string {
    if (forwardedFor === undefined) return peer
    let client = peer
    for (const written of forwardedFor.split(',').reverse()) {
      // A zone (`fe80::1%eth0`) names an interface of the machine that wrote it, in text of any length.
      const [text = ''] = written.split('%', 1)
      const address = plainAddress(addressOf(text.trim()))
      if (isIP(address) === 0) return client
      client = address
      if (!this.trusts(address)) return client
    }
    return client
  }
}
