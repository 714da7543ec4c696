// Obtains one certificate from the authority: takes a lease in the database, so that only one replica orders; orders; stores
// the result. The wait before a retry grows with each failure of a host. The number of orders per hour is limited.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import type { Client } from 'acme-client'
import type { CertificateStore, OrderDecision } from '../../database/store/store.ts'
import { readCertificate } from '../certificate.ts'
import type { KeySeal } from '../key-seal.ts'
import { DEFAULT_TLS_POLICY } from '../tls-policy.ts'
import { type AcmeAccountOptions, openAccount } from './account.ts'
import { type AcmeLibrary, loadAcmeLibrary } from './library.ts'
import type { ChallengeType } from './names.ts'
import { orderCertificate } from './order.ts'

export interface AcmeIssuerOptions
  extends Pick<AcmeAccountOptions, 'directoryUrl' | 'email' | 'agreed' | 'binding'> {
  readonly store: CertificateStore
  readonly seal: KeySeal
  /** The preferred one first. After a failure, the next one is used. Not empty. */
  readonly challenges: readonly ChallengeType[]
  /** The owner of leases, unique to this replica. */
  readonly owner: string
  /** Limit for the orders that all replicas start within an hour. */
  readonly ordersPerHour: number
  /** Limit for the orders within an hour for hosts that the Telephones of one token have claimed. */
  readonly ordersPerToken: number
  /** True for a host that the settings name. Such a host does not count for a token. */
  readonly isListed: (host: string) => boolean
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random?: () => number
  /** The wait before the first retry for a host. It doubles with each failure. Default: 5 minutes. */
  readonly retryMs?: number
}

/** `failed`: the order failed, and the log has the cause. */
export type IssueResult = 'issued' | 'failed' | Exclude<OrderDecision, 'granted'>

const LEASE_MS = 5 * 60_000
const ORDERS_AT_ONCE = 4
const MAX_RETRY_MS = 24 * 3_600_000
const CHALLENGE_MS = 10 * 60_000

export class AcmeIssuer {
  readonly #options: AcmeIssuerOptions
  readonly #random: () => number
  readonly #stopping = new AbortController()
  #library: Promise<AcmeLibrary> | undefined
  #client: Promise<Client> | undefined

  constructor(options: AcmeIssuerOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
  }

  /** Aborted by `stop`. */
  get signal(): AbortSignal {
    return this.#stopping.signal
  }

  /**
   * Obtains a certificate. `unusable`: the stored certificate cannot be used. Rejects when the database is unavailable, or
   * after `stop`.
   */
  async issue(host: string, unusable = false): Promise<IssueResult> {
    const { store, owner, ordersPerHour: perHour, ordersPerToken, isListed, log } = this.#options
    this.signal.throwIfAborted()
    const perToken = isListed(host) ? undefined : ordersPerToken
    const request = { host, owner, leaseMs: LEASE_MS, atOnce: ORDERS_AT_ONCE, perHour, perToken, unusable }
    const { decision, failures } = await store.begin(request)
    if (decision === 'rate_limited') log.warn('too many certificates were ordered within an hour', { host })
    if (decision === 'token_rate_limited') {
      log.warn('too many certificates were ordered within an hour for hosts that one token has claimed', {
        host,
        detail: `the limit is ${ordersPerToken} (acmeOrdersPerToken); hosts in acmeHosts do not count`,
      })
    }
    if (decision !== 'granted') return decision
    try {
      await this.#order(host, failures)
      return 'issued'
    } catch (error) {
      if (this.signal.aborted) {
        await store.release(host, owner)
        throw this.signal.reason
      }
      const delayMs = this.#retryMs(failures)
      log.error('certificate not issued', { host, attempt: failures + 1, delayMs, err: error })
      // Truncated, because the library quotes the whole response when it is not a problem document.
      const detail = cutText(error instanceof Error ? error.message : String(error))
      await store.fail(host, owner, detail, delayMs)
      return 'failed'
    }
  }

  /** Returns the ACME library, which also creates the validation certificates. */
  library(): Promise<AcmeLibrary> {
    this.#library ??= loadAcmeLibrary(this.signal)
    return this.#library
  }

  /** Aborts running orders. */
  stop(): void {
    this.#stopping.abort(new Error('Plugboard is stopping'))
  }

  async #order(host: string, failures: number): Promise<void> {
    const { store, seal, challenges, owner, clock, log } = this.#options
    const challenge = challenges[failures % challenges.length] as ChallengeType
    const kind = challenge === 'http-01' ? 'http' : 'tls'
    const startedMs = clock.now()
    const { chain, key } = await orderCertificate({
      library: await this.library(),
      client: await this.#account(),
      host,
      challenge,
      publish: (name, value) => store.publishChallenge(kind, name, value, CHALLENGE_MS),
      withdraw: name => store.dropChallenge(kind, name),
      clock,
      signal: this.signal,
    })
    // The new certificate is checked before it replaces the stored one.
    const { notBefore, notAfter } = readCertificate({ source: host, chain, key, policy: DEFAULT_TLS_POLICY })
    const renewAt = this.#renewAt(notBefore, notAfter)
    await store.succeed({ host, chain, sealedKey: seal.seal(key, host), notAfter, renewAt }, owner)
    const durationMs = Math.round(clock.now() - startedMs)
    log.info('certificate issued', { host, durationMs, detail: `until ${notAfter.toISOString()}` })
  }

  /** Returns the client of the account, which the first call opens. A failed call is retried by the next one. */
  #account(): Promise<Client> {
    this.#client ??= this.library()
      .then(library => openAccount({ ...this.#options, library }))
      .catch((error: unknown) => {
        this.#client = undefined
        throw error
      })
    return this.#client
  }

  /** Returns a time when about a third of the lifetime is left. It is random, so that renewals are spread over time. */
  #renewAt(notBefore: Date, notAfter: Date): Date {
    const lifeMs = notAfter.getTime() - notBefore.getTime()
    return new Date(notBefore.getTime() + lifeMs * (0.64 + 0.06 * this.#random()))
  }

  #retryMs(failures: number): number {
    const { retryMs = 5 * 60_000 } = this.#options
    return Math.round(
      Math.min(MAX_RETRY_MS, retryMs * 2 ** Math.min(failures, 20)) * (0.8 + 0.4 * this.#random()),
    )
  }
}
