// One certificate as the TLS listener uses it: the chain, its key, the names that it is good for, and the context
// that OpenSSL wants of them. Text in, checked once; knows no file and no database.

import { constants, createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { isTls13Cipher, keyExchangeGroups } from './ciphers.ts'
import type { TlsPolicy } from './tls-policy.ts'

export interface Certificate {
  /** Where it is from, for the log. */
  readonly source: string
  /** Lower case, ASCII; `*.example.com` stands for one label. Empty: good for clients that name no host. */
  readonly names: readonly string[]
  readonly notBefore: Date
  readonly notAfter: Date
  /** What `setSecureContext` and `createSecureContext` take. */
  readonly options: SecureContextOptions
  readonly context: SecureContext
}

/** The same for all contexts of a listener: a session that one of them began is resumed by all. */
const SESSION_ID_CONTEXT = 'plugboard'

const GROUPS = keyExchangeGroups()
// A client that prefers ChaCha20 has no hardware for AES: its preference wins over our order.
const SECURE_OPTIONS = constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_PRIORITIZE_CHACHA

/** What holds with any certificate. */
export function baseOptions({ minVersion, ciphers }: TlsPolicy): SecureContextOptions {
  return {
    minVersion,
    // Without a cipher of TLS 1.3, Node would use OpenSSL's own list for it.
    ...(ciphers.some(isTls13Cipher) ? {} : { maxVersion: 'TLSv1.2' as const }),
    ciphers: ciphers.join(':'),
    ecdhCurve: GROUPS,
    sessionIdContext: SESSION_ID_CONTEXT,
    honorCipherOrder: true,
    secureOptions: SECURE_OPTIONS,
  }
}

/**
 * `chain`: PEM, the certificate itself first, then those that lead to the root. `key`: PEM, not encrypted.
 * @throws Error, one line that says what is wrong with them.
 */
export function readCertificate(input: {
  readonly source: string
  readonly chain: string
  readonly key: string
  readonly policy: TlsPolicy
}): Certificate {
  const { source, chain, key, policy } = input
  const leaf = explained('the certificate cannot be read', () => new X509Certificate(chain))
  const privateKey = explained('the key cannot be read', () => createPrivateKey(key))
  if (!leaf.checkPrivateKey(privateKey)) throw new Error('the key is not the one of the certificate')
  const options = { ...baseOptions(policy), cert: chain, key }
  const context = explained('certificate and key cannot be used', () => createSecureContext(options))
  return {
    source,
    names: dnsNames(leaf.subjectAltName ?? ''),
    notBefore: leaf.validFromDate,
    notAfter: leaf.validToDate,
    options,
    context,
  }
}

/** Of `DNS:a.example, DNS:*.b.example, IP Address:127.0.0.1`. Addresses are never named in a handshake. */
function dnsNames(subjectAltName: string): string[] {
  return subjectAltName
    .split(', ')
    .flatMap(part => /^DNS:((?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)$/i.exec(part)?.[1]?.toLowerCase() ?? [])
}

function explained<Result>(what: string, make: () => Result): Result {
  try {
    return make()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`${what}: ${reason}`, { cause: error })
  }
}
