// The results of the edge: the facts about every request, about a request with a route, and about a request without one. The
// rest of the proxy reads only these values.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { ExchangeCapture } from '@vera-stack/shared/inspect/exchange-capture.ts'
import type { Opening } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { DirectoryRoute } from '../../routes/directory.ts'
import type { SubsetChoice } from '../../telephones/subsets/subset-choice.ts'
import type { AdmittedByLimits, RouteResponseRules } from '../response/route-response.ts'
import type { RequestTrace } from '../trace/request-trace.ts'

/** The protocol of the client's connection, as in ALPN. */
export type ClientProtocol = 'http/1.0' | 'http/1.1' | 'h2'

export interface RequestFacts {
  readonly requestId: string
  /** The peer of the connection, or the client that trusted proxies report. */
  readonly clientAddress: string
  /** The scheme of the client, `http` or `https`. A trusted proxy may report it. */
  readonly proto: string
  /** Empty when the request was refused before its host was read. */
  readonly host: string
  /** Without query, in the normalised spelling that is compared with mounts. Empty when it was refused before that. */
  readonly path: string
  readonly protocol: ClientProtocol
  /** The value of traceparent, unchecked; empty without one. */
  readonly traceParent: string
  /** The spans of the request; undefined: it is not traced. */
  readonly traced: RequestTrace | undefined
  /** The value of User-Agent; empty without one, and when reports do not contain it. */
  readonly userAgent: string
  /** The value of Accept; empty without one. */
  readonly accept: string
  /** -1 without Content-Length. */
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
  /** A copy of the fields before the rules of the route edit them, when another rule reads them later. Undefined: not needed. */
  receivedFields: readonly string[] | undefined
  /** Set by the policy when a limit has counted the request. */
  limits: AdmittedByLimits | undefined
  /** Name of the limit that has rejected the request, or with `enforce: false` would have. Set by the policy. */
  limitName: string | undefined
  /** The value for the balancing policy `hash`; set by the policy when the service has it and the request has the value. */
  balancingKey: number | undefined
  /** The subset of processes that the request uses; set by the policy when the service has subsets. */
  subset: SubsetChoice | undefined
  /** Captures the exchange for the inspector; undefined: it is not captured. */
  capture: ExchangeCapture | undefined
  /** Set for a replay of the inspector: the exchange that it repeats, and the only telephone that it may use, if any. */
  readonly replay: { readonly exchange: string; readonly telephone: string | undefined } | undefined
  readonly opening: Opening
  readonly route: DirectoryRoute
  /** The path in the client's spelling, without dot segments. */
  readonly receivedPath: string
  /** The value of Via that this hop adds to the forwarded request. */
  readonly via: string
  /** True when Via names this cluster: the request has passed here before. */
  readonly looped: boolean
  /** The number of hops that may still forward a TRACE or OPTIONS request, including this one; -1: no limit. */
  readonly maxForwards: number
  /** The content of the response when a TRACE request ends here; else empty. */
  readonly trace: string
  /** True when its credential applies to the whole connection to the backend. */
  readonly authenticatesConnection: boolean
}

/**
 * A request without a route. `tunnel`: it is for the tunnel endpoint. `options`: it is `OPTIONS *`, which concerns the server
 * itself. `code`: the error when the request is refused; a tunnel request is refused when it asks for no upgrade.
 */
export interface UnroutedRequest extends RequestFacts {
  readonly kind: 'refused' | 'tunnel' | 'options' | 'instance'
  readonly code: ErrorCode
  readonly route?: undefined
}

export type AdmittedRequest = RoutedRequest | UnroutedRequest

/** True when a body follows the head. */
export function hasBody({ chunked, contentLength }: RequestFacts): boolean {
  return chunked || contentLength > 0
}

/** Returns the length of the body; Infinity when it is unknown. */
export function bodyBytesOf({ chunked, contentLength }: RequestFacts): number {
  return chunked ? Number.POSITIVE_INFINITY : Math.max(0, contentLength)
}

/** True when no further bytes of the connection may be parsed after a local response to the request (row R4). */
export function endsParsing({ upgrade, expectsContinue }: RequestFacts): boolean {
  // The client may send or leave out a body that waits for a 100, so the next bytes cannot be read as a request.
  return upgrade !== '' || expectsContinue
}
