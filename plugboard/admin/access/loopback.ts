// Addresses of this machine itself (RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3).

import { ipAddress } from '@vera-stack/shared/net/ip-address.ts'

/** True for an address within 127.0.0.0/8, also in its IPv6 form, and for ::1. */
export function isLoopback(address: string): boolean {
  const plain = ipAddress(address)
  return plain === '::1' || plain?.startsWith('127.') === true
}

/** True for names and addresses that browsers resolve to this machine. Without port and brackets. */
export const isLoopbackName = (name: string): boolean =>
  name === 'localhost' || name.endsWith('.localhost') || isLoopback(name)
