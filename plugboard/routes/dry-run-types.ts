// A request that was not sent, and the result that the public port would produce for it. proxy/ computes it, and admin/ shows it.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { DirectoryRoute } from './directory-entries.ts'

export interface DryRequest {
  readonly scheme: 'http' | 'https'
  /** With the port, if the client would send one. */
  readonly host: string
  /** Path and query, as the client would send them. */
  readonly target: string
  readonly method: string
  readonly clientAddress: string
  /** Names and values in turns, without Host. */
  readonly fields: readonly string[]
}

/** The response that Plugboard would send without a backend. */
export interface DryResponse {
  readonly status: number
  /** Undefined: the response is no error. */
  readonly code: ErrorCode | undefined
  /** One line about an error; empty for others. */
  readonly detail: string
  /** The target of a redirect. */
  readonly location: string | undefined
}

export interface DryResult {
  /** The host for the match of routes; empty when the request was rejected before that. */
  readonly host: string
  readonly path: string
  /** Undefined: no route was found. */
  readonly route: DirectoryRoute | undefined
  /** Undefined: the request is forwarded to the service of the route. */
  readonly response: DryResponse | undefined
}
