// Decides which addresses Plugboard may connect to when a route's options name them (`access.jwt.jwksUrl`): public
// addresses, and the networks of the setting `outboundNetworks`. Without this rule a key with `routes:write` could reach services
// that listen on loopback, and hosts of the inner network. IANA's registries of special-purpose addresses (RFC 6890)
// define which addresses are public.

import { isIPv4 } from 'node:net'
import { ipAddress, ipv4InGroups, ipv6Groups } from '@vera-stack/shared/net/ip-address.ts'
import { IpNetworks } from '../../common/net/ip-networks.ts'

const NOT_PUBLIC_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
/** Within 2000::/3; no other IPv6 address is public. Teredo (in 2001::/23) and 6to4 (2002::/16) lead to IPv4 addresses. */
const NOT_PUBLIC_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']
const LOOPBACK = ['127.0.0.0/8', '::1']

const notPublic = new IpNetworks([...NOT_PUBLIC_IPV4, ...NOT_PUBLIC_IPV6])
const globalUnicast = new IpNetworks(['2000::/3'])
const loopback = new IpNetworks(LOOPBACK)
const nat64 = new IpNetworks(['64:ff9b::/96'])

/** Decides whether a connection to an address is allowed. */
export type AllowedNetworks = Pick<OutboundNetworks, 'problemOf'>

/** For a URL from the settings. The operator has chosen it, so every network is allowed. */
export const ANY_NETWORK: AllowedNetworks = { problemOf: () => undefined }

export class OutboundNetworks {
  readonly #allowed: IpNetworks

  /** `allowed` are networks and addresses that are allowed in addition to public ones. */
  constructor(allowed: readonly string[]) {
    this.#allowed = new IpNetworks(allowed)
  }

  /** Returns undefined when connections to the address are allowed; otherwise the problem and its remedy. */
  problemOf(address: string): string | undefined {
    const plain = ipAddress(address)
    if (plain !== undefined && (this.#allowed.has(plain) || this.#isPublic(plain))) return undefined
    return `${address} is not a public address: add its network to the setting outboundNetworks to allow it`
  }

  /**
   * Returns the problem of a host in a URL, by its text only: the addresses of a name are checked when the connection is opened.
   * Returns undefined when the text shows no problem.
   */
  problemOfHost(hostname: string): string | undefined {
    const host = hostname.replace(/^\[|\]$/g, '')
    const addresses = /^(?:.+\.)?localhost\.?$/.test(host) ? ['127.0.0.1', '::1'] : [host]
    const problems = addresses
      .filter(address => ipAddress(address) !== undefined)
      .map(address => this.problemOf(address))
    return problems.includes(undefined) ? undefined : problems[0]
  }

  #isPublic(address: string): boolean {
    if (isIPv4(address)) return !notPublic.has(address)
    const translated = ipv4BehindNat64(address)
    if (translated !== undefined) return this.problemOf(translated) === undefined
    return globalUnicast.has(address) && !notPublic.has(address)
  }
}

export function isLoopback(address: string): boolean {
  const plain = ipAddress(address)
  return plain !== undefined && loopback.has(plain)
}

/** Returns the IPv4 address behind the NAT64 prefix (RFC 6052), through which hosts without IPv4 reach IPv4 addresses. */
function ipv4BehindNat64(address: string): string | undefined {
  return nat64.has(address) ? ipv4InGroups(ipv6Groups(address)) : undefined
}
