// Decides which addresses Plugboard may connect to when a route's options name them (`access.jwt.jwksUrl`): public
// addresses, and the networks of the setting `outboundNetworks`. Without this rule a key with `routes:write` could reach services
// that listen on loopback, and hosts of the inner network. IANA's registries of special-purpose addresses (RFC 6890)
// define which addresses are public.

import { type BlockList, isIPv4, isIPv6 } from 'node:net'
import { blockListOf } from './cidr.ts'

const NOT_PUBLIC_IPV4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24'],
  ...['203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
]
/** Within 2000::/3; no other IPv6 address is public. Teredo (in 2001::/23) and 6to4 (2002::/16) lead to IPv4 addresses. */
const NOT_PUBLIC_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']
const LOOPBACK = ['127.0.0.0/8', '::1']

const notPublic = blockListOf([...NOT_PUBLIC_IPV4, ...NOT_PUBLIC_IPV6])
const globalUnicast = blockListOf(['2000::/3'])
const loopback = blockListOf(LOOPBACK)

export class OutboundNetworks {
  readonly #allowed: BlockList

  /** `allowed`: networks and addresses besides public ones. */
  constructor(allowed: readonly string[]) {
    this.#allowed = blockListOf(allowed)
  }

  /** Returns undefined when the address may be connected to; else the problem, and what to do. */
  problemOf(address: string): string | undefined {
    const plain = plainAddress(address)
    if (plain !== undefined && (contains(this.#allowed, plain) || this.#isPublic(plain))) return undefined
    return `${address} is not a public address: add its network to the setting outboundNetworks to allow it`
  }

  /**
   * Returns the problem of a host in a URL, as far as its text shows one: a name is looked up when the connection is
   * made. Undefined: there is no problem to see.
   */
  problemOfHost(hostname: string): string | undefined {
    const host = hostname.replace(/^\[|\]$/g, '')
    const addresses = /^(?:.+\.)?localhost\.?$/.test(host) ? ['127.0.0.1', '::1'] : [host]
    const problems = addresses
      .filter(address => plainAddress(address) !== undefined)
      .map(address => this.problemOf(address))
    return problems.includes(undefined) ? undefined : problems[0]
  }

  #isPublic(address: string): boolean {
    if (isIPv4(address)) return !contains(notPublic, address)
    const translated = ipv4BehindNat64(address)
    if (translated !== undefined) return this.problemOf(translated) === undefined
    return contains(globalUnicast, address) && !contains(notPublic, address)
  }
}

export function isLoopback(address: string): boolean {
  const plain = plainAddress(address)
  return plain !== undefined && contains(loopback, plain)
}

/** Returns the one form in which lists find an address: without zone, and IPv4 never in IPv6 form. Undefined: not an address. */
function plainAddress(address: string): string | undefined {
  if (isIPv4(address)) return address
  const zone = address.indexOf('%')
  const text = zone === -1 ? address : address.slice(0, zone)
  if (!isIPv6(text)) return undefined
  const groups = groupsOf(text)
  const mapped = groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff
  return mapped ? ipv4Of(groups) : text
}

/** The well-known prefix of RFC 6052, 64:ff9b::/96, by which hosts without IPv4 reach IPv4 addresses. */
function ipv4BehindNat64(address: string): string | undefined {
  const groups = groupsOf(address)
  const prefix = [0x64, 0xff9b, 0, 0, 0, 0]
  return prefix.every((group, index) => groups[index] === group) ? ipv4Of(groups) : undefined
}

/** The eight groups of an IPv6 address; the parser of URLs knows each form of writing one. */
function groupsOf(address: string): number[] {
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [before = '', after] = text.split('::')
  const numbers = (part: string) =>
    part === '' ? [] : part.split(':').map(group => Number.parseInt(group, 16))
  const first = numbers(before)
  const last = after === undefined ? [] : numbers(after)
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last]
}

function ipv4Of(groups: readonly number[]): string {
  return groups
    .slice(6)
    .flatMap(group => [group >> 8, group & 0xff])
    .join('.')
}

const contains = (list: BlockList, address: string): boolean =>
  list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
