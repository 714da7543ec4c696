// Which client addresses may use a route. `deny` wins over `allow`; with an `allow` everything else is out. An address that
// cannot be told is out whenever there is a rule.

import { type BlockList, isIP } from 'node:net'
import { blockListOf } from '../routes/cidr.ts'

export class AddressRules {
  readonly #allow: BlockList | undefined
  readonly #deny: BlockList | undefined

  constructor(allow: readonly string[] | undefined, deny: readonly string[] | undefined) {
    this.#allow = allow && blockListOf(allow)
    this.#deny = deny && blockListOf(deny)
  }

  permit(client: string): boolean {
    // A zone (`fe80::1%eth0`) says where we saw it, not who it is.
    const zone = client.indexOf('%')
    const address = zone === -1 ? client : client.slice(0, zone)
    const version = isIP(address)
    if (version === 0) return false
    // An IPv4 address in its IPv6 coat is found in the lists of IPv4 by BlockList itself.
    const family = version === 6 ? 'ipv6' : 'ipv4'
    if (this.#deny?.check(address, family) === true) return false
    return this.#allow?.check(address, family) ?? true
  }
}
