// One certificate in the form that the TLS listener uses: the chain, its key, the names that it covers, and the context for
// OpenSSL. It is parsed and checked from text, independent of files and the database.

import { constants, createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { isTls13Cipher, keyExchangeGroups } from './ciphers.ts'
import type { TlsPolicy } from './tls-policy.ts'

export interface Certificate {
  /** The origin of the certificate, for the log. */
  readonly source: string
  /** In lower case, ASCII; the `*` of `*.example.com` matches one label. Without names, it serves only as the fallback. */
  readonly names: readonly string[]
  /** The name of the authority that signed it; empty when it has no name. */
  readonly issuer: string
  readonly notBefore: Date
  readonly notAfter: Date
  /** The options for `setSecureContext` and `createSecureContext`. */
  readonly options: SecureContextOptions
  readonly context: SecureContext
}

/** The same for all contexts of a listener, so that each of them can resume a session that another one started. */
const SESSION_ID_CONTEXT = 'plugboard'

const GROUPS = keyExchangeGroups()
// A client that prefers ChaCha20 has no hardware for AES, so its preference takes precedence over the server's order.
const SECURE_OPTIONS = constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_PRIORITIZE_CHACHA

/** Returns the options that are the same for every certificate. */
export function baseOptions({ minVersion, ciphers }: TlsPolicy): SecureContextOptions {
  return {
    minVersion,
    // Without a TLS 1.3 cipher in the list, Node would use OpenSSL's default list for TLS 1.3.
    ...(ciphers.some(isTls13Cipher) ? {} : { maxVersion: 'TLSv1.2' as const }),
    ciphers: ciphers.join(':'),
    ecdhCurve: GROUPS,
    sessionIdContext: SESSION_ID_CONTEXT,
    honorCipherOrder: true,
    secureOptions: SECURE_OPTIONS,
  }
}

/**
 * Parses and checks a certificate. `chain`: PEM, the certificate itself first, then the intermediate certificates. `key`: PEM,
 * not encrypted.
 * @throws Error, whose message is one line that names the problem.
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
  if (!leaf.checkPrivateKey(privateKey)) throw new Error('the key does not belong to the certificate')
  const options = { ...baseOptions(policy), cert: chain, key }
  const context = explained('certificate and key cannot be used', () => createSecureContext(options))
  return {
    source,
    names: dnsNames(leaf.subjectAltName ?? ''),
    issuer: nameOf(leaf.issuer),
    notBefore: leaf.validFromDate,
    notAfter: leaf.validToDate,
    options,
    context,
  }
}

/** Returns the organization and the common name in a text of lines such as `O=Let's Encrypt`. */
function nameOf(issuer: string): string {
  const lines = issuer.split('\n')
  const fieldOf = (key: string): string | undefined =>
    lines.find(line => line.startsWith(key))?.slice(key.length)
  return [fieldOf('O='), fieldOf('CN=')].filter(part => part !== undefined).join(', ')
}

/**
 * Returns the host names in a text such as `DNS:a.example, DNS:*.b.example, IP Address:127.0.0.1`. Addresses are left out,
 * because a handshake never names one.
 */
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
