// Selects the certificate for the host that a client names. An exact name takes precedence over a wildcard. Of two certificates
// for the same name, the one that expires later is used. A set is immutable; a change creates a new set.

import type { Certificate } from './certificate.ts'

export class CertificateSet {
  readonly #byName = new Map<string, Certificate>()
  /** The certificate for clients that name no host, or a host without a certificate. */
  readonly fallback: Certificate | undefined

  /** `defaultHost`: its certificate is the fallback. Default: the first certificate of the list. */
  constructor(certificates: Iterable<Certificate> = [], defaultHost?: string) {
    let first: Certificate | undefined
    for (const certificate of certificates) {
      first ??= certificate
      for (const name of certificate.names) {
        const before = this.#byName.get(name)
        if (before === undefined || before.notAfter < certificate.notAfter)
          this.#byName.set(name, certificate)
      }
    }
    this.fallback = defaultHost === undefined ? first : this.find(defaultHost)
  }

  /** Yields each name with the end of its certificate. */
  *expiries(): Generator<readonly [host: string, notAfter: Date]> {
    for (const [name, { notAfter }] of this.#byName) yield [name, notAfter]
  }

  /** The certificates that a handshake may get, each once. */
  get inUse(): readonly Certificate[] {
    const used = new Set(this.#byName.values())
    if (this.fallback !== undefined) used.add(this.fallback)
    return [...used]
  }

  /** Returns the certificate for a host. `host`: as in a handshake, in any case, with or without a trailing dot. */
  find(host: string): Certificate | undefined {
    const name = plainName(host)
    const exact = this.#byName.get(name)
    if (exact !== undefined) return exact
    const dot = name.indexOf('.')
    return dot <= 0 ? undefined : this.#byName.get(`*${name.slice(dot)}`)
  }
}

export function plainName(host: string): string {
  return host.toLowerCase().replace(/\.$/, '')
}
