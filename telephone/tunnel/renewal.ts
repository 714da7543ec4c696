// Keeps the token alive: at two thirds of its life asks the Plugboards in band for a new one, takes what comes
// back, and asks again when nothing does. A Telephone that is never off line needs its token handed over once.

import { type Claims, decodeClaims } from '@vera-stack/shared/claims.ts'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { TelephoneEvent } from '../events.ts'
import { sentence } from '../sentence.ts'
import { TokenError, type TokenStore } from './token-store.ts'

export interface RenewalOptions {
  readonly store: TokenStore
  readonly clock: Clock
  readonly random: () => number
  /** Sends `renew` on every tunnel that is ready; false when there is none. */
  readonly ask: () => boolean
  readonly report: (event: TelephoneEvent) => void
}

/** Timers beyond 2^31 ms fire at once: longer waits are made of several. */
const MAX_WAIT_MS = 24 * 3_600_000
/** A token that is due already is asked for within this, spread by lot: a whole fleet may start at once. */
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

  /** The token in use, told at each dial: its file may hold another one by now. */
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
    // A token that lives no longer than the one before would be asked for without end.
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

  /** The first request may meet a lost tunnel. When a later one is due, a person learns of it while there is time. */
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

  /** When no answer comes, or none could be asked for: a few more times before the end, then once a minute. */
  #retryLater(): void {
    const now = this.#options.clock.wallTime()
    this.#askAt(now + Math.max(MIN_RETRY_MS, (this.#expiresAtMs - now) / 4))
  }
}

/** When to ask for a new token, ms since 1970: at two thirds of its life. `now`: for tokens without `iat`. */
export function renewalTime({ iat, exp }: Pick<Claims, 'iat' | 'exp'>, now: number): number {
  const start = iat === undefined ? now : iat * 1000
  return start + (exp * 1000 - start) * RENEW_AT
}
