// What the edge found out about a request, as values: of each request, of one that found its route, and of one that goes no
// further. The rest of the proxy reads nothing else of it.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { Opening } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { DirectoryRoute } from '../../routes/directory.ts'
import type { RouteResponseRules } from '../response/route-response.ts'

export interface RequestFacts {
  readonly requestId: string
  /** The peer of the connection, or the client that a trusted proxy names. */
  readonly clientAddress: string
  /** Empty when the request was refused before its host was read. */
  readonly host: string
  /** Without query, in the spelling in which mounts are compared. Empty when the request was refused before it was read. */
  readonly path: string
  /** Empty when the client sent none. */
  readonly accept: string
  /** -1: no Content-Length. */
  readonly contentLength: number
  readonly chunked: boolean
  /** True when the client waits for a 100 before it sends the body. */
  readonly expectsContinue: boolean
  /** The protocols that the client asks to switch to; empty without an Upgrade. */
  readonly upgrade: string
}

/** A request that has passed the edge and found its route. */
export interface RoutedRequest extends RequestFacts, RouteResponseRules {
  readonly kind: 'routed'
  readonly opening: Opening
  readonly route: DirectoryRoute
  /** `http`, `https`, or the protocol that a trusted proxy reports for its client. */
  readonly proto: string
  /** The path as the client spelled it, without dot segments. */
  readonly receivedPath: string
  /** The value of Via that the forwarded request gets, besides those of the hops before this one. */
  readonly via: string
  /** True when Via names this cluster: the request has passed here before. */
  readonly looped: boolean
  /** How many more hops may forward a TRACE or OPTIONS request, this one included; -1: no limit. */
  readonly maxForwards: number
  /** The content of the response when a TRACE request ends here; else empty. */
  readonly trace: string
  /** True when its credential is meant for the whole connection to the backend. */
  readonly authenticatesConnection: boolean
}

/**
 * A request without a route. `tunnel`: it is for the tunnel endpoint. `options`: it is `OPTIONS *`, which asks about the server
 * itself. `code` is for a request that is refused; of a tunnel, for one that asks without an upgrade.
 */
export interface UnroutedRequest extends RequestFacts {
  readonly kind: 'refused' | 'tunnel' | 'options'
  readonly code: ErrorCode
  readonly route?: undefined
}

export type AdmittedRequest = RoutedRequest | UnroutedRequest

/** True when bytes can follow the head. */
export function hasBody({ chunked, contentLength }: RequestFacts): boolean {
  return chunked || contentLength > 0
}

/** Returns the length of the body; Infinity when it is unknown. */
export function bodyBytesOf({ chunked, contentLength }: RequestFacts): number {
  return chunked ? Number.POSITIVE_INFINITY : Math.max(0, contentLength)
}

/** True when the bytes behind a request that gets its response here must not be parsed as another request (row R4). */
export function endsParsing({ upgrade, expectsContinue }: RequestFacts): boolean {
  // A body that waits for a 100 may never come, or come all the same, so what stands there is no request.
  return upgrade !== '' || expectsContinue
}
