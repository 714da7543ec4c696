// The request of a replay and its result. admin/ makes the request, and proxy/ sends it.

import type { CaptureRules } from '@vera-stack/shared/inspect/exchange-capture.ts'

export interface ReplayRequest {
  /** The exchange that is repeated. */
  readonly exchange: string
  readonly serviceId: string
  readonly scheme: 'http' | 'https'
  /** With the port, if the client sent one. */
  readonly host: string
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** Names and values, alternating, without Host and without fields of the connection. */
  readonly fields: readonly string[]
  /** Undefined: no body. */
  readonly body: Buffer | undefined
  /** The address of the client of the exchange. Rules of the route see it as the client. */
  readonly clientAddress: string
  /** The name of the only telephone that may get the request; undefined: any telephone of the service. */
  readonly telephone: string | undefined
  readonly rules: CaptureRules
}

/**
 * `sent`: `id` is the new exchange. `unrouted`: no route takes the request. `other_service`: its route leads to another service.
 * `no_line`: the telephone has no line for the service. `busy`: too many replays are in progress.
 * `unavailable`: this replica is starting or stopping. `not_kept`: the replay has ended, but the inspector could not keep its exchange.
 */
export type ReplayResult =
  | { readonly kind: 'sent'; readonly id: string }
  | { readonly kind: 'unrouted'; readonly meaning: string }
  | { readonly kind: 'other_service'; readonly service: string }
  | { readonly kind: 'no_line' | 'busy' | 'unavailable' | 'not_kept' }
