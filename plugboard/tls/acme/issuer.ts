// Gets one certificate from the authority: asks for the right to, so that of all replicas one orders; orders; stores
// what came of it. A host that fails waits longer each time, and all orders together have a limit.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { cutText } from '@vera-stack/shared/cut-text.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
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
  /** The preferred one first; after a failure the next one has its turn. Not empty. */
  readonly challenges: readonly ChallengeType[]
  /** Of this replica, and of no other. */
  readonly owner: string
  /** Orders that may begin in an hour, on all replicas. */
  readonly ordersPerHour: number
  /** Orders within an hour for hosts that the telephones of one token have claimed. */
  readonly ordersPerToken: number
  /** True for a host that the settings name. Such a host does not count for a token. */
  readonly isListed: (host: string) => boolean
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random?: () => number
  /** Before a host is tried again the first time; doubles with each failure. Default 5 minutes. */
  readonly retryMs?: number
}

/** `failed`: it was tried, and the log says why. */
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

  /** Aborted at the stop. */
  get signal(): AbortSignal {
    return this.#stopping.signal
  }

  /** `unusable`: there is one that cannot be used. Rejects when the database cannot be reached, or at the stop. */
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
      // The library quotes a whole response that is no problem document.
      const detail = cutText(error instanceof Error ? error.message : String(error))
      await store.fail(host, owner, detail, delayMs)
      return 'failed'
    }
  }

  /** The library, for what else it can do. */
  library(): Promise<AcmeLibrary> {
    this.#library ??= loadAcmeLibrary(this.signal)
    return this.#library
  }

  /** Ends orders under way. */
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
    // Whatever came is looked at before it replaces anything.
    const { notBefore, notAfter } = readCertificate({ source: host, chain, key, policy: DEFAULT_TLS_POLICY })
    const renewAt = this.#renewAt(notBefore, notAfter)
    await store.succeed({ host, chain, sealedKey: seal.seal(key, host), notAfter, renewAt }, owner)
    const durationMs = Math.round(clock.now() - startedMs)
    log.info('certificate issued', { host, durationMs, detail: `until ${notAfter.toISOString()}` })
  }

  /** The first call opens the account; a failure is not remembered. */
  #account(): Promise<Client> {
    this.#client ??= this.library()
      .then(library => openAccount({ ...this.#options, library }))
      .catch((error: unknown) => {
        this.#client = undefined
        throw error
      })
    return this.#client
  }

  /** When about a third of its life is left; not all at once. */
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
