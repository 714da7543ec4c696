// What happens to a Telephone, as one closed list: the status lines for a person, the log for a machine and the
// library's subscribers are all made from these. Nothing secret is in them.

import type { LoweredLimits } from '@vera-stack/shared/open-files.ts'
import type { Announced, ServiceAnnouncement } from '@vera-stack/shared/protocol/control/control.ts'
import type { Overrun } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import type { Reason } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { FailureReport } from './backend/failure-log.ts'
import type { ForwardedExchange } from './backend/forward/forward.ts'
import type { Outage } from './backend/health/health-check.ts'
import type { DialError } from './tunnel/dial-error.ts'

/** One service as a Plugboard has judged it. */
export type AnnouncedService = Announced['results'][number]

export type TelephoneEvent =
  /** `tunnel` counts from 1. */
  | { readonly kind: 'dialing'; readonly tunnel: number; readonly url: string }
  | {
      readonly kind: 'dial_failed'
      readonly tunnel: number
      readonly url: string
      readonly error: DialError
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
  | {
      readonly kind: 'health'
      readonly service: string
      readonly health: ServiceAnnouncement['health']
      readonly detail: string
      /** Undefined when the health is `up`. */
      readonly outage: Outage | undefined
    }
  /** Requests to a backend fail, or it responds again. Bounded: see failure-log.ts. `backend`: its target. */
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
  | ({ readonly kind: 'limits_lowered' } & LoweredLimits)
  | { readonly kind: 'exchange'; readonly exchange: ForwardedExchange }
  /** Backends or tunnels do not read, and the bytes that wait for them were over the budget: streams were reset. */
  | ({ readonly kind: 'over_budget' } & Overrun)
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
