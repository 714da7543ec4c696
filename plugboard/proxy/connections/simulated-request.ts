// A request without a connection, in the form in which the edge receives requests of clients: for dry runs and for replays.

import { addressGroup } from '../../common/net/address-group.ts'
import type { RequestHead } from '../edge/request-head.ts'
import { type ClientFacts, forwardedPrefixOf } from './client-connection.ts'

export interface SimulatedRequest {
  readonly clientAddress: string
  readonly scheme: 'http' | 'https'
  /** With the port, if the client sent one. */
  readonly host: string
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** Names and values, alternating, without Host. */
  readonly fields: readonly string[]
}

/** Returns the client and the head of the request. */
export function simulatedRequest({ clientAddress, scheme, host, method, target, fields }: SimulatedRequest): {
  readonly client: ClientFacts
  readonly head: RequestHead
} {
  return {
    client: {
      remoteAddress: clientAddress,
      addressGroup: addressGroup(clientAddress),
      trusted: false,
      proxyUse: undefined,
      proto: scheme,
      http2: false,
      forwardedPrefix: forwardedPrefixOf(clientAddress, scheme),
    },
    head: {
      method,
      url: target,
      httpVersionMajor: 1,
      httpVersionMinor: 1,
      rawHeaders: ['Host', host, ...fields],
    },
  }
}
