// The sessions of the dashboard. A session has the scopes of one admin key. Each request reads this key from the database, so a
// session ends when its key is revoked.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { type LoginLink, LoginLinks } from './login-links.ts'
import { SessionSeal } from './session-seal.ts'

/** The path of the dashboard. */
export const DASHBOARD_PATH = '/dashboard/'
/** POST starts a session, GET describes it, DELETE ends it. */
export const SESSION_PATH = '/v1/session'
/** How long a session lasts, s. */
export const SESSION_SECONDS = 12 * 3600

export interface Session {
  /** The prefix of the admin key (access/api-key-format.ts). */
  readonly keyPrefix: string
  readonly expiresAt: Date
}

/** The page reads the code from the fragment, which browsers send to no server. */
export const loginPath = ({ code }: LoginLink): string => `${DASHBOARD_PATH}#code=${code}`

export interface DashboardSessionOptions {
  /** The secrets of the cluster: the first one signs, each one verifies. Undefined: sessions end with this process. */
  readonly secrets?: readonly string[] | undefined
  readonly clock: Clock
}

export class DashboardSessions {
  readonly #seal: SessionSeal
  readonly #links: LoginLinks
  readonly #clock: Clock

  constructor({ secrets, clock }: DashboardSessionOptions) {
    this.#seal = new SessionSeal(secrets)
    this.#links = new LoginLinks(clock)
    this.#clock = clock
  }

  /** Starts a session that ends after SESSION_SECONDS, or at `keyExpiresAt`. Returns it with the value of its cookie. */
  start(keyPrefix: string, keyExpiresAt: Date | null): { readonly session: Session; readonly value: string } {
    const endsAt = this.#clock.wallTime() + SESSION_SECONDS * 1000
    const seconds = Math.floor(Math.min(endsAt, keyExpiresAt?.getTime() ?? endsAt) / 1000)
    const session = { keyPrefix, expiresAt: new Date(seconds * 1000) }
    return { session, value: this.#seal.seal({ keyPrefix, expiresAt: seconds }) }
  }

  /** Returns the session of a cookie's value. Undefined: the session has ended, or the signature is not of this cluster. */
  open(value: string): Session | undefined {
    const claims = this.#seal.open(value)
    if (claims === undefined) return undefined
    const expiresAt = new Date(claims.expiresAt * 1000)
    return this.#clock.wallTime() < expiresAt.getTime()
      ? { keyPrefix: claims.keyPrefix, expiresAt }
      : undefined
  }

  createLink(keyPrefix: string): LoginLink {
    return this.#links.create(keyPrefix)
  }

  /** Returns the prefix of the admin key of a one-time link. Undefined: the code is unknown, used or too old. */
  keyOfLink(code: string): string | undefined {
    return this.#links.keyOf(code)
  }

  /** Ends a one-time link. Returns false when the code was unknown, used or too old. */
  redeemLink(code: string): boolean {
    return this.#links.redeem(code)
  }
}
