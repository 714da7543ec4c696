// The peers that may report the address of the client: `trustedProxies`, a list of addresses and CIDR ranges.

import { ipAddress } from '@vera-stack/shared/net/ip-address.ts'
import { IpNetworks } from '../../common/net/ip-networks.ts'
import { addressOf } from '../edge/forwarded-elements.ts'

export class TrustedProxies {
  readonly #ranges: IpNetworks
  readonly #empty: boolean

  /** `10.0.0.0/8`, `::1`, `192.0.2.7`. Throws for a text that is not a network. */
  constructor(ranges: readonly string[]) {
    this.#empty = ranges.length === 0
    this.#ranges = new IpNetworks(ranges)
  }

  trusts(address: string): boolean {
    return !this.#empty && this.#ranges.has(address)
  }

  /**
   * Returns the client's address: the last address in X-Forwarded-For that is not a trusted proxy. An untrusted client can
   * forge the addresses before it. `peer`: the trusted proxy that sent the request.
   */
  clientOf(peer: string, forwardedFor: string | undefined): string {
    if (forwardedFor === undefined) return peer
    let client = peer
    for (const written of forwardedFor.split(',').reverse()) {
      const address = ipAddress(addressOf(written.trim()))
      if (address === undefined) return client
      client = address
      if (!this.trusts(address)) return client
    }
    return client
  }
}
