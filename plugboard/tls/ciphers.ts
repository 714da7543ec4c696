// The ciphers and key exchange groups that HTTPS offers. The defaults are the intermediate profile of Mozilla's Server Side
// TLS guidelines, version 6.0. It works with every browser since 2015 and always has forward secrecy. It has no finite-field
// Diffie-Hellman, because a client could cause much computing with few bytes.

import { createSecureContext, getCiphers } from 'node:tls'

/** The name of the list below in the setting. */
export const INTERMEDIATE = 'intermediate'

const INTERMEDIATE_CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
] as const

/** Node 22 (OpenSSL 3.0) does not support the first one. */
const INTERMEDIATE_GROUPS = ['X25519MLKEM768', 'X25519', 'prime256v1', 'secp384r1'] as const

/**
 * Ciphers that Node supports, but that no handshake of this listener can use. It has no pre-shared keys, no SRP passwords and
 * no finite-field Diffie-Hellman, and OpenSSL's security level excludes a tag of 8 bytes.
 */
const USELESS = /(?:^|-)(?:psk|srp)-|^dhe-|ccm_8/

/** Returns the problem of an invalid item of the setting. An item may contain several names, joined by colons. */
export function cipherProblem(item: string): string | undefined {
  const known = new Set(getCiphers())
  const unknown = item.split(':').find(name => name !== INTERMEDIATE && !known.has(name.toLowerCase()))
  const advice = `use "${INTERMEDIATE}" or names of OpenSSL such as ${INTERMEDIATE_CIPHERS.at(-1)}`
  if (unknown !== undefined) return `"${unknown}" is not a cipher of this Node: ${advice}`
  const useless = item.split(':').find(name => USELESS.test(name.toLowerCase()))
  if (useless === undefined) return undefined
  return `"${useless}" fits no certificate and key exchange that HTTPS has: ${advice}`
}

/** Returns the cipher names of the items of the setting, in order, without repetitions. */
export function cipherNames(items: readonly string[]): readonly string[] {
  const names = items
    .flatMap(item => item.split(':'))
    .flatMap(name => (name === INTERMEDIATE ? INTERMEDIATE_CIPHERS : [name.toUpperCase()]))
  return [...new Set(names)]
}

/** True for a TLS 1.3 cipher. All others are TLS 1.2 ciphers. */
export function isTls13Cipher(name: string): boolean {
  return name.startsWith('TLS_')
}

/** Returns the groups that this version of Node supports, in the syntax of OpenSSL. */
export function keyExchangeGroups(): string {
  return INTERMEDIATE_GROUPS.filter(isSupportedGroup).join(':')
}

function isSupportedGroup(group: string): boolean {
  try {
    createSecureContext({ ecdhCurve: group })
    return true
  } catch {
    return false
  }
}
