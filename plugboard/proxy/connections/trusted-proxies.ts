// The peers that may report the address of the client: `trustedProxies`, a list of addresses and CIDR ranges.

import { ipAddress } from '@vera-stack/shared/net/ip-address.ts'
import { IpNetworks } from '../../common/net/ip-networks.ts'
import { addressOf } from '../edge/forwarded-elements.ts'

/** The requests of one network of trusted proxies since the start. */
export class ProxyUse {
  /** As in the setting. */
  readonly network: string
  readonly #range: IpNetworks
  requests = 0
  /** True once a request had X-Forwarded-* or Forwarded. */
  sendsFields = false

  constructor(network: string) {
    this.network = network
    this.#range = new IpNetworks([network])
  }

  has(address: string): boolean {
    return this.#range.has(address)
  }

  /** `hasFields`: the request has a field about the client. */
  note(hasFields: boolean): void {
    this.requests += 1
    if (hasFields) this.sendsFields = true
  }
}

export class TrustedProxies {
  /** One for each entry of the setting. */
  readonly uses: readonly ProxyUse[]
  readonly #ranges: IpNetworks
  readonly #empty: boolean

  /** `10.0.0.0/8`, `::1`, `192.0.2.7`. Throws for a text that is not a network. */
  constructor(ranges: readonly string[]) {
    this.#empty = ranges.length === 0
    this.#ranges = new IpNetworks(ranges)
    this.uses = ranges.map(range => new ProxyUse(range))
  }

  trusts(address: string): boolean {
    return !this.#empty && this.#ranges.has(address)
  }

  /** Returns the record of the first network with this address. Call it once for each connection. */
  useOf(address: string): ProxyUse | undefined {
    return this.uses.find(use => use.has(address))
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
