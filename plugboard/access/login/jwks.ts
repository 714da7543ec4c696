// The public keys of one issuer, by the address of its JWKS. Fetched when a token first needs them, one fetch at a time
// (guarded-fetch.ts bounds it). They are fetched again in the background, and stay in use while the issuer is unreachable; a kid that
// is not among them is asked for at most every 30 s, so that made-up tokens cannot be turned on the issuer.
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
  /** Told of a fetch that failed; once for each outage. */
  readonly failed: (error: unknown) => void
}

/** The keys cannot be had: nothing is known of the token. */
export class JwksUnavailable extends Error {}

const FRESH_MS = 600_000
const KEPT_MS = 86_400_000
const COOLDOWN_MS = 30_000
/** After a failure: an issuer that is away is not asked for each request, one that is back is soon heard. */
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
    else if (ageMs >= FRESH_MS) void this.#refresh(RETRY_MS).catch(() => undefined) // `failed` has been told
    try {
      return await this.#find(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#mayAsk(COOLDOWN_MS)) throw error
    }
    await this.#refresh(COOLDOWN_MS).catch(() => undefined) // the key is not among those that we have
    return await this.#find(header, token)
  }

  #find(...question: Parameters<JWTVerifyGetKey>): ReturnType<JWTVerifyGetKey> {
    if (this.#keys === undefined) throw new JwksUnavailable('no keys', { cause: this.#error })
    return this.#keys(...question)
  }

  #mayAsk(intervalMs: number): boolean {
    return this.#fetching !== undefined || this.#options.clock.now() - this.#askedAtMs >= intervalMs
  }

  /** Rejects when there are no keys after it that may be used. */
  async #refresh(intervalMs: number): Promise<void> {
    if (!this.#mayAsk(intervalMs)) throw new JwksUnavailable('asked just now', { cause: this.#error })
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
      throw new JwksUnavailable('the keys cannot be fetched', { cause: error })
    }
  }

  async #load(): Promise<JSONWebKeySet> {
    const { url, load } = this.#options
    return JSON.parse((await load(url)).toString('utf8')) as JSONWebKeySet
  }
}
