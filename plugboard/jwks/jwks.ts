// The public keys of one issuer, by the URL of its JWKS. They are fetched when a token first needs them, by one fetch at a
// time. Afterwards they are fetched again in the background, and stay in use while the issuer is unreachable. A `kid` that is not
// among them causes a fetch at most every 30 s, so that forged tokens cannot flood the issuer with requests.
//
//   none ──token──▶ fetching ──▶ fresh ──10 min──▶ stale, and fetching again ──24 h without success──▶ none

import type { Clock } from '@vera-stack/shared/clock.ts'
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'

/** Fetches the body at a URL. */
export type Load = (url: string) => Promise<Buffer>

export interface JwksOptions {
  readonly url: string
  readonly clock: Clock
  readonly load: Load
  /** Called with the error of a fetch that failed; once for each outage. */
  readonly failed: (error: unknown) => void
}

/** The keys could not be fetched, so tokens of the issuer cannot be verified. */
export class JwksUnavailable extends Error {}

const FRESH_MS = 600_000
const KEPT_MS = 86_400_000
const COOLDOWN_MS = 30_000
/** After a failed fetch: not each token causes a fetch, and an issuer that has recovered is soon in use again. */
const RETRY_MS = 3000

export class Jwks {
  readonly #options: JwksOptions
  #keys: JWTVerifyGetKey | undefined
  /** ms of the clock. */
  #fetchedAtMs = Number.NEGATIVE_INFINITY
  #askedAtMs = Number.NEGATIVE_INFINITY
  #fetching: Promise<void> | undefined
  #error: unknown

  constructor(options: JwksOptions) {
    this.#options = options
  }

  /** For jose. Rejects with JwksUnavailable, or with jose's own error for a key that is not there. */
  readonly key: JWTVerifyGetKey = async (header, token) => {
    const ageMs = this.#options.clock.now() - this.#fetchedAtMs
    if (ageMs >= KEPT_MS) await this.#refresh(RETRY_MS)
    else if (ageMs >= FRESH_MS) void this.#refresh(RETRY_MS).catch(() => undefined) // `failed` was called
    try {
      return await this.#find(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#mayAsk(COOLDOWN_MS)) throw error
    }
    await this.#refresh(COOLDOWN_MS).catch(() => undefined) // the keys of the last fetch lack this one
    return await this.#find(header, token)
  }

  #find(...question: Parameters<JWTVerifyGetKey>): ReturnType<JWTVerifyGetKey> {
    if (this.#keys === undefined) throw this.#unavailable()
    return this.#keys(...question)
  }

  #mayAsk(intervalMs: number): boolean {
    return this.#fetching !== undefined || this.#options.clock.now() - this.#askedAtMs >= intervalMs
  }

  /** Rejects when there are no keys after it that may be used. */
  async #refresh(intervalMs: number): Promise<void> {
    if (!this.#mayAsk(intervalMs)) throw this.#unavailable()
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined
    })
    await this.#fetching
  }

  async #fetch(): Promise<void> {
    const { clock, failed } = this.#options
    this.#askedAtMs = clock.now()
    try {
      this.#keys = createLocalJWKSet(await this.#load())
      this.#fetchedAtMs = clock.now()
      this.#error = undefined
    } catch (error) {
      if (clock.now() - this.#fetchedAtMs >= KEPT_MS) this.#keys = undefined
      if (this.#error === undefined) failed(error)
      this.#error = error
      throw this.#unavailable()
    }
  }

  #unavailable(): JwksUnavailable {
    return new JwksUnavailable(`The signing keys could not be fetched from ${this.#options.url}.`, {
      cause: this.#error,
    })
  }

  async #load(): Promise<JSONWebKeySet> {
    const { url, load } = this.#options
    return JSON.parse((await load(url)).toString('utf8')) as JSONWebKeySet
  }
}
