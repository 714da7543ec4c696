// A request that nobody has sent, and what the public port would do with it: proxy/ finds that out, admin/ shows it.

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

/** The response that Plugboard itself would give. */
export interface DryResponse {
  readonly status: number
  /** Undefined: it is no error. */
  readonly code: ErrorCode | undefined
  /** One line about an error; empty for others. */
  readonly detail: string
  /** Where a redirect leads. */
  readonly location: string | undefined
}

export interface DryResult {
  /** As routes are matched: empty when the request got no further than its head. */
  readonly host: string
  readonly path: string
  /** Undefined: no route was found. */
  readonly route: DirectoryRoute | undefined
  /** Undefined: the request is forwarded to the service of the route. */
  readonly response: DryResponse | undefined
}
