// The versions and ciphers that HTTPS offers with every certificate, from the settings.

import { cipherNames, INTERMEDIATE } from './ciphers.ts'

export interface TlsPolicy {
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** OpenSSL names, the preferred one first. */
  readonly ciphers: readonly string[]
}

/** Returns the policy for the settings. `ciphers`: the items of the setting. */
export function tlsPolicy(minVersion: '1.2' | '1.3', ciphers: readonly string[]): TlsPolicy {
  return { minVersion: `TLSv${minVersion}`, ciphers: cipherNames(ciphers) }
}

export const DEFAULT_TLS_POLICY = tlsPolicy('1.2', [INTERMEDIATE])
