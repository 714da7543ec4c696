// Provides certificates from an authority to handshakes: at once from memory, or loaded or ordered now for hosts that may have
// one. Replicas share certificates through the database; this replica keeps the ones that it has used in memory. Every minute,
// it renews certificates that are due, and loads certificates that other replicas have renewed.
//
//   handshake ─▶ memory ─▶ database ─▶ order (issuer.ts), or wait while another replica orders
//                             └ unavailable ─▶ copy in a file

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { CertificateStore, StoredCertificate } from '../../database/store/store.ts'
import { type Certificate, readCertificate } from '../certificate.ts'
import type { CertificateCopies } from '../certificate-copies.ts'
import { plainName } from '../certificate-set.ts'
import type { KeySeal } from '../key-seal.ts'
import type { TlsPolicy } from '../tls-policy.ts'
import type { AcmeIssuer } from './issuer.ts'
import { sleep } from './order.ts'

export interface AcmeCertificatesOptions {
  readonly issuer: Pick<AcmeIssuer, 'issue' | 'signal' | 'stop'>
  readonly store: Pick<CertificateStore, 'find' | 'issuedAfter' | 'due'>
  /** Used when the database is unavailable. */
  readonly copies: Pick<CertificateCopies, 'read' | 'write' | 'prune'>
  readonly seal: KeySeal
  readonly policy: TlsPolicy
  /** Hosts whose certificates are obtained before any handshake. The first one serves clients that name no host. */
  readonly hosts: readonly string[]
  /** Returns true when a certificate may be ordered. `host` is in lower case, without a trailing dot. */
  readonly mayIssue: (host: string) => boolean
  /** The time that a handshake waits for an order, ms. */
  readonly waitMs: number
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random?: () => number
  /** Time between two checks. Default: one minute. */
  readonly lookIntervalMs?: number
}

const MAX_KEPT = 10_000
const MAX_PENDING = 100
const RENEWALS_PER_LOOK = 10
/** For this time after a failed attempt, handshakes get the fallback without a new attempt. */
const ABSENT_MS = 10_000
/** The interval and the number of database queries while another replica orders. */
const BUSY_POLL_MS = 500
const BUSY_POLLS = 240
/** Certificates issued within this time are read again, because a transaction that started earlier may commit later. */
const OVERLAP_MS = 60_000
const HOST_FORM = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/

interface Kept {
  readonly certificate: Certificate
  readonly issuedAtMs: number
}

export class AcmeCertificates {
  readonly #options: AcmeCertificatesOptions
  readonly #kept = new Map<string, Kept>()
  readonly #pending = new Map<string, Promise<Certificate | undefined>>()
  readonly #absentUntilMs = new Map<string, number>()
  #seenUntil = new Date(0)
  #timer: Timer | undefined
  #looking: Promise<void> = Promise.resolve()
  #pruning: Promise<void> = Promise.resolve()
  #listener: () => void = () => undefined

  constructor(options: AcmeCertificatesOptions) {
    this.#options = options
  }

  start(): void {
    const { copies, clock, log } = this.#options
    this.#pruning = copies
      .prune(clock.wallTime())
      .catch((error: unknown) =>
        log.warn('the local copies of certificates could not be checked', { err: error }),
      )
    this.#look()
  }

  /** Aborts running orders. Resolves when all work has ended. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#options.issuer.stop()
    await Promise.all([this.#looking, this.#pruning, ...this.#pending.values()])
    this.#timer?.cancel()
  }

  /** Sets the listener that is called when the fallback has changed. */
  onChange(listener: () => void): void {
    this.#listener = listener
  }

  get fallback(): Certificate | undefined {
    const [first] = this.#options.hosts
    return first === undefined ? undefined : this.#good(first)
  }

  /** The certificates in memory, at most 10,000. */
  *inUse(): IterableIterator<Certificate> {
    for (const { certificate } of this.#kept.values()) yield certificate
  }

  /** True when the host has a certificate in memory, or may order one. */
  covers(host: string): boolean {
    const name = plainName(host)
    return this.#good(name) !== undefined || this.#options.mayIssue(name)
  }

  /**
   * Returns the certificate for a host. Undefined: the host may not have a certificate, or no certificate is available now.
   * Never rejects.
   */
  find(host: string): Certificate | undefined | Promise<Certificate | undefined> {
    const name = plainName(host)
    const good = this.#good(name)
    if (good !== undefined) return good
    if (!HOST_FORM.test(name) || !this.#options.mayIssue(name)) return undefined
    if ((this.#absentUntilMs.get(name) ?? 0) > this.#options.clock.now()) return undefined
    if (!this.#pending.has(name) && this.#pending.size >= MAX_PENDING) return undefined
    return this.#withinPatience(this.#obtain(name))
  }

  /** Yields each host whose certificate is in memory with the end of its certificate. */
  *expiries(): Generator<readonly [host: string, notAfter: Date]> {
    for (const [host, { certificate }] of this.#kept) yield [host, certificate.notAfter]
  }

  #good(name: string): Certificate | undefined {
    const certificate = this.#kept.get(name)?.certificate
    const good = certificate !== undefined && certificate.notAfter.getTime() > this.#options.clock.wallTime()
    return good ? certificate : undefined
  }

  /** Obtains a certificate. All concurrent handshakes for a host share one attempt. */
  #obtain(name: string): Promise<Certificate | undefined> {
    const running = this.#pending.get(name)
    if (running !== undefined) return running
    const obtained = this.#loadOrOrder(name)
      .catch((error: unknown) => {
        if (!this.#options.issuer.signal.aborted) {
          this.#options.log.warn('certificate not obtained', { host: name, err: error })
        }
        return undefined
      })
      .then(certificate => {
        this.#pending.delete(name)
        if (certificate === undefined) this.#noteAbsent(name)
        return certificate
      })
    this.#pending.set(name, obtained)
    return obtained
  }

  async #loadOrOrder(name: string): Promise<Certificate | undefined> {
    const { issuer, clock } = this.#options
    for (let poll = 0; poll < BUSY_POLLS; poll += 1) {
      const loaded = await this.#load(name)
      if (loaded !== 'none' && loaded !== 'unusable') return loaded
      const result = await issuer.issue(name, loaded === 'unusable')
      if (result === 'busy') await sleep(clock, BUSY_POLL_MS, issuer.signal)
      else if (result !== 'issued') return undefined
    }
    return undefined
  }

  async #load(name: string): Promise<Certificate | 'none' | 'unusable'> {
    const { seal, policy, clock, log } = this.#options
    const stored = await this.#stored(name)
    if (stored === undefined || stored.notAfter.getTime() <= clock.wallTime()) return 'none'
    const key = seal.open(stored.sealedKey, name)
    if (key === undefined) {
      log.warn('certificate unusable: its key was encrypted with another clusterSecret', { host: name })
      return 'unusable'
    }
    const certificate = readCertificate({ source: name, chain: stored.chain, key, policy })
    this.#keep(name, { certificate, issuedAtMs: stored.issuedAt.getTime() })
    return certificate
  }

  async #stored(name: string): Promise<StoredCertificate | undefined> {
    const { store, copies, log } = this.#options
    let stored: StoredCertificate | undefined
    try {
      stored = await store.find(name)
    } catch (error) {
      const copy = await copies.read(name)
      if (copy === undefined) throw error
      log.info('certificate read from its local copy, the database is unavailable', { host: name })
      return copy
    }
    if (stored !== undefined && stored.issuedAt.getTime() !== this.#kept.get(name)?.issuedAtMs) {
      await copies
        .write(stored)
        .catch((error: unknown) => log.warn('certificate not copied to a file', { host: name, err: error }))
    }
    return stored
  }

  #keep(name: string, kept: Kept): void {
    // Evicts the oldest entry. If it is needed again, it is loaded from the database.
    if (this.#kept.size >= MAX_KEPT && !this.#kept.has(name)) {
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest)
        break
      }
    }
    this.#kept.set(name, kept)
    this.#absentUntilMs.delete(name)
    if (name === this.#options.hosts[0]) this.#listener()
  }

  #noteAbsent(name: string): void {
    if (this.#absentUntilMs.size >= MAX_KEPT) this.#absentUntilMs.clear()
    this.#absentUntilMs.set(name, this.#options.clock.now() + ABSENT_MS)
  }

  #withinPatience(obtained: Promise<Certificate | undefined>): Promise<Certificate | undefined> {
    return new Promise(resolve => {
      const timer = this.#options.clock.after(this.#options.waitMs, () => resolve(undefined))
      void obtained.then(certificate => {
        timer.cancel()
        resolve(certificate)
      })
    })
  }

  #look(): void {
    const { issuer, log, clock, lookIntervalMs = 60_000, random = Math.random } = this.#options
    this.#looking = this.#lookOnce()
      .catch((error: unknown) => {
        if (!issuer.signal.aborted) log.warn('the certificates could not be checked', { err: error })
      })
      .then(() => {
        if (issuer.signal.aborted) return
        this.#timer = clock.after(lookIntervalMs * (0.8 + 0.4 * random()), () => this.#look())
      })
  }

  async #lookOnce(): Promise<void> {
    const { hosts, issuer, mayIssue, store } = this.#options
    for (const host of hosts) if (this.#good(host) === undefined) await this.#obtain(host)
    const wanted = (await store.due(20 * RENEWALS_PER_LOOK)).filter(mayIssue).slice(0, RENEWALS_PER_LOOK)
    for (const host of wanted) await issuer.issue(host)
    await this.#readNews()
  }

  /** Loads newer versions of the certificates in memory, which any replica may have issued since the last check. */
  async #readNews(): Promise<void> {
    for (const { host, issuedAt } of await this.#options.store.issuedAfter(this.#seenUntil)) {
      const kept = this.#kept.get(host)
      if (kept !== undefined && kept.issuedAtMs < issuedAt.getTime()) await this.#load(host)
      const seenMs = issuedAt.getTime() - OVERLAP_MS
      if (seenMs > this.#seenUntil.getTime()) this.#seenUntil = new Date(seenMs)
    }
  }
}
