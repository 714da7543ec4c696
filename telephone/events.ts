// What happens to a Telephone, as one closed list: the status lines for a person, the log for a machine and the
// library's subscribers are all made from these. Nothing secret is in them. All types here are public: the declarations of the
// package show them, so they name no class and no type of the inside.

import type { Reason } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { BackendFailure } from './backend/backend-failure.ts'
import type { FailureReport } from './backend/failure-log.ts'
import type { HealthOutage } from './backend/health/health-check.ts'

export type { BackendCauseCode } from '@vera-stack/shared/backend-causes.ts'
export type { Reason } from '@vera-stack/shared/protocol/wire/reason.ts'
export type { BackendFailure } from './backend/backend-failure.ts'
export type { FailureReport } from './backend/failure-log.ts'
export type { HealthOutage } from './backend/health/health-check.ts'

/** One service as a Plugboard has accepted or refused it. */
export interface AnnouncedService {
  readonly service: string
  readonly accepted: boolean
  /** Code of the refusal, from shared/errors.ts. Absent when the refusal has no code. */
  readonly code?: string | undefined
  /** Why it was refused, or a remark. */
  readonly detail?: string | undefined
  /** Where the service can now be reached. */
  readonly urls: readonly string[]
  /** A mount that led to the service when it was accepted, and does not now, because its route was deleted or changed. */
  readonly lostMount?: string | undefined
}

/** Why a Plugboard could not be dialled. The message may quote the far end, so it is cut. */
export interface DialFailure extends Error {
  /** `unreachable`: no response. `refused`: the far end responded, and refused the tunnel. */
  readonly kind: 'unreachable' | 'refused'
  /** Status code of the response. */
  readonly status: number | undefined
  /** `code` of the problem details (`token_expired`, `forbidden`), or of a failed connection (`ECONNREFUSED`). */
  readonly code: string | undefined
  /** `Retry-After`, ms. */
  readonly retryAfterMs: number | undefined
  /** True when the credential was refused, so that an attempt soon after would fail too. */
  readonly unauthorized: boolean
  /** True when the cause is the token: it cannot be read, or Plugboard refuses it. */
  readonly concernsToken: boolean
  /** True when attempts fail until a person changes the token, the address of the Plugboard or a certificate. */
  readonly permanent: boolean
  /** Remedy for a permanent failure whose message does not contain one. */
  readonly advice: string | undefined
}

/** One finished exchange, for an access log. */
export interface ExchangeSummary {
  readonly service: string
  readonly method: string
  /** Without the query, because clients put secrets there. */
  readonly path: string
  /** `X-Request-Id` of the request. */
  readonly requestId: string | undefined
  readonly streamId: number
  /** 0: the response had no head. */
  readonly status: number
  /** Why it ended early. */
  readonly code: string | undefined
  /** The cause, when the backend is the reason of an early end. */
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
      /** The cause in words of this end or the peer. */
      readonly detail: string
      /** True when further tunnels end for the same reason until a person acts. */
      readonly permanent: boolean
      readonly retryInMs: number
    }
  /** The replica drains, or there is a better one: a replacement is dialled, the old tunnel finishes its streams. */
  | { readonly kind: 'tunnel_replaced'; readonly tunnel: number; readonly url: string; readonly why: string }
  | { readonly kind: 'announced'; readonly tunnel: number; readonly results: readonly AnnouncedService[] }
  /**
   * A mount no longer leads to the service, because its route was deleted or changed. One event for all tunnels. `claimInMs`: this
   * Telephone claims it again after this time, or with an earlier announcement; undefined: it did not claim it.
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
  /** Requests to a backend fail, or it responds again. `backend`: its target. */
  | {
      readonly kind: 'backend_failures'
      readonly service: string
      readonly backend: string
      readonly report: FailureReport
    }
  /** `expiresAtMs`: milliseconds since 1970. */
  | { readonly kind: 'token_renewed'; readonly expiresAtMs: number | undefined }
  /** The token was not renewed, or the renewed one is in no file. `expiresAtMs`: end of the old one, ms since 1970. */
  | { readonly kind: 'token_problem'; readonly detail: string; readonly expiresAtMs: number }
  /** At the start: limits of connections were lowered to fit the system's limit of open files. */
  | {
      readonly kind: 'limits_lowered'
      /** True when a limit that was set was lowered, or when a default became too small for ordinary use. */
      readonly isProblem: boolean
      /** Which limits were lowered, why, and what to do. */
      readonly detail: string
    }
  | { readonly kind: 'exchange'; readonly exchange: ExchangeSummary }
  /** Backends or tunnels do not read, and the bytes that wait for them were over the budget: streams were reset. */
  | {
      readonly kind: 'over_budget'
      /** When it was noticed. */
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
