// The client addresses that may use a route. `deny` takes precedence over `allow`. With an `allow`, all other addresses are
// refused. Every rule refuses a text that is not an address.

import { ipAddress } from '@vera-stack/shared/net/ip-address.ts'
import { IpNetworks } from '../common/net/ip-networks.ts'

export class AddressRules {
  readonly #allow: IpNetworks | undefined
  readonly #deny: IpNetworks | undefined

  constructor(allow: readonly string[] | undefined, deny: readonly string[] | undefined) {
    this.#allow = allow && new IpNetworks(allow)
    this.#deny = deny && new IpNetworks(deny)
  }

  permit(client: string): boolean {
    if (this.#allow === undefined && ipAddress(client) === undefined) return false
    if (this.#deny?.has(client) === true) return false
    return this.#allow?.has(client) ?? true
  }
}
