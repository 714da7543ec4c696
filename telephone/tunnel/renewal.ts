// Renews the token: at two thirds of its lifetime, requests a new token from the Plugboards through the tunnels. Repeats
// the request when no response arrives. A Telephone that is always online needs its first token only once.

import { type Claims, decodeClaims } from '@vera-stack/shared/claims.ts'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { TelephoneEvent } from '../events.ts'
import { sentence } from '../sentence.ts'
import { TokenError, type TokenStore } from './token-store.ts'

export interface RenewalOptions {
  readonly store: TokenStore
  readonly clock: Clock
  readonly random: () => number
  /** Sends `renew` on every ready tunnel. Returns false when no tunnel is ready. */
  readonly ask: () => boolean
  readonly report: (event: TelephoneEvent) => void
}

/** Longest timer, ms. Timers over 2^31 ms fire at once, so longer waits use several timers. */
const MAX_WAIT_MS = 24 * 3_600_000
/** A renewal that is already due is requested at a random time within this, because many Telephones may start at once. */
const SPREAD_MS = 10_000
const MIN_RETRY_MS = 60_000
const RENEW_AT = 2 / 3
const NOT_RENEWED = 'The token is due for renewal, and no Plugboard has renewed it yet.'
const RENEWED_IN_MEMORY =
  'The renewed token is in memory only; --token-file keeps it in a file. A restart without that uses the old token.'

export class Renewal {
  readonly #options: RenewalOptions
  #token: string | undefined
  #expiresAtMs = 0
  #timer: Timer | undefined
  #stopped = false
  /** Requests for the token in use that no response has followed. */
  #unanswered = 0
  /** True once the advice to use a file was given. */
  #fileAdvised = false

  constructor(options: RenewalOptions) {
    this.#options = options
  }

  /** The token in use, set at each dial. Its file may contain another token meanwhile. */
  follow(token: string): void {
    if (token === this.#token || this.#stopped) return
    this.#token = token
    this.#unanswered = 0
    const claims = decodeClaims(token)
    this.#timer?.cancel()
    if (claims === undefined) return
    const { clock, random } = this.#options
    const now = clock.wallTime()
    this.#expiresAtMs = claims.exp * 1000
    const spread = random() * Math.min(SPREAD_MS, Math.max(this.#expiresAtMs - now, 0) / 2)
    this.#askAt(Math.max(renewalTime(claims, now), now + spread))
  }

  onRenewed(token: string | undefined, detail: string | undefined): void {
    const { store, report } = this.#options
    this.#unanswered = 0
    if (token === undefined) {
      const reason = sentence(detail ?? 'Plugboard gave no reason')
      this.#reportProblem(`The token was not renewed: ${reason}`, this.#expiresAtMs)
      this.#retryLater()
      return
    }
    const before = this.#expiresAtMs
    let problem: string | undefined
    try {
      store.renew(token)
      if (!store.isLasting && !this.#fileAdvised) problem = RENEWED_IN_MEMORY
      this.#fileAdvised = true
    } catch (error) {
      if (!(error instanceof TokenError)) throw error
      problem = `${error.message} A restart uses the old token.`
    }
    this.follow(token)
    const exp = decodeClaims(token)?.exp
    report({ kind: 'token_renewed', expiresAtMs: exp === undefined ? undefined : exp * 1000 })
    if (problem !== undefined) this.#reportProblem(problem, before)
    // A new token that expires no later than the previous one would cause endless requests.
    if (this.#expiresAtMs <= before) this.#retryLater()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #askAt(timeMs: number): void {
    if (this.#stopped) return
    const { clock } = this.#options
    const delayMs = timeMs - clock.wallTime()
    this.#timer?.cancel()
    this.#timer = clock.after(Math.min(Math.max(delayMs, 0), MAX_WAIT_MS), () => {
      if (delayMs > MAX_WAIT_MS) this.#askAt(timeMs)
      else this.#ask()
    })
  }

  /** The first request may use a lost tunnel. A later request is reported, so that the operator can act in time. */
  #ask(): void {
    if (this.#unanswered > 0) this.#reportProblem(NOT_RENEWED, this.#expiresAtMs)
    this.#unanswered += 1
    this.#options.ask()
    this.#retryLater()
  }

  /** The last sentence of `detail` is about the token that ends at `expiresAtMs`. */
  #reportProblem(detail: string, expiresAtMs: number): void {
    this.#options.report({ kind: 'token_problem', detail, expiresAtMs })
  }

  /** Repeats the request without a response or a ready tunnel: a few times before the expiry, then once a minute. */
  #retryLater(): void {
    const now = this.#options.clock.wallTime()
    this.#askAt(now + Math.max(MIN_RETRY_MS, (this.#expiresAtMs - now) / 4))
  }
}

/** Returns the time for the renewal, ms since 1970: two thirds of the lifetime. `now` is used for tokens without `iat`. */
export function renewalTime({ iat, exp }: Pick<Claims, 'iat' | 'exp'>, now: number): number {
  const start = iat === undefined ? now : iat * 1000
  return start + (exp * 1000 - start) * RENEW_AT
}
