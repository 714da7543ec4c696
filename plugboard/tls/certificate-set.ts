// Which certificate a client gets for the host that it names: the exact name before the wildcard of one label, and
// of two for the same name the one that lasts longer. Not edited; a change makes a new set.

import type { Certificate } from './certificate.ts'

export class CertificateSet {
  readonly #byName = new Map<string, Certificate>()
  /** For clients that name no host, or one that there is no certificate for. */
  readonly fallback: Certificate | undefined

  /** `defaultHost`: the fallback is what this name would get; absent: the first of the list. */
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

  /** `host`: as in a handshake; any case, a trailing dot does not count. */
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
