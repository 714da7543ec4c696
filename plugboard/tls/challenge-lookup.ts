// Answers what a certificate authority asks while it looks whether a host is ours (RFC 8555 section 8.3, RFC 8737).
// Any replica may be asked, so the answer is looked up in the database. Strangers can ask as well: they get a few
// lookups a second, and the rest count as unknown.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { CertificateStore } from '../database/store.ts'

export interface ChallengeLookupOptions {
  readonly store: Pick<CertificateStore, 'challenge'>
  readonly clock: Clock
  readonly log: Logger
}

const MAX_AT_ONCE = 8
const MAX_PER_SECOND = 50

export class ChallengeLookup {
  readonly #options: ChallengeLookupOptions
  #running = 0
  #secondStartedMs = 0
  #inSecond = 0

  constructor(options: ChallengeLookupOptions) {
    this.#options = options
  }

  /** The key authorization for the token of HTTP-01. Never rejects. */
  http(token: string): Promise<string | undefined> {
    return this.#find('http', token, /^[\w-]{16,256}$/)
  }

  /** The key authorization for a host of TLS-ALPN-01. Never rejects. */
  tls(host: string): Promise<string | undefined> {
    return this.#find('tls', host, /^[a-z0-9_.-]{1,253}$/)
  }

  async #find(kind: 'http' | 'tls', name: string, form: RegExp): Promise<string | undefined> {
    if (!form.test(name) || !this.#take()) return undefined
    this.#running += 1
    try {
      return await this.#options.store.challenge(kind, name)
    } catch (error) {
      this.#options.log.warn('challenge not looked up', { err: error })
      return undefined
    } finally {
      this.#running -= 1
    }
  }

  #take(): boolean {
    const nowMs = this.#options.clock.now()
    if (nowMs - this.#secondStartedMs >= 1000) {
      this.#secondStartedMs = nowMs
      this.#inSecond = 0
    }
    if (this.#running >= MAX_AT_ONCE || this.#inSecond >= MAX_PER_SECOND) return false
    this.#inSecond += 1
    return true
  }
}
