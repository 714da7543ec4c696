// Looks up the responses to the challenges of a certificate authority, which prove that Plugboard serves a host (RFC 8555
// section 8.3, RFC 8737). The challenge may reach any replica, so the responses are in the database. Any client can send such
// requests, so the number of lookups per second is limited, in total and per client. A request over the limit counts as
// unknown.

import { ClientShares } from '@vera-stack/shared/client-shares.ts'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { CertificateStore } from '../../database/store/store.ts'

export interface ChallengeLookupOptions {
  readonly store: Pick<CertificateStore, 'challenge'>
  readonly clock: Clock
  readonly log: Logger
  /** The share of the lookups that one client may use, in percent. */
  readonly clientSharePercent: number
}

const MAX_AT_ONCE = 8
const MAX_PER_SECOND = 50

export class ChallengeLookup {
  readonly #options: ChallengeLookupOptions
  readonly #http: LookupBudget
  /** A separate budget, because the client's address is unknown in a handshake. */
  readonly #tls: LookupBudget

  constructor(options: ChallengeLookupOptions) {
    this.#options = options
    this.#http = new LookupBudget(options)
    this.#tls = new LookupBudget(options)
  }

  /** Returns the key authorization for a token of HTTP-01. `client`: the client's address, for limits. Never rejects. */
  http(token: string, client: string): Promise<string | undefined> {
    return this.#find('http', token, /^[\w-]{16,256}$/, this.#http, client)
  }

  /** Returns the key authorization for a host of TLS-ALPN-01. Never rejects. */
  tls(host: string): Promise<string | undefined> {
    return this.#find('tls', host, /^[a-z0-9_.-]{1,253}$/, this.#tls, '')
  }

  async #find(
    kind: 'http' | 'tls',
    name: string,
    form: RegExp,
    budget: LookupBudget,
    client: string,
  ): Promise<string | undefined> {
    if (!form.test(name) || !budget.take(client)) return undefined
    try {
      return await this.#options.store.challenge(kind, name)
    } catch (error) {
      this.#options.log.warn('an ACME challenge could not be looked up', { err: error })
      return undefined
    } finally {
      budget.giveBack(client)
    }
  }
}

/** Limits lookups at the same time and per second, in total and per client. */
class LookupBudget {
  readonly #clock: Clock
  readonly #clientSharePercent: number
  readonly #running: ClientShares
  #inSecond: ClientShares
  #secondStartedMs = 0

  constructor({ clock, clientSharePercent }: ChallengeLookupOptions) {
    this.#clock = clock
    this.#clientSharePercent = clientSharePercent
    this.#running = new ClientShares(clientSharePercent)
    this.#inSecond = new ClientShares(clientSharePercent)
  }

  /** Counts a lookup. Returns false when it exceeds a limit. */
  take(client: string): boolean {
    const nowMs = this.#clock.now()
    if (nowMs - this.#secondStartedMs >= 1000) {
      this.#secondStartedMs = nowMs
      this.#inSecond = new ClientShares(this.#clientSharePercent)
    }
    if (!hasRoom(this.#running, client, MAX_AT_ONCE) || !hasRoom(this.#inSecond, client, MAX_PER_SECOND)) {
      return false
    }
    this.#running.add(client)
    this.#inSecond.add(client)
    return true
  }

  giveBack(client: string): void {
    this.#running.remove(client)
  }
}

function hasRoom(shares: ClientShares, client: string, capacity: number): boolean {
  return shares.held < capacity && shares.allows(client, capacity)
}
