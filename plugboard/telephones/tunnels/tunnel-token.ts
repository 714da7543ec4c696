// The token of one tunnel: its renewal in band, its expiry timer, and the end of the tunnel when the token has expired.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import type { Credential } from '../tokens/authenticate.ts'
import type { TokenUsage } from '../tokens/token-usage.ts'
import type { TokenIssuer } from '../tokens/tokens.ts'

/** The part of a credential that a renewal changes. */
export type Renewal = Pick<Credential, 'services' | 'mounts' | 'limits' | 'expiresAtMs'>

/** The tunnel of the token. */
export interface TokenHost {
  readonly session: Session
  close(reason: 'unauthorized', detail: string): void
  /** Called when one of our own tokens was renewed. The renewal applies to all tunnels of the token. */
  renewed(tokenId: string, renewal: Renewal): void
}

export interface TunnelTokenOptions {
  readonly credential: Credential
  readonly host: TokenHost
  readonly tokens: Pick<TokenIssuer, 'renew' | 'expiryOf'>
  readonly usage: Pick<TokenUsage, 'reserve'>
  readonly clock: Clock
  readonly log: Logger
}

/** Longest delay of a Node timer, ms. */
const LONGEST_TIMER_MS = 0x7fff_ffff
/** Interval between checks of an expired token while the database is unavailable, ms. */
const EXPIRY_RETRY_MS = 30_000
const RENEWED_ELSEWHERE =
  'Plugboard did not issue this token and cannot renew it. Get a new token from its issuer and put it into the token file.'

export class TunnelToken {
  readonly #options: TunnelTokenOptions
  #credential: Credential
  #renewing = false
  #expiryTimer: Timer | undefined

  constructor(options: TunnelTokenOptions) {
    this.#options = options
    this.#credential = options.credential
  }

  get credential(): Credential {
    return this.#credential
  }

  /** Starts the expiry timer. Call it when the session of the host is set. */
  start(): void {
    this.#watchExpiry()
  }

  close(): void {
    this.#expiryTimer?.cancel()
  }

  /** Applies a renewal of the token over this tunnel or another one. `kid` stays the key that signed this tunnel's JWT. */
  extend(renewal: Renewal): void {
    this.#credential = { ...this.#credential, ...renewal }
    this.#watchExpiry()
  }

  /** Renews the token, and sends the new one to the telephone, or the reason why it could not be renewed. Never rejects. */
  async renew(): Promise<void> {
    const { host, tokens, usage, log } = this.#options
    const { token: reference } = this.#credential
    if (reference.kind === 'outside') {
      host.session.sendControl({ type: 'renewed', detail: RENEWED_ELSEWHERE })
      return
    }
    // One renewal at a time. Its response also serves the requests that arrive meanwhile.
    if (this.#renewing) return
    this.#renewing = true
    const tokenId = reference.id
    try {
      usage.reserve(this.#credential, 0)
      const { token, expiresAt, services, mounts, limits } = await tokens.renew(tokenId)
      host.renewed(tokenId, { services, mounts, limits, expiresAtMs: expiresAt.getTime() })
      if (host.session.sendControl({ type: 'renewed', token })) return
      const detail = 'The renewed token does not fit in a frame of this telephone.'
      host.session.sendControl({ type: 'renewed', detail })
    } catch (error) {
      const known = error instanceof VeraError
      if (!known) log.error('token not renewed', { err: error })
      const detail = known ? cutText(error.message) : 'The token could not be renewed.'
      host.session.sendControl({ type: 'renewed', detail })
    } finally {
      this.#renewing = false
    }
  }

  #watchExpiry(): void {
    const { clock } = this.#options
    this.#expiryTimer?.cancel()
    const leftMs = this.#credential.expiresAtMs - clock.wallTime()
    this.#expiryTimer = clock.after(Math.max(0, Math.min(leftMs, LONGEST_TIMER_MS)), () => {
      if (leftMs > LONGEST_TIMER_MS) this.#watchExpiry()
      else void this.#expired()
    })
  }

  /**
   * Closes the tunnel of an expired token, unless the token was renewed over a tunnel of another replica: the database has the
   * newest expiry of our own tokens. While the database is unavailable, the tunnel stays open, so traffic continues.
   */
  async #expired(): Promise<void> {
    const { host, tokens, clock, log } = this.#options
    const { token } = this.#credential
    if (token.kind === 'outside') {
      host.close('unauthorized', 'the token has expired')
      return
    }
    try {
      const expiresAt = await tokens.expiryOf(token.id)
      if (host.session.state === 'closed') return
      if (expiresAt !== undefined && expiresAt.getTime() > clock.wallTime()) {
        this.extend({ ...this.#credential, expiresAtMs: expiresAt.getTime() })
        return
      }
      host.close('unauthorized', 'the token has expired')
    } catch (error) {
      if (host.session.state === 'closed') return
      log.warn('a token expired while the database is unavailable; its tunnel stays open', {
        code: error instanceof VeraError ? error.code : 'internal_error',
      })
      this.#expiryTimer = clock.after(EXPIRY_RETRY_MS, () => void this.#expired())
    }
  }
}
