// Which peers may say who the client is: `trustedProxies`, a list of addresses and CIDR ranges.

import { BlockList, isIP } from 'node:net'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { addressOf } from './forwarded-elements.ts'

/** Takes the IPv6 coat off an IPv4 address that came in through a dual-stack socket. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return 'unknown'
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

export class TrustedProxies {
  readonly #ranges = new BlockList()
  readonly #empty: boolean

  /** `10.0.0.0/8`, `::1`, `192.0.2.7`. Throws VeraError `invalid_request` that names the range which is none. */
  constructor(ranges: readonly string[]) {
    this.#empty = ranges.length === 0
    for (const range of ranges) this.#add(range)
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
      const address = plainAddress(addressOf(written.trim()))
      if (isIP(address) === 0) return client
      client = address
      if (!this.trusts(address)) return client
    }
    return client
  }

  #add(range: string): void {
    const slash = range.indexOf('/')
    const address = slash === -1 ? range : range.slice(0, slash)
    const version = isIP(address)
    const bits = version === 6 ? 128 : 32
    const prefix =
      slash === -1 ? bits : /^\d{1,3}$/.test(range.slice(slash + 1)) ? +range.slice(slash + 1) : -1
    if (version === 0 || prefix < 0 || prefix > bits) {
      throw new VeraError('invalid_request', `"${range}" is neither an address nor a CIDR range`, {
        field: 'trustedProxies',
      })
    }
    this.#ranges.addSubnet(address, prefix, version === 6 ? 'ipv6' : 'ipv4')
  }
}
