// The PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): a TCP load balancer puts a header in front of a
// connection, which states the client's address. This file only parses it; proxy-protocol-gate.ts decides which peers may send
// it.

import { isIPv4, isIPv6 } from 'node:net'
import { ipAddress } from '@vera-stack/shared/net/ip-address.ts'

/** Address and port are undefined when the header names no client: for a health check of the balancer, or for UNKNOWN. */
export interface ProxyHeader {
  /** Length of the header. The bytes behind it come from the client. */
  readonly bytes: number
  readonly address: string | undefined
  readonly port: number | undefined
}

/** The header is missing or malformed. The connection must be destroyed, because its client is unknown. */
export class ProxyHeaderError extends Error {
  constructor(detail: string) {
    super(`PROXY header: ${detail}`)
    this.name = 'ProxyHeaderError'
  }
}

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V1_START = Buffer.from('PROXY ', 'latin1')
/** The longest line, with its CRLF: "TCP6", two full addresses, two ports (section 2.1). */
const V1_MAX_BYTES = 107
const V2_FIXED_BYTES = 16
/** Limit for addresses and TLVs. The format allows 65,535 bytes, but load balancers send far less. */
const V2_MAX_REST_BYTES = 4096

const COMMAND_LOCAL = 0
const COMMAND_PROXY = 1
const FAMILY_IPV4 = 1
const FAMILY_IPV6 = 2
const FAMILY_LAST = 3

/** Parses the header at the start of `bytes`. Returns undefined when more bytes are needed. Throws ProxyHeaderError. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | undefined {
  if (startsLike(bytes, SIGNATURE)) return bytes.length < V2_FIXED_BYTES ? undefined : parseV2(bytes)
  if (startsLike(bytes, V1_START)) return parseV1(bytes)
  throw new ProxyHeaderError('the connection does not begin with a PROXY header')
}

/** True when `bytes` and `start` are equal in the length of the shorter one. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.compare(start, 0, length, 0, length) === 0
}

function parseV1(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.indexOf('\r\n')
  if (end === -1 || end + 2 > V1_MAX_BYTES) {
    if (end === -1 && bytes.length < V1_MAX_BYTES) return undefined
    throw new ProxyHeaderError(`its line is over ${V1_MAX_BYTES} bytes`)
  }
  const [, family, source = '', destination = '', port = '', toPort = '', ...more] = bytes
    .toString('latin1', 0, end)
    .split(' ')
  if (family === 'UNKNOWN') return { bytes: end + 2, address: undefined, port: undefined }
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined
  if (isAddress === undefined) throw new ProxyHeaderError('its family is not TCP4, TCP6 or UNKNOWN')
  // A zone ("fe80::1%eth0") has no meaning on another machine, and the format does not allow it.
  const addresses = [source, destination]
  if (more.length > 0 || addresses.some(text => !isAddress(text) || text.includes('%'))) {
    throw new ProxyHeaderError('its addresses are malformed')
  }
  return { bytes: end + 2, address: ipAddress(source), port: [port, toPort].map(readPort)[0] }
}

function readPort(text: string): number {
  const value = Number(text)
  if (!/^(0|[1-9]\d{0,4})$/.test(text) || value > 65_535)
    throw new ProxyHeaderError('its ports are malformed')
  return value
}

function parseV2(bytes: Buffer): ProxyHeader | undefined {
  const versionAndCommand = bytes[12] as number
  if (versionAndCommand >> 4 !== 2) throw new ProxyHeaderError('its version is unknown')
  const rest = bytes.readUInt16BE(14)
  if (rest > V2_MAX_REST_BYTES) throw new ProxyHeaderError(`it is over ${V2_MAX_REST_BYTES} bytes`)
  const total = V2_FIXED_BYTES + rest
  if (bytes.length < total) return undefined
  const command = versionAndCommand & 0x0f
  const nobody = { bytes: total, address: undefined, port: undefined }
  if (command === COMMAND_LOCAL) return nobody
  if (command !== COMMAND_PROXY) throw new ProxyHeaderError('its command is unknown')
  const family = (bytes[13] as number) >> 4
  if (family > FAMILY_LAST) throw new ProxyHeaderError('its family is unknown')
  const addressBytes = family === FAMILY_IPV4 ? 4 : family === FAMILY_IPV6 ? 16 : undefined
  // Unspecified, or a unix socket: the header has no IP address.
  if (addressBytes === undefined) return nobody
  if (rest < 2 * addressBytes + 4) throw new ProxyHeaderError('its addresses are cut short')
  const source = bytes.subarray(V2_FIXED_BYTES, V2_FIXED_BYTES + addressBytes)
  return {
    bytes: total,
    address: ipAddress(family === FAMILY_IPV4 ? source.join('.') : textOfIPv6(source)),
    port: bytes.readUInt16BE(V2_FIXED_BYTES + 2 * addressBytes),
  }
}

function textOfIPv6(address: Buffer): string {
  return Array.from({ length: 8 }, (_, index) => address.readUInt16BE(index * 2).toString(16)).join(':')
}
