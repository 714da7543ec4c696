// The keys of all issuers whose tokens are verified here: those of routes (access/), and the issuer of the settings
// (telephones/). Each URL is fetched by the same rules, and callers with the same URL share its keys.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { AllowedNetworks } from '../routes/options/outbound-networks.ts'
import { guardedFetch } from './guarded-fetch.ts'
import { Jwks, type Load } from './jwks.ts'

export interface IssuerKeysOptions {
  readonly clock: Clock
  readonly log: Logger
  /** The networks from which keys may be fetched. */
  readonly networks: AllowedNetworks
  /** Replaces the request over the network. For tests. */
  readonly load?: Load | undefined
}

const MAX_ISSUERS = 1000
const FETCH = {
  timeoutMs: 5000,
  maxBytes: 1024 * 1024,
  accept: 'application/jwk-set+json, application/json',
}

export class IssuerKeys {
  readonly #options: IssuerKeysOptions
  readonly #byUrl = new Map<string, Jwks>()

  constructor(options: IssuerKeysOptions) {
    this.#options = options
  }

  /** Returns the keys behind a URL. At the limit, the oldest URL is removed; its callers keep their keys. */
  of(url: string): Jwks {
    const known = this.#byUrl.get(url)
    if (known !== undefined) return known
    const { clock, log, networks } = this.#options
    const load = this.#options.load ?? (address => guardedFetch(address, { ...FETCH, networks }))
    const failed = (err: unknown) =>
      log.warn("the signing keys of a token's issuer could not be fetched", { url, err })
    const jwks = new Jwks({ url, clock, load, failed })
    this.#byUrl.set(url, jwks)
    if (this.#byUrl.size > MAX_ISSUERS) {
      const [oldest] = this.#byUrl.keys()
      if (oldest !== undefined) this.#byUrl.delete(oldest)
    }
    return jwks
  }
}
