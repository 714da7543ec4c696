// Answers what a certificate authority asks while it looks whether a host is ours (RFC 8555 section 8.3, RFC 8737).
// Any replica may be asked, so the answer is looked up in the database. Any client can ask as well: there are a few
// lookups a second, of which no client gets more than its share, and all others count as unknown.

import { ClientShares } from '@vera-stack/shared/client-shares.ts'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { CertificateStore } from '../../database/store/store.ts'

export interface ChallengeLookupOptions {
  readonly store: Pick<CertificateStore, 'challenge'>
  readonly clock: Clock
  readonly log: Logger
  /** How many of the lookups one client may have, in percent. */
  readonly clientSharePercent: number
}

const MAX_AT_ONCE = 8
const MAX_PER_SECOND = 50

export class ChallengeLookup {
  readonly #options: ChallengeLookupOptions
  readonly #http: LookupBudget
  /** Of its own: the address of the client is not known in a handshake. */
  readonly #tls: LookupBudget

  constructor(options: ChallengeLookupOptions) {
    this.#options = options
    this.#http = new LookupBudget(options)
    this.#tls = new LookupBudget(options)
  }

  /** The key authorization for the token of HTTP-01. `client`: the address that asks. Never rejects. */
  http(token: string, client: string): Promise<string | undefined> {
    return this.#find('http', token, /^[\w-]{16,256}$/, this.#http, client)
  }

  /** The key authorization for a host of TLS-ALPN-01. Never rejects. */
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

/** So many lookups at once and per second, and a share of both for each client. */
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

  /** False: the lookup is not made. */
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
