// The events of a Telephone, as one closed list. The status lines for a person and the log for a machine are written from these
// events, and the subscribers of the library receive them. Events contain no secrets. All types here are public, because the
// declarations of the package contain them. So they use no internal class or type.

import type { Reason } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { BackendFailure } from './backend/backend-failure.ts'
import type { FailureReport } from './backend/failure-log.ts'
import type { HealthOutage } from './backend/health/health-check.ts'

export type { BackendCauseCode } from '@vera-stack/shared/backend-causes.ts'
export type { Reason } from '@vera-stack/shared/protocol/wire/reason.ts'
export type { BackendFailure } from './backend/backend-failure.ts'
export type { FailureReport } from './backend/failure-log.ts'
export type { HealthOutage } from './backend/health/health-check.ts'

/** The result of Plugboard for one announced service. */
export interface AnnouncedService {
  readonly service: string
  readonly accepted: boolean
  /** Code of the refusal, from shared/errors.ts. Absent when the refusal has no code. */
  readonly code?: string | undefined
  /** The reason of a refusal, or a remark about an accepted service. */
  readonly detail?: string | undefined
  /** The URLs at which the service can be reached now. */
  readonly urls: readonly string[]
  /** A mount that no longer leads to the accepted service, because its route was deleted or changed. */
  readonly lostMount?: string | undefined
}

/** The reason why a Plugboard could not be dialled. The message may contain text of the server, so its length is limited. */
export interface DialFailure extends Error {
  /** `unreachable`: there was no response. `refused`: the server responded, and refused the tunnel. */
  readonly kind: 'unreachable' | 'refused'
  /** Status code of the response. */
  readonly status: number | undefined
  /** The `code` of the problem details (`token_expired`, `forbidden`), or of a failed connection (`ECONNREFUSED`). */
  readonly code: string | undefined
  /** `Retry-After`, ms. */
  readonly retryAfterMs: number | undefined
  /** True when the credential was refused, so that an attempt soon after would fail too. */
  readonly unauthorized: boolean
  /** True when the cause is the token: it cannot be read, or Plugboard refuses it. */
  readonly concernsToken: boolean
  /** True when attempts fail until a person changes the token, the address of the Plugboard or a certificate. */
  readonly permanent: boolean
  /** The remedy for a permanent failure whose message does not contain one. */
  readonly advice: string | undefined
}

/** One finished exchange, for an access log. */
export interface ExchangeSummary {
  readonly service: string
  readonly method: string
  /** The path without the query, because queries may contain secrets. */
  readonly path: string
  /** `X-Request-Id` of the request. */
  readonly requestId: string | undefined
  readonly streamId: number
  /** 0 without a response head. */
  readonly status: number
  /** The reason of an early end. */
  readonly code: string | undefined
  /** The failure of the backend, when it caused the early end. */
  readonly failure: BackendFailure | undefined
  readonly durationMs: number
}

export type TelephoneEvent =
  /** `tunnel` counts from 1. */
  | { readonly kind: 'dialing'; readonly tunnel: number; readonly url: string }
  | {
      readonly kind: 'dial_failed'
      readonly tunnel: number
      readonly url: string
      readonly error: DialFailure
      readonly retryInMs: number
    }
  | {
      readonly kind: 'tunnel_ready'
      readonly tunnel: number
      readonly url: string
      readonly replica: string
      readonly agent: string
    }
  | {
      readonly kind: 'tunnel_lost'
      readonly tunnel: number
      readonly url: string
      readonly reason: Reason
      /** The cause, as a text of this end or of the peer. */
      readonly detail: string
      /** True when further tunnels end for the same reason until a person corrects the cause. */
      readonly permanent: boolean
      readonly retryInMs: number
    }
  /** The replica drains, or another replica is better. A replacement is dialled, and the old tunnel finishes its streams. */
  | { readonly kind: 'tunnel_replaced'; readonly tunnel: number; readonly url: string; readonly why: string }
  | { readonly kind: 'announced'; readonly tunnel: number; readonly results: readonly AnnouncedService[] }
  /**
   * A mount no longer leads to the service, because its route was deleted or changed. All tunnels share one event. `claimInMs`:
   * this Telephone claims the mount again after this time, or with an earlier announcement; undefined: it had not claimed it.
   */
  | {
      readonly kind: 'mount_lost'
      readonly service: string
      readonly mount: string
      readonly detail: string
      readonly claimInMs: number | undefined
    }
  | {
      readonly kind: 'health'
      readonly service: string
      readonly health: 'up' | 'down'
      readonly detail: string
      /** Undefined when the health is `up`. */
      readonly outage: HealthOutage | undefined
    }
  /** Requests to a backend fail, or succeed again. `backend`: the target. */
  | {
      readonly kind: 'backend_failures'
      readonly service: string
      readonly backend: string
      readonly report: FailureReport
    }
  /** `expiresAtMs`: milliseconds since 1970. */
  | { readonly kind: 'token_renewed'; readonly expiresAtMs: number | undefined }
  /** The token was not renewed, or the new token was not written to a file. `expiresAtMs`: expiry of the old one, ms since 1970. */
  | { readonly kind: 'token_problem'; readonly detail: string; readonly expiresAtMs: number }
  /** At the start: limits of connections were lowered to fit the system's limit of open files. */
  | {
      readonly kind: 'limits_lowered'
      /** True when a limit that was set was lowered, or when a default became too small for ordinary use. */
      readonly isProblem: boolean
      /** The lowered limits, the reason, and the remedy. */
      readonly detail: string
    }
  | { readonly kind: 'exchange'; readonly exchange: ExchangeSummary }
  /** Slow backends or tunnels made the waiting bytes exceed the budget, so streams were reset. */
  | {
      readonly kind: 'over_budget'
      /** The held bytes before the resets. */
      readonly heldBytes: number
      readonly budgetBytes: number
      readonly evictedStreams: number
      readonly endedSessions: number
    }
  /** A fetch handler threw, or returned no Response. `path`: without the query. */
  | {
      readonly kind: 'handler_failed'
      readonly service: string
      readonly method: string
      readonly path: string
      readonly error: unknown
    }
  | { readonly kind: 'draining'; readonly graceMs: number }
  | { readonly kind: 'closed' }

export type TelephoneListener = (event: TelephoneEvent) => void
